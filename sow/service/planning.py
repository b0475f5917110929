"""Planning a request: by rules, or by a multimodal model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import PlannerError, UsageError
from sow.planners.base import PlanRequest
from sow.planners.mllm.transport import check_address
from sow.planners.mllm.vendors.registry import VENDORS, available_vendor, make_asker, why_no_vendor
from sow.planners.offline.planner import OfflinePlanner
from sow.service.known_words import in_known_words
from sow.utils.type_checks import as_path, check_type

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.plan.plan import Plan
    from sow.planners.mllm.planner import StagedPlanner


Consent = Callable[[str, str], bool]
"""Asks the user whether the planted part of a picture may go to a vendor at this host."""


def never_consent(vendor: str, host: str) -> bool:
    """Refuse, where nobody can be asked."""
    return False


@dataclass(frozen=True)
class PlannerChoice:
    """The planner and its options.

    Attributes:
        name: `offline` (rules), a vendor, or `auto`: the vendor whose key is set, or else rules.
        planner_model: the vendor's model; None takes its newest.
        base_url: another server than the vendor's.
        planner_calls: 3 for one call per stage, 1 for a single call.
        fallback: plan by rules if a named vendor cannot be asked.
        cache: reuse earlier plans.
        prompts: a folder with the user's own prompts.
        planner_timeout: seconds for a whole plan, retries included.
        consent: asked before `auto` sends a picture to a vendor whose key it found. Naming a vendor
            or a server is consent; programs have to name one.
    """

    name: str = "auto"
    planner_model: str | None = None
    base_url: str | None = None
    planner_calls: int = 3
    fallback: bool = False
    cache: bool = True
    prompts: str | Path | None = None
    planner_timeout: float = 90.0
    consent: Consent = field(default=never_consent, compare=False, repr=False)

    def check(self) -> None:
        """Check the options, before anything is loaded.

        Raises:
            UsageError: for an unknown planner, a wrong number of calls or a missing folder.
        """
        if self.name not in ("auto", "offline", *VENDORS):
            raise UsageError(
                f"unknown planner {self.name!r}", f"choose auto, offline, {', '.join(VENDORS)}"
            )
        for name in ("planner_model", "base_url"):
            check_type(name, getattr(self, name), (str, type(None)), "a text")
        if self.base_url:
            check_address(self.base_url)  # a batch keeps it, also if nobody is asked
        if self.planner_calls not in (1, 3):
            raise UsageError(
                f"a plan takes 1 or 3 calls, not {self.planner_calls!r}",
                "give planner_calls=1 or 3",
            )
        if self.prompts is not None and not _is_folder(as_path("prompts", self.prompts)):
            raise UsageError(f"there is no folder {str(self.prompts)!r}", "check prompts=")

    def vendor(self) -> str | None:
        """Return the name of the vendor to ask, or None for rules."""
        if self.name == "offline":
            return None
        if self.name != "auto":
            return self.name
        return "openai" if self.base_url else available_vendor()

    def planner(self, vendor: str, model: Model, *, only_preview: bool = False) -> StagedPlanner:
        """Return the planner that asks a vendor, with the limits of the model's checkpoint.

        Raises:
            PlannerError: if the vendor cannot be asked: without a package, or without a key
                unless its questions will only be shown.
        """
        from sow.planners.mllm.fusion import token_counter
        from sow.planners.mllm.planner import StagedPlanner
        from sow.prompts import Prompts

        return StagedPlanner(
            asker=make_asker(vendor, self.planner_model, self.base_url, only_preview=only_preview),
            calls=self.planner_calls,
            prompts=Prompts(None if self.prompts is None else Path(self.prompts)),
            count=token_counter(model.tokenizer_home),
            limit=model.checkpoint_spec.token_limit,
            words=model.checkpoint_spec.words,
            seconds=self.planner_timeout,
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long
        return False


@dataclass(frozen=True)
class PlanningResult:
    """A plan and how it was made.

    Attributes:
        cache: whether it came from the cache: `hit`, `miss` or `off`.
        origin: what made it, in one line for the user; empty if that is obvious.
        notes: messages for the user.
    """

    plan: Plan
    cache: str = "off"
    origin: str = ""
    notes: tuple[str, ...] = ()


def ask_for_plan(
    request: PlanRequest,
    choice: PlannerChoice,
    model: Model,
    before_vendor_call: Callable[[], None] = lambda: None,
) -> PlanningResult:
    """Plan a request, add its scene graph, and reword it for the model's vocabulary.

    before_vendor_call: called just before a vendor is asked, to start work that can run meanwhile.

    Raises:
        SowError: if there is no plan.
    """
    if request.has_graph or request.image is None:
        result = _plan_with_graph(request, choice, model, before_vendor_call)
    else:
        result = _plan(request, choice, model, before_vendor_call)
    plan = in_known_words(result.plan, model.name, model.checkpoint_spec.words)
    return replace(result, plan=plan)


def _plan_with_graph(
    request: PlanRequest,
    choice: PlannerChoice,
    model: Model,
    before_vendor_call: Callable[[], None],
) -> PlanningResult:
    """Plan a request with a scene graph, or without a picture."""
    from sow.planners.graph.planner import add_graph, check_graph, text_only_plan, without_graph

    check_graph(request)
    if request.image is None:
        result = PlanningResult(text_only_plan(request))
    else:
        result = _plan(without_graph(request), choice, model, before_vendor_call)
    return replace(result, plan=add_graph(result.plan, request)) if request.has_graph else result


def _plan(
    request: PlanRequest,
    choice: PlannerChoice,
    model: Model,
    before_vendor_call: Callable[[], None],
) -> PlanningResult:
    """Plan a request that has a picture and no graph.

    Raises:
        SowError: if there is no plan. Rules replace a vendor that was named only with `fallback`.
    """
    vendor = choice.vendor()
    if vendor is None:
        origin = f"rules ({why_no_vendor()})" if choice.name == "auto" else ""
        return PlanningResult(OfflinePlanner().plan(request), origin=origin)
    try:
        planner = choice.planner(vendor, model)
        host = planner.asker.host
        if choice.name == "auto" and not choice.base_url and not choice.consent(vendor, host):
            origin = f"rules (nothing is sent to {vendor} unless it is named or agreed to)"
            return PlanningResult(OfflinePlanner().plan(request), origin=origin)
        before_vendor_call()
        plan, cache = _ask_vendor(planner, request, choice.cache)
    except PlannerError as error:
        if choice.name != "auto" and not choice.fallback:
            raise
        plan = OfflinePlanner().plan(request)
        notes = (*plan.notes, f"planned by rules: {error.what}"[:300])
        return PlanningResult(plan.changed(notes=notes))
    where = "from the cache" if cache == "hit" else f"asked at {planner.asker.host}"
    return PlanningResult(plan, cache, f"{planner.asker.vendor} {planner.asker.model}, {where}")


def _ask_vendor(planner: StagedPlanner, request: PlanRequest, cache: bool) -> tuple[Plan, str]:
    """Return a vendor's plan, and whether it came from the cache: `hit`, `miss` or `off`."""
    from sow.planners.mllm.abilities import abilities_folder
    from sow.planners.mllm.cache import AnswerCache, answers_folder

    if not cache:
        return planner.plan(request), "off"
    planner.asker.abilities.remember_in(abilities_folder())
    planner.cache = AnswerCache(answers_folder())
    result = planner.plan_result(request)
    return result.plan, "hit" if result.from_cache else "miss"


def preview_request(request: PlanRequest, choice: PlannerChoice, model: Model) -> dict[str, Any]:
    """Return exactly what a vendor would be sent, as JSON data; nothing is sent.

    Raises:
        UsageError: if no vendor would be asked.
    """
    from hashlib import sha256

    from sow.planners.graph.planner import without_graph

    vendor = choice.vendor()
    if vendor is None:
        raise UsageError("nothing would be sent: plans are made by rules", "name a planner=")
    planner = choice.planner(vendor, model, only_preview=True)
    if request.image is None:
        raise UsageError("nothing would be sent: there is no picture", "give image=")
    picture, questions = planner.questions(without_graph(request))
    return {
        "vendor": planner.asker.vendor,
        "model": planner.asker.model,
        "host": planner.asker.host,
        "picture": {"format": "PNG", "bytes": len(picture), "sha256": sha256(picture).hexdigest()},
        "questions": [
            {"stage": q.stage, "prompt": q.prompt, "schema": q.schema.model_json_schema()}
            for q in questions
        ],
    }
