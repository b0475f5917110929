"""Who makes the plan: rules, or a multimodal model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import PlannerError, UsageError
from sow.planners.base import PlanRequest
from sow.planners.mllm.vendors.registry import VENDORS, available_vendor, make_asker, why_no_vendor
from sow.planners.offline.planner import OfflinePlanner
from sow.service.fitting import in_known_words
from sow.utils.type_checks import as_path, check_type

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.plan.plan import Plan
    from sow.planners.mllm.planner import StagedPlanner


Consent = Callable[[str, str], bool]
"""Whether the user agrees that the planted part of a picture goes to a vendor, at this host."""


def never_consent(vendor: str, host: str) -> bool:
    """Nobody was asked, so nobody agreed."""
    return False


@dataclass(frozen=True)
class PlannerChoice:
    """Who plans and how.

    Attributes:
        name: `auto` asks the vendor whose key is set, else plans by rules; `offline`, or a vendor.
        planner_model: the vendor's model; None is its newest.
        base_url: another server than the vendor's.
        planner_calls: 3 for a call per stage, 1 for all in one.
        fallback: rules stand in for a vendor that was named and cannot be asked.
        cache: plans made before are taken again.
        prompts: a folder with prompts of one's own.
        planner_timeout: seconds for a whole plan, retries included.
        consent: asked before `auto` sends a picture to a vendor whose key it found; whoever names
            a vendor or a server has agreed. A program has to name one.
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
        """Refuses what makes no sense, before anything is loaded.

        Raises:
            UsageError: for an unknown planner, a number of calls, a folder that is not there.
        """
        if self.name not in ("auto", "offline", *VENDORS):
            raise UsageError(
                f"no planner {self.name!r}", f"choose auto, offline, {', '.join(VENDORS)}"
            )
        for name in ("planner_model", "base_url"):
            check_type(name, getattr(self, name), (str, type(None)), "a text")
        if self.planner_calls not in (1, 3):
            raise UsageError(
                f"{self.planner_calls!r} calls for a plan", "give planner_calls=1 or 3"
            )
        if self.prompts is not None and not _is_folder(as_path("prompts", self.prompts)):
            raise UsageError(f"no folder {str(self.prompts)!r}", "check prompts=")

    def vendor(self) -> str | None:
        """The name of who is to be asked, or None for the rules."""
        if self.name == "offline":
            return None
        if self.name != "auto":
            return self.name
        return "openai" if self.base_url else available_vendor()

    def planner(self, vendor: str, model: Model) -> StagedPlanner:
        """The planner that asks, fitted to the checkpoint that will draw.

        Raises:
            PlannerError: if it cannot be asked: no key, no package.
        """
        from sow.planners.mllm.fusion import token_counter
        from sow.planners.mllm.planner import StagedPlanner
        from sow.prompts import Prompts

        return StagedPlanner(
            asker=make_asker(vendor, self.planner_model, self.base_url),
            calls=self.planner_calls,
            prompts=Prompts(None if self.prompts is None else Path(self.prompts)),
            count=token_counter(None if model.origin == "file" else model.source),
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
    """A plan and how it came about.

    Attributes:
        cache: `hit`, `miss` or `off`.
        origin: who made it, in a line for people; empty where that is plain.
        notes: what was done to it.
    """

    plan: Plan
    cache: str = "off"
    origin: str = ""
    notes: tuple[str, ...] = ()


def ask_for_plan(
    request: PlanRequest,
    choice: PlannerChoice,
    model: Model,
    meanwhile: Callable[[], None] = lambda: None,
) -> PlanningResult:
    """Asks for a plan as chosen, lays out what it is to show besides, and says it in words that
    the model knows.

    meanwhile: called just before a vendor is asked, to begin what can be done while waiting.

    Raises:
        SowError: if there is none.
    """
    if request.has_graph or request.image is None:
        planned = _around_graph(request, choice, model, meanwhile)
    else:
        planned = _planned(request, choice, model, meanwhile)
    return replace(
        planned, plan=in_known_words(planned.plan, model.name, model.checkpoint_spec.words)
    )


def _around_graph(
    request: PlanRequest, choice: PlannerChoice, model: Model, meanwhile: Callable[[], None]
) -> PlanningResult:
    """The same where there is a graph, or nothing to plant."""
    from sow.planners.graph.planner import add_graph, check_graph, text_only_plan, without_graph

    check_graph(request)
    if request.image is None:
        planned = PlanningResult(text_only_plan(request))
    else:
        planned = _planned(without_graph(request), choice, model, meanwhile)
    return replace(planned, plan=add_graph(planned.plan, request)) if request.has_graph else planned


def _planned(
    request: PlanRequest, choice: PlannerChoice, model: Model, meanwhile: Callable[[], None]
) -> PlanningResult:
    """The plan as its planner makes it.

    Raises:
        SowError: if there is none; a vendor that was named is not replaced without `fallback`.
    """
    vendor = choice.vendor()
    if vendor is None:
        origin = f"rules ({why_no_vendor()})" if choice.name == "auto" else ""
        return PlanningResult(OfflinePlanner().plan(request), origin=origin)
    try:
        planner = choice.planner(vendor, model)
        host = planner.asker.host
        if choice.name == "auto" and not choice.base_url and not choice.consent(vendor, host):
            origin = f"rules (nothing is sent to {vendor} before it is named or agreed to)"
            return PlanningResult(OfflinePlanner().plan(request), origin=origin)
        meanwhile()
        plan, cache = _asked(planner, request, choice.cache)
    except PlannerError as error:
        if choice.name != "auto" and not choice.fallback:
            raise
        plan = OfflinePlanner().plan(request)
        return PlanningResult(
            plan.changed(notes=(*plan.notes, f"planned by rules: {error.what}"[:300]))
        )
    where = "from the cache" if cache == "hit" else f"asked at {planner.asker.host}"
    return PlanningResult(plan, cache, f"{planner.asker.vendor} {planner.asker.model}, {where}")


def _asked(planner: StagedPlanner, request: PlanRequest, cache: bool) -> tuple[Plan, str]:
    from sow.planners.mllm.cache import AnswerCache, answers_folder

    if not cache:
        return planner.plan(request), "off"
    planner.cache = AnswerCache(answers_folder())
    result = planner.plan_result(request)
    return result.plan, "hit" if result.from_cache else "miss"


def preview_request(request: PlanRequest, choice: PlannerChoice, model: Model) -> dict[str, Any]:
    """Exactly what would be sent, and to whom; nothing is sent.

    Raises:
        UsageError: if nobody would be asked.
    """
    from hashlib import sha256

    from sow.planners.graph.planner import without_graph

    vendor = choice.vendor()
    if vendor is None:
        raise UsageError("nothing would be sent: plans are made by rules", "name a planner=")
    planner = choice.planner(vendor, model)
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
