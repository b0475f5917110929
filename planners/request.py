"""What a request can say: each field once, with its type, help, range and panel.

The command line, `sow.Request`, `sow.generate`, manifests and planners take these fields from here.
This module imports nothing heavy, because the command line reads it for every `--help`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sow.utils.representation import represent_changed

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike
    from sow.plan.box import Box
    from sow.plan.canvas import CanvasShape
    from sow.plan.plan import Region
    from sow.planners.graph_spec import GraphLike

PICTURE, PLAN, MODEL, RESULT = "The picture", "The plan", "The model", "The result"
"""The panels of a command's help."""
OPTION = "option"
NUM_ALIASES = ("count", "num_images_per_prompt")
"""Other names of a number of pictures."""


@dataclass(frozen=True)
class Option:
    """What the fronts need to know of a field.

    Attributes:
        help: one sentence, for the command line and the documentation.
        panel: the heading it stands under.
        json: its type in a manifest, without None.
        argument: its type on the command line.
        flags: its names on the command line; without any, the field's name.
        aliases: its other names, which are read too: `sow.planners.argument_names`.
        minimum, maximum: its range, both included.
    """

    help: str
    panel: str
    json: Any = str
    argument: Any = str
    flags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def flag(self, name: str) -> str:
        """Return the first flag, without dashes: `face-index` for `face_index`."""
        return (self.flags or (f"--{name}",))[0].removeprefix("--").replace("_", "-")


def option(help: str, panel: str, default: Any = None, **more: Any) -> Any:
    """Declare a field of a request; see `Option`."""
    return field(default=default, metadata={OPTION: Option(help, panel, **more)})


def options_of(record: type) -> dict[str, tuple[Field[Any], Option]]:
    """Return the fields of a record that are declared with `option`, by name."""
    return {f.name: (f, f.metadata[OPTION]) for f in fields(record) if OPTION in f.metadata}


def values_for(record: type, source: object) -> dict[str, Any]:
    """Return the values of `source` for the fields that a record shares with it."""
    return {f.name: getattr(source, f.name) for f in fields(record) if hasattr(source, f.name)}


@dataclass(frozen=True, repr=False)
class RequestFields:
    """A picture, a prompt, and what the user has decided already; None leaves it open."""

    image: PictureLike | None = option(
        "Picture of what must stay recognisable.",
        PICTURE,
        argument=Path,
        flags=("--face", "--image"),
        aliases=("picture", "face", "init_image"),
    )
    prompt: str | None = option("What to grow around it.", PICTURE, flags=("--prompt", "-p"))
    canvas: int | str | Sequence[int] | CanvasShape | None = option(
        "Size of the result: 512 or 640x448, or its shape: 9:16. Default: the model's own.",
        PLAN,
        json=int | str | list[int],
    )
    _: KW_ONLY
    mask: PictureLike | None = option(
        "Mask for the picture: white is kept. Default: its outline, see --matte.",
        PICTURE,
        argument=Path,
    )
    subject: str | None = option("Subject, if not a face: cat.", PICTURE)
    face_index: int | None = option(
        "Which face, if there are several; 0 is the largest.",
        PICTURE,
        json=int,
        argument=int,
        minimum=0,
    )
    matte: str | None = option(
        "How to cut it out: auto (segment; else an ellipse around a face, or the whole picture), "
        "rembg (needs the extra), ellipse, box (a square around a face), none (the whole picture).",
        PICTURE,
        json=Literal["auto", "rembg", "ellipse", "box", "none"],
    )
    setting: str | None = option(
        "normal, attribute or style. Default: read from the prompt.",
        PLAN,
        json=Literal["normal", "attribute", "style"],
    )
    box: Box | str | Sequence[int] | None = option(
        "Where it goes: x,y,width,height in canvas pixels.", PLAN, json=str | list[int]
    )
    related: Mapping[str, Box | str | Sequence[int]] | Sequence[Region | str] | None = option(
        "A region that belongs to it: label=x,y,width,height. May be repeated.",
        PLAN,
        json=dict[str, str | list[int]],
        argument=list[str],
    )
    graph: GraphLike | None = option(
        "A scene graph to lay out: a .json file; prompt to read it from the prompt; planner to "
        "use the planner's answer.",
        PLAN,
        json=str | dict[str, Any],
    )
    triples: str | Sequence[str | Sequence[str]] | None = option(
        "A relation: person,holding,red balloon. May be repeated; the picture is then optional.",
        PLAN,
        json=str | list[str | list[str]],
        argument=list[str],
        flags=("--triple",),
    )

    def __repr__(self) -> str:
        """Return what was decided."""
        return represent_changed(self)

    @property
    def has_graph(self) -> bool:
        """Whether there is a scene graph to lay out."""
        return self.graph is not None or self.triples is not None
