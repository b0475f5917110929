"""A job of a batch: a request, its seeds and its settings, as one line of a manifest says it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.errors import UsageError
from sow.planners.graph_spec import GRAPH_SOURCES, as_graph, as_triples
from sow.service.fitting import chosen
from sow.service.request import Request
from sow.settings.inputs import as_box, as_canvas, as_plan, as_regions
from sow.settings.settings import Settings
from sow.utils.limits import MAX_SEED
from sow.utils.validation import first_problem

MAX_ID_LENGTH = 100
ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +-]*", re.ASCII)
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever its ending."""
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval",
          "evaluation"}  # fmt: skip
"""What ImageFolder takes for the name of a split in the name of a file, and then leaves out others;
ids that nobody chose have none of these words."""
MOST_PICTURES = 10_000
"""Of one job."""


class TV2IJob(BaseModel):
    """One job: a text and a visual condition to an image, or several of them.

    Fields that are left out are decided as `sow generate` decides them; those not named here are
    those of `sow.Request`.

    Attributes:
        id: names its pictures, `ID.png`, or `ID@SEED.png` if there are several: letters, digits
            and `_.+-` or blanks, at most 100; no two ids may differ in capitals only. Left out,
            it is made of the picture's name, the prompt and a hash of the job.
        image: the file of the picture; also called `picture` or `face`.
        preset, settings, likeness: of the engine, as for `Service.resolve`.
        seed: of the first picture, the next count up; left out, it follows from the id.
        count: how many pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = ""
    image: str | None = Field(None, validation_alias=AliasChoices("image", "picture", "face"))
    prompt: str | None = None
    mask: str | None = None
    subject: str | None = None
    face_index: int | None = None
    setting: Literal["normal", "attribute", "style"] | None = None
    box: str | list[int] | None = None
    related: dict[str, str | list[int]] | None = None
    canvas: int | list[int] | None = None
    matte: Literal["auto", "rembg", "ellipse", "box", "none"] | None = None
    plan: str | dict[str, Any] | None = None
    graph: str | dict[str, Any] | None = None
    triples: str | list[str | list[str]] | None = None
    preset: str | None = None
    settings: dict[str, Any] | None = None
    likeness: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    count: int = Field(1, ge=1, le=MOST_PICTURES)

    @model_validator(mode="after")
    def _named(self) -> TV2IJob:
        if self.id:
            check_id(self.id)
        else:
            object.__setattr__(self, "id", self._made_id())
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> TV2IJob:
        """A job from the fields of a line, with whatever can be said before files are opened.

        Raises:
            SowError: if it is none, in one line.
        """
        try:
            job = cls.model_validate(data)
            job.as_json()
        except ValidationError as error:
            raise UsageError(first_problem(error)) from None
        except TypeError as error:
            raise UsageError(f"a setting is of no use: {error}") from None
        job.check()
        return job

    def check(self) -> None:
        """Refuses what makes no sense, before any file is opened.

        Raises:
            SowError: as `Request.check`, and for what cannot be read or set.
        """
        request = self.request()
        request.check()
        for given, read in ((self.box, as_box), (self.related, as_regions),
                            (request.canvas, as_canvas), (self.triples, as_triples)):  # fmt: skip
            if given is not None:
                read(given)
        for mapping, made in ((self.plan, as_plan), (self.graph, as_graph)):
            if isinstance(mapping, dict):
                made(mapping)
        if (self.preset, self.settings, self.likeness) != (None, None, None):
            chosen(Settings.preset(self.preset or "normal"), self.settings, self.likeness)

    def request(self, files: Mapping[str, Path] | None = None) -> Request:
        """What the service is asked; with these files for the fields that name some."""
        names = Request.__dataclass_fields__
        given = {name: value for name, value in self._said().items() if name in names}
        if isinstance(self.canvas, list):
            given["canvas"] = tuple(self.canvas)
        given |= {name: str(file) for name, file in (files or {}).items()}
        return Request(**given)

    @property
    def paths(self) -> list[str]:
        """The fields that name files."""
        words = {"graph": GRAPH_SOURCES}
        given = ((name, getattr(self, name)) for name in ("image", "mask", "plan", "graph"))
        return [n for n, value in given if isinstance(value, str) and value not in words.get(n, ())]

    @property
    def seeds(self) -> range:
        """Of its pictures: a job that names none has the same whenever it is run."""
        first = self.seed
        if first is None:
            first = int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:4]) >> 1
        return range(first, first + self.count)

    @property
    def files(self) -> list[str]:
        """The names of its pictures, in the order of its seeds; no two jobs share one."""
        if self.count == 1:
            return [f"{self.id}.png"]
        return [f"{self.id}@{seed}.png" for seed in self.seeds]

    def as_json(self) -> str:
        """What it says, in an order of its own: the same job, the same text."""
        return json.dumps(self._said(), sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """What changes whenever anything about it does."""
        return hashlib.sha256(self.as_json().encode(errors="surrogatepass")).hexdigest()

    def _said(self) -> dict[str, Any]:
        return self.model_dump(exclude_defaults=True)

    def _made_id(self) -> str:
        stem = re.split(r"[\\/]", self.image or self.mask or "sow")[-1].rsplit(".", 1)[0]
        words = re.findall(r"[A-Za-z0-9]+", f"{stem[:40]} {(self.prompt or '')[:40]}")
        said = [word for word in words if word.lower() not in SPLITS] or ["sow"]
        return "-".join([*said, self.digest[:10]])


def check_id(name: str) -> None:
    """Whether an id can name files, here and on other systems.

    Raises:
        ValueError: if it cannot.
    """
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    if len(name) > MAX_ID_LENGTH:
        raise ValueError(f"{shown!r} is longer than {MAX_ID_LENGTH} letters")
    if not ALLOWED.fullmatch(name):
        raise ValueError(
            f"{shown!r} cannot name files: letters, digits, blanks and _.+- only, a letter first"
        )
    if RESERVED.fullmatch(name) or name.endswith((".", " ")):
        raise ValueError(f"{shown!r} cannot name files on Windows")
