"""What several commands share: options, the picture and the plan they lead to, what is said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.planning import Planned, PlannerOptions, make_plan
from sow.errors import PlanError, UsageError

if TYPE_CHECKING:
    from PIL import Image

    from sow.models import Model
    from sow.plan import Plan
    from sow.planners.base import PlanRequest

Face = Annotated[
    Path | None,
    typer.Option("--face", "--image", help="The picture of what must stay recognisable."),
]
Prompt = Annotated[str | None, typer.Option("--prompt", "-p", help="What to grow around it.")]
Mask = Annotated[
    Path | None, typer.Option(help="A mask for the picture: white is kept. Default: the outline.")
]
Subject = Annotated[str | None, typer.Option(help="What it is, if it is no face: --subject cat.")]
FaceIndex = Annotated[
    int | None, typer.Option(min=0, help="Which face, if there are several; 0 is the largest.")
]
Setting = Annotated[
    str | None, typer.Option(help="normal, attribute or style. Default: read from the prompt.")
]
BoxText = Annotated[
    str | None, typer.Option("--box", help="Where it goes: x,y,width,height in canvas pixels.")
]
Related = Annotated[
    list[str] | None,
    typer.Option(help="A region that belongs to it: label=x,y,width,height. May be repeated."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="A plan made by `sow plan`.")]
Canvas = Annotated[
    str | None, typer.Option(help="Size of the picture: 512 or 640x448. Default: the model's own.")
]
ModelName = Annotated[
    str,
    typer.Option(
        help="auto, sd2.1, figures, a folder, a .safetensors file or a hub id. auto is Stable "
        "Diffusion 2.1, or the small bundled world `figures` where that cannot be had.",
    ),
]
Revision = Annotated[str | None, typer.Option(help="A branch, tag or commit on the hub.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def printable(text: object) -> str:
    """Without control characters: what a file says must not reach the terminal as commands."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def say(text: str) -> None:
    """One line for the person at the terminal; programs read standard output."""
    typer.echo(printable(text), err=True)


def print_json(data: Any) -> None:
    """The result of a command, for programs."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def parse_canvas(text: str) -> tuple[int, int]:
    """`512` or `640x448` as `(width, height)`."""
    width, by, height = text.lower().partition("x")
    try:
        canvas = (int(width), int(height if by else width))
    except ValueError:
        canvas = (0, 0)
    if not (8 <= canvas[0] <= 8192 and 8 <= canvas[1] <= 8192):
        raise UsageError(f"{text!r} is no canvas", "write 512 or 640x448, in pixels")
    return canvas


@dataclass(frozen=True)
class PlanOptions:
    """What the user said about the plan."""

    face: Path | None
    prompt: str | None
    mask: Path | None
    subject: str | None
    face_index: int | None
    setting: str | None
    box: str | None
    related: list[str] | None
    plan: Path | None
    canvas: str | None
    planner: PlannerOptions = field(default_factory=PlannerOptions)

    @property
    def given(self) -> list[str]:
        """The names of the options that were given."""
        names = [name for name, value in vars(self).items() if value is not None]
        return [n for n in names if n != "planner" or self.planner != PlannerOptions()]

    def read(self) -> tuple[Image.Image, Image.Image | None]:
        """The picture and its mask."""
        from sow.images import load_image, load_mask

        if self.face is None:
            raise UsageError("no picture", "give --face picture.png")
        if self.plan is None and not (self.prompt or "").strip():
            raise UsageError("no prompt", 'give --prompt "an old person"')
        prompt = self.prompt or ""
        if len(prompt) > 4000 or any("\ud800" <= letter <= "\udfff" for letter in prompt):
            raise UsageError("the prompt is too long or not valid text", "4000 letters at most")
        if self.plan is not None and (self.subject or self.face_index is not None):
            raise UsageError(
                "--subject and --face-index are for making a plan", "leave them out with --plan"
            )
        if self.setting not in (None, "normal", "attribute", "style"):
            raise UsageError(
                f"no setting {self.setting!r}", "choose one of normal, attribute, style"
            )
        self.planner.check()
        return load_image(self.face), load_mask(self.mask) if self.mask else None

    def make(self, image: Image.Image, mask: Image.Image | None, model: Model) -> Planned:
        """The plan: read from a file, or made by the planner that the options name."""
        from sow.plan import check_canvas

        stride = model.canvas_stride or 64
        if self.plan:
            made = Planned(self._from_file(model.native_canvas, stride), "off")
        else:
            request = self.request(image, mask, model.native_canvas or (512, 512))
            check_canvas(request.canvas, stride)
            made = make_plan(request, self.planner, model)
        check_canvas(made.plan.canvas, stride)
        return Planned(made.plan.aligned(8), made.cache)

    def _from_file(self, native: tuple[int, int] | None, stride: int) -> Plan:
        from sow.plan import Plan, check_inside
        from sow.planners.offline import parse_box, related_regions

        plan = Plan.read(self.plan or "")
        if self.canvas:
            plan = plan.scaled(parse_canvas(self.canvas))
        elif native and min(plan.canvas) != min(native):
            # A plan made for a model of another size keeps its composition.
            scale = min(native) / min(plan.canvas)
            width, height = (max(1, round(v * scale / stride)) * stride for v in plan.canvas)
            say(
                f"note: the plan is scaled from {plan.canvas[0]}x{plan.canvas[1]} to "
                f"{width}x{height}, the model's own size (--canvas keeps another)"
            )
            plan = plan.scaled((width, height))
        if self.box:
            box = parse_box(self.box)
            check_inside("box", box, plan.canvas)
            related = related_regions(box, plan.canvas, plan.subject)
            plan = plan.with_box(box).changed(related=related)
        changes: dict[str, Any] = {}
        if self.prompt:
            changes["prompt"] = self.prompt
        if self.setting:
            changes["setting"] = self.setting
        if self.related:
            changes["related"] = self._regions()
        return plan.changed(**changes)

    def request(
        self, image: Image.Image, mask: Image.Image | None, native: tuple[int, int]
    ) -> PlanRequest:
        """What a planner is asked."""
        from sow.planners.base import PlanRequest
        from sow.planners.offline import parse_box

        return PlanRequest(
            image=image,
            prompt=self.prompt or "",
            canvas=parse_canvas(self.canvas) if self.canvas else native,
            subject=self.subject,
            setting=self.setting,  # type: ignore[arg-type]
            box=parse_box(self.box) if self.box else None,
            related=self._regions() if self.related else None,
            face_index=self.face_index,
            mask=mask,
        )

    def _regions(self) -> tuple[Any, ...]:
        from sow.plan import Region
        from sow.planners.offline import parse_box

        regions = []
        for text in self.related or []:
            label, equals, numbers = text.rpartition("=")
            if equals and not label.strip():
                raise PlanError(f"the region {text!r} has no name", "write label=x,y,width,height")
            if len(label) > 200:
                raise PlanError("the name of a region is too long", "200 letters at most")
            regions.append(
                Region(label=label.strip() or "related", box=parse_box(numbers, "related region"))
            )
        return tuple(regions)
