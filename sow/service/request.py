"""What a user wants.

`Request` is what every front fills: the command line, `sow.generate`, manifests. Its fields are
declared in `sow.planners.request` and here, once each, with their help and range.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import UsageError
from sow.planners.argument_names import with_other_names
from sow.planners.request import MODEL, NUM_ALIASES, PLAN, RESULT, RequestFields, option
from sow.utils.limits import MAX_RETRIES, MAX_SEED, RANDOM_SEED
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.service.budget import Agree
    from sow.service.lazy_model import Report
    from sow.service.planning import PlannerChoice
    from sow.settings.inputs import PlanLike
    from sow.settings.settings import Settings

NO_PICTURE = "give image=picture.png, or something to lay out without one: triples="


@with_other_names
@dataclass(frozen=True, repr=False)
class Request(RequestFields):
    """A picture and a sentence, and what is decided already; None leaves a field open.

    `image` may be a file, a PIL picture or an array, and may be left out if `graph`, `triples` or a
    plan that plants nothing says what to draw. `mask` has the shape of `image`. `prompt` may be
    left out with a plan.
    """

    _: KW_ONLY
    suppress: str | None = option(
        "Noun that must not appear a second time outside the condition. Default: the planner's, "
        "such as human face; an empty one suppresses nothing.",
        PLAN,
    )
    negative: str | None = option(
        "What the picture must not show: glasses, hat. It is added to the preset's own negative "
        "prompt.",
        PLAN,
        aliases=("negative_prompt",),
    )
    plan: PlanLike | None = option(
        "Plan to carry out, made by `sow plan`.", PLAN, json=str | dict[str, Any], argument=Path
    )
    lora: str | Path | Sequence[str | Path] | None = option(
        "A LoRA for the model: a .safetensors file, or file:weight. May be repeated.",
        MODEL,
        json=str | list[str],
        argument=list[str],
    )
    embedding: str | Path | Sequence[str | Path] | None = option(
        "An embedding (textual inversion): a .safetensors file, whose name stands for it in "
        "prompts. May be repeated.",
        MODEL,
        json=str | list[str],
        argument=list[str],
    )
    preset: str | None = option(
        "normal, attribute, style (the model's own), published-normal … (the paper's), "
        "swift-normal … (the fewest samples), cow or text; `sow settings` lists them. Default: "
        "that of the plan's setting.",
        RESULT,
    )
    settings: Mapping[str, Any] | Collection[str] | Settings | None = option(
        "An engine setting: cycles=5. May be repeated; `sow settings` lists them.",
        RESULT,
        json=dict[str, Any],
        argument=list[str],
        flags=("--set",),
    )
    likeness: float | None = option(
        "How much stays: 0 is free to change, 1 as planted. Default: the preset's.",
        RESULT,
        json=float,
        argument=float,
        minimum=0,
        maximum=1,
    )

    @property
    def decided(self) -> list[str]:
        """The names of the fields that are not None."""
        return [f.name for f in fields(Request) if getattr(self, f.name) is not None]

    @property
    def input_paths(self) -> tuple[Path, ...]:
        """The files that it may be read from; a plan or graph given as text leads nowhere."""
        named = (self.image, self.mask, self.plan, self.graph)
        return tuple(Path(one).absolute() for one in named if isinstance(one, (str, Path)))

    def with_preset(self, name: str) -> Request:
        """Return the request with another preset, and nothing that changes it."""
        return replace(self, preset=name, settings=None, likeness=None)

    def check(self) -> None:
        """Check everything that needs no file opened.

        Raises:
            UsageError: for no picture, no prompt, or two fields that exclude each other.
        """
        from sow.planners.base import check_about_picture, check_choices
        from sow.settings.inputs import as_embeddings, as_loras, check_negative, check_prompt

        if self.image is None and self.plan is None and not self.has_graph:
            raise UsageError("no picture", NO_PICTURE)
        check_about_picture(self)
        check_choices(self.subject, self.face_index, self.setting, self.matte)
        self._check_suppress()
        check_negative(self.negative)
        as_loras(self.lora)
        as_embeddings(self.embedding)
        if self.prompt or self.plan is None:
            check_prompt(self.prompt or "")
        if self.plan is not None and (self.subject or self.face_index is not None):
            raise UsageError(
                "subject= and face_index= are for making a plan", "leave them out with plan="
            )
        if self.plan is not None and self.has_graph:
            raise UsageError(
                "graph= and triples= are for making a plan", "leave them out with plan="
            )
        if self.matte and self.mask is not None:
            raise UsageError("the mask already cuts it out", "leave out matte= or mask=")
        if self.plan is not None and self.matte not in (None, "ellipse", "box"):
            raise UsageError(
                f"matte={self.matte} is for making a plan", "with plan=, it is ellipse or box"
            )

    def _check_suppress(self) -> None:
        check_type("suppress", self.suppress, (str, type(None)), "text")
        if not self.suppress:
            return
        if self.image is None:
            raise UsageError("suppress= needs a picture", "give image=")
        if len(self.suppress) > 200 or not self.suppress.isprintable():
            raise UsageError(
                "the noun of suppress= is too long or not valid text", "use at most 200 characters"
            )


@with_other_names
@dataclass(frozen=True, repr=False)
class Generation(Request):
    """A request, and how to carry it out: the arguments of `sow.generate`.

    Attributes:
        planner: `auto`, `offline`, a vendor, or a `sow.PlannerChoice`. A vendor is sent the planted
            part of the image; `auto` only asks one that a `consent` of the choice agrees to.
        model: `auto`, `sd2.1`, `sdxl`, `figures`, a folder, a `.safetensors` file or a hub id.
        revision: a branch, tag or commit on the hub.
        config: for a single file: `sd1`, `sd1-v`, `sd2-base`, `sd2-v`, a folder or a hub id.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        cycles: also return what the pictures looked like after each cycle.
        report: called with a kind and a line for each note; nothing is printed.
        agree: asked before anything that costs far more than usual; by default it is refused.
    """

    _: KW_ONLY
    seed: int | None = option(
        "Seed of the first picture; the next ones count up. Default: random, as is -1.",
        RESULT,
        argument=int,
        minimum=RANDOM_SEED,
        maximum=MAX_SEED,
    )
    num: int = option(
        "How many pictures.",
        RESULT,
        default=1,
        argument=int,
        flags=("--num", "-n"),
        aliases=NUM_ALIASES,
        minimum=1,
        maximum=1000,
    )
    explain: bool = option(
        "Also make a sheet for each picture of what its words and the condition did: "
        "NAME.explain.png.",
        RESULT,
        default=False,
        argument=bool,
        flags=("--explain",),
    )
    verify: bool = option(
        "Look in each picture whether the plan's relations hold.",
        RESULT,
        default=False,
        argument=bool,
        flags=("--verify",),
    )
    retries: int = option(
        "How many other seeds to try for a picture in which a relation does not hold or the face "
        "is lost; implies --verify.",
        RESULT,
        default=0,
        argument=int,
        minimum=0,
        maximum=MAX_RETRIES,
    )
    cycles: bool = False
    planner: str | PlannerChoice = "auto"
    model: str = "auto"
    revision: str | None = None
    config: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    report: Report = lambda kind, line: None
    agree: Agree = lambda line: False
