"""A job of a batch: a request, its seeds and an id, as in one line of a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, create_model

from sow.errors import UsageError
from sow.planners.argument_names import names_of, with_other_names
from sow.planners.graph_spec import GRAPH_SOURCES, as_graph, as_triples
from sow.planners.request import NUM_ALIASES, RESULT, option, options_of, values_for
from sow.service.fitting import resolve_settings
from sow.service.request import Request
from sow.settings.inputs import as_box, as_canvas, as_plan, as_regions, split_weight
from sow.settings.settings import Settings
from sow.utils.files import is_device_name
from sow.utils.limits import MAX_SEED
from sow.utils.validation import first_problem

MAX_ID_LENGTH = 100
ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +-]*", re.ASCII)
SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval",
          "evaluation"}  # fmt: skip
"""Words in the name of a file that ImageFolder takes for a split, and then leaves out other files;
generated ids contain none of them."""
MAX_NUM = 10_000
"""Pictures of one job."""


@with_other_names
@dataclass(frozen=True, repr=False)
class TV2IJob(Request):
    """One job: a text and a visual condition to an image, or several of them.

    The fields are those of `sow.Request`; fields that are None are decided as `sow generate`
    decides them. Files are given by name, other values as JSON has them. In a manifest, `image` is
    also called `picture` or `face`.

    Attributes:
        id: names its pictures, `ID.png`, or `ID@SEED.png` if there are several: letters, digits,
            `_.+-` and blanks, at most 100; no two ids may differ in case only. By default it is
            made of the picture's name, the prompt and a hash of the job.
        seed: of the first picture; the next count up. By default it follows from the id.
        num: how many pictures, 1 if left out; also called `count`.

    Raises:
        UsageError: for a value of a wrong type or out of range.
        ValueError: for an id that cannot name files.
    """

    _: KW_ONLY
    id: str = ""
    seed: int | None = None
    num: int | None = option(
        "How many pictures.", RESULT, json=int, aliases=NUM_ALIASES, minimum=1, maximum=MAX_NUM
    )

    def __post_init__(self) -> None:
        """Check the values, convert paths and tuples to JSON, and make an id if there is none."""
        try:
            self._fill(_Line.model_validate({n: _to_json(v) for n, v in self.to_dict().items()}))
        except ValidationError as error:
            raise UsageError(first_problem(error)) from None

    def _fill(self, line: BaseModel) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, getattr(line, field.name))
        if self.id:
            check_id(self.id)
        else:
            object.__setattr__(self, "id", self._generated_id())

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> TV2IJob:
        """Return the job of the fields of a line, checked as far as possible without its files.

        Raises:
            SowError: if it is not a job, in one line.
        """
        try:
            job = cls._of(_Line.model_validate(data))
            job.as_json()
        except ValidationError as error:
            raise UsageError(first_problem(error)) from None
        except TypeError as error:
            raise UsageError(f"a setting cannot be used: {error}") from None
        except ValueError as error:
            raise UsageError(str(error)) from None
        job.check()
        return job

    @classmethod
    def from_json(cls, text: str) -> TV2IJob:
        """Return the job that `as_json` wrote.

        Raises:
            ValueError: if it is not one.
        """
        return cls._of(_Line.model_validate_json(text))

    @classmethod
    def _of(cls, line: BaseModel) -> TV2IJob:
        job = object.__new__(cls)  # `__post_init__` would check the line again
        job._fill(line)
        return job

    def check(self) -> None:
        """Check everything that needs no file opened.

        Raises:
            SowError: as `Request.check`, and for values that cannot be read or set.
        """
        super().check()
        for value, read in ((self.box, as_box), (self.related, as_regions),
                            (self.canvas, as_canvas), (self.triples, as_triples)):  # fmt: skip
            if value is not None:
                read(value)
        for mapping, made in ((self.plan, as_plan), (self.graph, as_graph)):
            if isinstance(mapping, dict):
                made(mapping)
        if (self.preset, self.settings, self.likeness) != (None, None, None):
            preset = Settings.preset(self.preset or "normal")
            resolve_settings(preset, self.settings, self.likeness)

    def request(self, files: Mapping[str, Path] | None = None) -> Request:
        """Return the request of the job; `files` replace the names of files in these fields."""
        values = values_for(Request, self)
        for key, file in (files or {}).items():
            name, _, number = key.partition("-")
            if number:
                listed = values[name] = _listed(values[name])
                _, weight = split_weight(listed[int(number)]) if name == "lora" else ("", None)
                listed[int(number)] = str(file) if weight is None else f"{file}:{weight:g}"
            else:
                values[name] = str(file)
        return Request(**values)

    @property
    def paths(self) -> dict[str, str]:
        """The names of its files by field; by `lora-0`, `lora-1` … where a field names several."""
        words = {"graph": GRAPH_SOURCES}
        values = ((name, getattr(self, name)) for name in ("image", "mask", "plan", "graph"))
        single = {
            n: value
            for n, value in values
            if isinstance(value, str) and value not in words.get(n, ())
        }
        loras = (split_weight(text)[0] for text in _listed(self.lora))
        return (
            single
            | {f"lora-{number}": file for number, file in enumerate(loras)}
            | {f"embedding-{n}": file for n, file in enumerate(_listed(self.embedding))}
        )

    @property
    def seeds(self) -> range:
        """The seeds of the pictures; without `seed` they follow from the id."""
        first = self.seed
        if first is None:
            first = int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:4]) >> 1
        return range(first, first + (self.num or 1))

    @property
    def files(self) -> list[str]:
        """The names of the pictures, in the order of the seeds; no two jobs share one."""
        if len(self.seeds) == 1:
            return [f"{self.id}.png"]
        return [f"{self.id}@{seed}.png" for seed in self.seeds]

    def as_json(self) -> str:
        """Return the fields that have been set, in a fixed order: equal jobs give equal text.

        The text is that of earlier versions, so that the job in a ledger is still the same: there
        `num` is `count`, and one picture is not mentioned.
        """
        values = self.to_dict()
        if (num := values.pop("num", 1)) != 1:
            values["count"] = num
        return json.dumps(values, sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of `as_json`."""
        return hashlib.sha256(self.as_json().encode(errors="surrogatepass")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that differ from their default."""
        values = ((f.name, getattr(self, f.name), f.default) for f in fields(self))
        return {name: value for name, value, default in values if value != default}

    @property
    def explicit(self) -> dict[str, Any]:
        """The fields that differ from their default, without a generated id."""
        generated = self.id == replace(self, id="").id
        return {n: v for n, v in self.to_dict().items() if n != "id" or not generated}

    def _generated_id(self) -> str:
        picture = str(self.image or self.mask or "sow")
        stem = re.split(r"[\\/]", picture)[-1].rsplit(".", 1)[0]
        words = re.findall(r"[A-Za-z0-9]+", f"{stem[:40]} {(self.prompt or '')[:40]}")
        kept = [word for word in words if word.lower() not in SPLITS] or ["sow"]
        return "-".join([*kept, self.digest[:10]])


def _to_json(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_to_json(one) for one in value] if isinstance(value, (tuple, list)) else value


def _listed(value: Any) -> list[str]:
    """Return the files of a field that names one or several."""
    return [value] if isinstance(value, str) else list(value or ())


def _line_fields() -> dict[str, Any]:
    """Return the fields of a line of a manifest, as pydantic's `create_model` takes them."""
    made: dict[str, Any] = {
        "id": (str, ""),
        "seed": (int | None, Field(None, ge=0, le=MAX_SEED)),
    }
    for name, (_, declared) in options_of(TV2IJob).items():
        range_: dict[str, Any] = {"ge": declared.minimum, "le": declared.maximum}
        limits = {limit: value for limit, value in range_.items() if value is not None}
        names = AliasChoices(name, *declared.aliases)
        made[name] = (declared.json | None, Field(None, validation_alias=names, **limits))
    return made


_Line = create_model(
    "TV2IJob",
    __config__=ConfigDict(frozen=True, extra="forbid", strict=True),
    **_line_fields(),
)
"""The fields of a line of a manifest."""
FIELDS_BY_NAME = names_of(TV2IJob)
"""Every name that a line may use, and the field it stands for."""


def check_id(name: str) -> None:
    """Check that an id can name files, on this and other systems.

    Raises:
        ValueError: if it cannot.
    """
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    if len(name) > MAX_ID_LENGTH:
        raise ValueError(f"{shown!r} is longer than {MAX_ID_LENGTH} characters")
    if not ALLOWED.fullmatch(name):
        raise ValueError(
            f"{shown!r} cannot name files: letters, digits, blanks and _.+- only, a letter first"
        )
    if is_device_name(name) or name.endswith((".", " ")):
        raise ValueError(f"{shown!r} cannot name files on Windows")
