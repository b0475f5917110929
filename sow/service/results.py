"""Resolved requests and their results: specs, pictures and their recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from sow.checkpoints.adapters import NO_ADAPTERS, Adapters
from sow.errors import OutputError
from sow.pictures.condition import Condition
from sow.pictures.drawing import side_by_side
from sow.pictures.recipe import Recipe, recipe_png_bytes, save_png
from sow.plan.plan import Plan
from sow.settings.settings import Settings
from sow.utils.files import check_output_path, local_identity, write_png
from sow.utils.representation import represent

if TYPE_CHECKING:
    from sow.service.face_check import FaceFindings
    from sow.service.verification import RelationCheck


@dataclass(frozen=True, repr=False)
class GenerationSpec:
    """Everything that a request's pictures depend on but their seeds.

    Attributes:
        condition: the pixels that are planted.
        plan: on the model's grid.
        settings: of the engine.
        adapters: the LoRAs and embeddings that are added to the model.
        name: the input picture's, for the names of results.
        picture_sha256: the hash of the input picture's pixels.
        batch_size, place: to reproduce a picture: how many pictures its call had, and its index
            among them; a batch_size of 0 leaves it open.
        begun_alone: to reproduce a picture: its first steps were not computed in its batch.
        threads: to reproduce a picture: the number of CPU threads; 0 leaves it as it is.
        user_prompt: the user's prompt, for the names of results.
        notes: messages for the user.
        cache: whether the plan came from the cache: `hit`, `miss` or `off`.
        inputs: the files that it was read from, which no result may replace.
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
    adapters: Adapters = NO_ADAPTERS
    inputs: tuple[Path, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """Return what is made, of what."""
        return represent(
            self, name=self.name, condition=self.condition.picture, plan=self.plan,
            settings=self.settings, notes=self.notes or None,
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Picture:
    """A generated picture.

    Attributes:
        image: the picture.
        recipe: how to make it again.
        condition: what was planted.
        cycles: on request, the picture after each cycle.
        explained: on request, a sheet of what its words and the condition did.
        word_maps: with `explained`, the words of the prompt, each with where the picture attended
            to it: 8-bit grey, of the latents' size, white where it did most.
        flagged: the checkpoint's safety checker blackened it.
        faces: what became of the planted faces in it; None if none is planted.
        checks: on request, which relations of its plan can be seen in it.
        seconds: the time it took, its share of a batch.
        calls: UNet calls, which the pictures of a batch share.
        samples: UNet samples of this picture alone.
        inputs: the files that it was made from, which it may not replace.
    """

    image: Image.Image
    recipe: Recipe
    condition: Condition
    cycles: tuple[Image.Image, ...] = ()
    explained: Image.Image | None = None
    word_maps: tuple[tuple[str, Image.Image], ...] = ()
    flagged: bool = False
    faces: FaceFindings | None = None
    checks: tuple[RelationCheck, ...] = ()
    seconds: float = 0.0
    calls: int = 0
    samples: int = 0
    inputs: tuple[Path, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """Return what it is, and what is wrong with it."""
        return represent(
            self,
            image=self.image,
            seed=self.recipe.seed,
            prompt=self.recipe.plan.prompt,
            cycles=len(self.cycles) or None,
            flagged=self.flagged or None,
            face_lost=self.face_lost or None,
        )

    @property
    def face_lost(self) -> bool:
        """Whether a planted face was not found in it."""
        return self.faces is not None and self.faces.lost > 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the picture or was not checked, and what to try."""
        seed = f"seed {self.recipe.seed}: try another seed="
        if self.flagged:
            return (f"the checkpoint's safety checker blackened the picture of {seed}",)
        found = []
        if self.faces is not None and not self.faces.planted:
            found.append(
                "the planted face was not checked in the picture of seed "
                f"{self.recipe.seed}: no face is recognised in what is planted"
            )
        if self.face_lost:
            guided = self.recipe.settings.condition_guidance_scale > 1
            found.append(
                f"{_lost(self.faces)} not found in the picture of {seed} or a larger box="
                + (", or likeness=1" if guided else "")
            )
        found += [
            f"'{check.said}' cannot be seen{_because(check)} in the picture of {seed}, or retries="
            for check in self.checks
            if check.holds is False
        ]
        return tuple(found)

    @property
    def faults(self) -> int:
        """How many of the checks failed: the safety checker's, the face's and the relations'."""
        failed = sum(check.holds is False for check in self.checks)
        return self.flagged + (self.faces.lost if self.faces else 0) + failed

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the picture as a PNG with its recipe inside.

        A file that has this picture already is left as it is.

        Raises:
            OutputError: if it does not end in .png, is another file and `force` is not set, is a
                file that the picture was made from, or cannot be written.
        """
        path = Path(path)
        self.check_path(path, force)
        if not self._is_at(path):
            save_png(self.image, path, self.recipe, self.condition, force=force)
        return path

    def check_path(self, path: Path, force: bool) -> None:
        """Check that the picture can be saved to a path.

        Raises:
            OutputError: as `save`.
        """
        if path.suffix.lower() != ".png":
            raise OutputError(
                f"{str(path)!r} is not a PNG file",
                "recipes are stored in PNGs: give a name that ends in .png",
            )
        if not self._is_at(path):
            self._check_no_input(path)
            check_output_path(path, force)

    def _check_no_input(self, path: Path) -> None:
        """Compare files, not names: another path or a link may lead to an input."""
        identity = local_identity(path)
        if identity is not None and identity in map(local_identity, self.inputs):
            raise OutputError(
                f"{str(path)!r} would replace a file that the picture was made from",
                "choose another name",
            )

    def _is_at(self, path: Path) -> bool:
        """Return whether a file is this picture, as `save` writes it."""
        try:
            if not path.is_file():
                return False
            written = recipe_png_bytes(self.image, self.recipe, self.condition)
            return path.stat().st_size == len(written) and path.read_bytes() == written
        except (OSError, ValueError):
            return False

    def save_cycles(self, path: str | Path, *, force: bool = False) -> None:
        """Write the pictures after each cycle side by side, if there are any."""
        if self.cycles:
            self._check_no_input(Path(path))
            write_png(side_by_side(self.cycles), Path(path), force=force)


@dataclass(frozen=True, repr=False)
class Result:
    """The pictures of one request.

    Attributes:
        plan: their composition.
        notes: messages for the user.
    """

    pictures: tuple[Picture, ...]
    plan: Plan
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        """Return the pictures, their seeds and the prompt."""
        return represent(
            self, images=self.images, seeds=[picture.recipe.seed for picture in self.pictures],
            prompt=self.plan.prompt, notes=self.notes or None,
        )  # fmt: skip

    @property
    def image(self) -> Image.Image:
        """The first picture."""
        return self.pictures[0].image

    @property
    def images(self) -> list[Image.Image]:
        """All pictures."""
        return [picture.image for picture in self.pictures]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first picture."""
        return self.pictures[0].recipe

    def save(self, path: str | Path, *, force: bool = False) -> list[Path]:
        """Write the pictures with their recipes to `path` or, if several, to numbered files.

        Files that have these pictures already are left as they are. All names are checked before
        anything is written.

        Raises:
            OutputError: if another file exists and `force` is not set, is a file that the pictures
                were made from, or cannot be written.
        """
        paths = numbered_paths(Path(path), len(self.pictures))
        for picture, to in zip(self.pictures, paths, strict=True):
            picture.check_path(to, force)
        return [p.save(to, force=force) for p, to in zip(self.pictures, paths, strict=True)]


def _lost(faces: FaceFindings | None) -> str:
    """Return which of the planted faces are lost, as the beginning of a sentence."""
    if faces is None or faces.planted == 1:
        return "the planted face was"
    if faces.lost == faces.planted:
        return f"the {faces.planted} planted faces were"
    verb = "was" if faces.lost == 1 else "were"
    return f"{faces.lost} of the {faces.planted} planted faces {verb}"


def _because(check: RelationCheck) -> str:
    return f" ({check.reason})" if check.reason else ""


def numbered_paths(path: Path, count: int) -> list[Path]:
    """Return the paths of `count` pictures: `out.png`, or `out-1.png`, `out-2.png` …"""
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(1, count + 1)]
