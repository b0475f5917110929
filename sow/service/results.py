"""What comes out: pictures, each with everything that decides it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from sow.errors import OutputError
from sow.pictures.condition import Condition
from sow.pictures.drawing import side_by_side
from sow.pictures.recipe import Recipe, save_png
from sow.plan.plan import Plan
from sow.settings.settings import Settings
from sow.utils.files import write_png

if TYPE_CHECKING:
    from sow.service.verification import RelationCheck


@dataclass(frozen=True)
class GenerationSpec:
    """What is to be made, decided to the last, before anything heavy is loaded.

    Attributes:
        condition: the pixels that are planted.
        plan: on the grid of the model.
        settings: of the engine.
        name, user_prompt: of the user's picture, and the user's own words, for the names of results.
        picture_sha256: of its pixels.
        batch_size, place: how many pictures go into one call and which of them it is, where a
            picture is repeated; 0 leaves it open.
        begun_alone: whether it began by itself then, and not with its batch.
        threads: of the processor, where a picture is repeated; 0 leaves them as they are.
        notes: what the user should know.
        cache: whether the plan was there already: `hit`, `miss` or `off`.
    """

    condition: Condition
    plan: Plan
    settings: Settings
    name: str
    picture_sha256: str
    batch_size: int = 0
    place: int = 0
    begun_alone: bool = False
    threads: int = 0
    user_prompt: str = ""
    notes: tuple[str, ...] = ()
    cache: str = "off"


@dataclass(frozen=True)
class Picture:
    """One picture that was made.

    Attributes:
        image: the picture.
        recipe: how to make it again.
        condition: what was planted.
        cycles: on request, what it looked like after each cycle.
        explained: on request, the sheet of what its words and the condition did.
        flagged: the checkpoint's safety checker blackened it.
        gone: the planted face cannot be seen in it any more.
        checks: on request, which relations of its plan can be seen in it.
        seconds: what it took, its share of a batch.
        calls, samples: of the UNet: calls that were made, which a batch shares, and samples that
            went through it for this picture.
    """

    image: Image.Image
    recipe: Recipe
    condition: Condition
    cycles: tuple[Image.Image, ...] = ()
    explained: Image.Image | None = None
    flagged: bool = False
    gone: bool = False
    checks: tuple[RelationCheck, ...] = ()
    seconds: float = 0.0
    calls: int = 0
    samples: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not as it should be with this picture, and what to try."""
        seed = f"seed {self.recipe.seed}: try another seed="
        loose = self.recipe.settings.condition_guidance_scale > 1
        if self.flagged:
            return (f"the checkpoint's safety checker blackened the picture of {seed}",)
        told = [f"'{check.said}' cannot be seen in the picture of {seed}, or retries="
                for check in self.checks if check.holds is False]  # fmt: skip
        if self.gone:
            told.insert(
                0,
                f"the planted face cannot be made out in the picture of {seed} or a larger box="
                + (", or likeness=1" if loose else ""),
            )
        return tuple(told)

    @property
    def faults(self) -> int:
        """How much of what was looked for in it is not there."""
        return self.flagged + self.gone + sum(check.holds is False for check in self.checks)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Writes the picture with its recipe inside, as a PNG.

        Raises:
            OutputError: if it is no PNG, or exists and `force` is not set, or cannot be written.
        """
        if Path(path).suffix.lower() != ".png":
            raise OutputError(
                f"{str(path)!r} is no PNG", "recipes are kept in those: end it in .png"
            )
        save_png(self.image, Path(path), self.recipe, self.condition, force=force)
        return Path(path)

    def save_cycles(self, path: str | Path, *, force: bool = False) -> None:
        """Writes the pictures of its cycles side by side, if there are any."""
        if self.cycles:
            write_png(side_by_side(self.cycles), Path(path), force=force)


@dataclass(frozen=True)
class Result:
    """The pictures of one request.

    Attributes:
        plan: how they were composed.
        notes: what there is to know about them.
    """

    pictures: tuple[Picture, ...]
    plan: Plan
    notes: tuple[str, ...] = field(default=())

    @property
    def image(self) -> Image.Image:
        """The first of them."""
        return self.pictures[0].image

    @property
    def images(self) -> list[Image.Image]:
        """All of them."""
        return [picture.image for picture in self.pictures]

    @property
    def recipe(self) -> Recipe:
        """The first one's."""
        return self.pictures[0].recipe

    def save(self, path: str | Path, *, force: bool = False) -> list[Path]:
        """Writes them with their recipes: to `path`, or numbered beside it if there are several.

        Raises:
            OutputError: if a file exists and `force` is not set, or cannot be written.
        """
        paths = numbered_paths(Path(path), len(self.pictures))
        return [p.save(to, force=force) for p, to in zip(self.pictures, paths, strict=True)]


def numbered_paths(path: Path, count: int) -> list[Path]:
    """`out.png` for one picture; `out-1.png`, `out-2.png` … for several."""
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(1, count + 1)]
