"""The options that say who plans, and the planning itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.errors import PlannerError, UsageError

if TYPE_CHECKING:
    from sow.models import Model
    from sow.plan import Plan
    from sow.planners.base import PlanRequest
    from sow.planners.stages import StagedPlanner

PlannerName = Annotated[
    str,
    typer.Option(
        "--planner",
        help="auto, offline, gemini or openai. auto asks the one whose key is set "
        "(GEMINI_API_KEY, OPENAI_API_KEY), else plans by rules.",
    ),
]
PlannerModel = Annotated[
    str | None, typer.Option(help="The planner's model. Default: the vendor's newest.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="Another server for the planner: http://localhost:11434/v1 for Ollama."),
]
PlannerCalls = Annotated[
    int, typer.Option(help="3: a call per stage, two of them at once. 1: all in one call.")
]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="Plan by rules if the planner named cannot be asked.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Ask even if the plan is known.")]
PromptFolder = Annotated[
    Path | None, typer.Option("--prompts", help="A folder with prompts of your own (*.md).")
]
PlannerTimeout = Annotated[
    float, typer.Option(min=1, max=3600, help="Seconds for a whole plan, retries included.")
]


@dataclass(frozen=True)
class PlannerOptions:
    """Who plans and how. `cached` is how the last plan came about: hit, miss or off."""

    name: str = "auto"
    model: str | None = None
    base_url: str | None = None
    calls: int = 3
    fallback: bool = False
    no_cache: bool = False
    prompts: Path | None = None
    seconds: float = 90.0

    def check(self) -> None:
        """Refuses what makes no sense, before anything is loaded.

        Raises:
            UsageError: for an unknown planner, a number of calls, a folder that is not there.
        """
        from sow.planners.providers import PROVIDERS

        if self.name not in ("auto", "offline", *PROVIDERS):
            raise UsageError(
                f"no planner {self.name!r}", f"choose auto, offline, {', '.join(PROVIDERS)}"
            )
        if self.calls not in (1, 3):
            raise UsageError(f"--planner-calls {self.calls}", "give 1 or 3")
        if self.prompts is not None and not self.prompts.is_dir():
            raise UsageError(f"no folder {str(self.prompts)!r}", "check --prompts")

    def provider(self) -> str | None:
        """The name of who is to be asked, or None for the rules."""
        from sow.planners.providers import available

        if self.name == "offline":
            return None
        if self.name != "auto":
            return self.name
        return "openai" if self.base_url else available()

    def planner(self, provider: str, model: Model) -> StagedPlanner:
        """The planner that asks, fitted to the checkpoint that will draw.

        Raises:
            PlannerError: if it cannot be asked: no key, no package.
        """
        from sow.planners.fusion import counter
        from sow.planners.providers import make_asker
        from sow.planners.stages import StagedPlanner
        from sow.prompts import Prompts

        return StagedPlanner(
            asker=make_asker(provider, self.model, self.base_url),
            calls=self.calls,
            prompts=Prompts(self.prompts),
            count=counter(None if model.kind == "file" else model.source),
            limit=model.token_limit,
            words=model.words,
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Planned:
    """A plan and how it came about: cache is hit, miss or off."""

    plan: Plan
    cache: str


def make_plan(request: PlanRequest, options: PlannerOptions, model: Model) -> Planned:
    """Asks for a plan as the options say; one line tells who made it.

    Raises:
        SowError: if there is none; a planner that was named is not replaced without --fallback.
    """
    from sow.cli.common import say
    from sow.planners.cache import CachedPlanner, cache_folder
    from sow.planners.offline import OfflinePlanner
    from sow.planners.providers import why_not

    provider = options.provider()
    if provider is None:
        if options.name == "auto":
            say(f"planner: rules ({why_not()})")
        return Planned(OfflinePlanner().plan(request), "off")
    try:
        planner = options.planner(provider, model)
        if options.no_cache:
            plan, cache = planner.plan(request), "off"
        else:
            cached = CachedPlanner(planner, cache_folder())
            plan = cached.plan(request)
            cache = "hit" if cached.hit else "miss"
    except PlannerError as error:
        if options.name != "auto" and not options.fallback:
            raise
        note = f"planned by rules: {error}"
        plan = OfflinePlanner().plan(request)
        return Planned(plan.changed(notes=(*plan.notes, note[:300])), "off")
    origin = "from the cache" if cache == "hit" else f"asked at {planner.asker.host}"
    say(f"planner: {planner.asker.provider} {planner.asker.model}, {origin}")
    return Planned(plan, cache)


def dry_run(request: PlanRequest, options: PlannerOptions, model: Model) -> dict[str, Any]:
    """Exactly what would be sent, and to whom; nothing is sent.

    Raises:
        UsageError: if nobody would be asked.
    """
    from hashlib import sha256

    provider = options.provider()
    if provider is None:
        raise UsageError("nothing would be sent: plans are made by rules", "name a --planner")
    planner = options.planner(provider, model)
    picture, questions = planner.questions(request)
    return {
        "provider": planner.asker.provider,
        "model": planner.asker.model,
        "host": planner.asker.host,
        "picture": {"format": "PNG", "bytes": len(picture), "sha256": sha256(picture).hexdigest()},
        "questions": [
            {"stage": q.stage, "prompt": q.prompt, "schema": q.schema.model_json_schema()}
            for q in questions
        ],
    }
