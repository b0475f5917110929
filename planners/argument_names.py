"""Read the arguments of a request under the names that other programs give them.

`picture=` is `image=`, `width=` and `height=` are a canvas, and a setting's own name is a setting:
`guidance_scale=5`. Python, manifests and the command line read them here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sow.errors import UsageError
from sow.planners.request import options_of
from sow.utils.suggestions import did_you_mean

T = TypeVar("T")
SIZES = ("width", "height")
"""Together, a canvas."""
SETTINGS_BY_OTHER_NAMES = {
    "steps": "num_inference_steps",
    "cfg": "guidance_scale",
    "cfg_scale": "guidance_scale",
}
"""Names of settings in other programs. A number of steps is diffusers': the states that settings
count from 0 to `steps` move with it."""
NOT_HERE = {
    "strength": "give likeness=, from 0 (free to change) to 1 (as planted)",
    "denoising_strength": "give likeness=, from 0 (free to change) to 1 (as planted)",
    "generator": "give seed=7",
    "output_type": "a result has .image, .images and .save",
    "sampler": "pictures are sampled with DDIM; settings eta and cycle_eta change its noise",
    "sampler_name": "pictures are sampled with DDIM; settings eta and cycle_eta change its noise",
    "scheduler": "pictures are sampled with DDIM; settings eta and cycle_eta change its noise",
    "ip_adapter_image": "give image=: what it shows is planted",
    "control_image": "give image=: what it shows is planted",
    "batch_size": "give num=; SOW makes as many at a time as fit into memory",
}  # fmt: skip
"""Arguments of other programs that nothing here corresponds to, and what to do instead."""


@functools.cache
def names_of(record: type) -> dict[str, str]:
    """Return every name of the fields of a record, and the field it stands for."""
    names = {f.name: f.name for f in fields(record)}
    for name, (_, option) in options_of(record).items():
        names |= dict.fromkeys(option.aliases, name)
    return names


def setting_names() -> tuple[str, ...]:
    """Return every name of a setting, its own and other programs'."""
    from sow.settings.settings import PSEUDO_SETTINGS, Settings

    return (*PSEUDO_SETTINGS, *Settings.model_fields, *SETTINGS_BY_OTHER_NAMES)


def setting_of(name: str) -> str | None:
    """Return the setting that an argument names, under its own name or another program's."""
    return SETTINGS_BY_OTHER_NAMES.get(name, name) if name in setting_names() else None


def read_arguments(
    record: type, values: Mapping[str, Any], kind: str = "argument"
) -> dict[str, Any]:
    """Return arguments by the names of the fields of a record.

    kind: what an argument is called in messages.

    Raises:
        UsageError: for an unknown name, one value under two names, or half a size.
    """
    names = names_of(record)
    read: dict[str, Any] = {}
    size: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for name, value in values.items():
        if (field := names.get(name)) is not None:
            if field in read:
                raise UsageError(f"{field} is given under two names", "leave one out")
            read[field] = value
        elif value is None and name in NOT_HERE:
            continue
        elif name in SIZES and "canvas" in names:
            size |= {name: value} if value is not None else {}
        elif "settings" in names and (setting := setting_of(name)) is not None:
            settings |= {setting: value} if value is not None else {}
        else:
            every = f"choose from {', '.join(dict.fromkeys(names.values()))}"
            if "settings" in names:
                every = did_you_mean(name, setting_names(), every)
            meant = did_you_mean(name, (*names, *SIZES), every)
            raise UsageError(f"no {kind} {name!r}", NOT_HERE.get(name, meant))
    if size:
        read["canvas"] = _canvas(size, read.get("canvas"))
    if settings:
        read["settings"] = _with_settings(read.get("settings"), settings)
    return read


def _canvas(size: Mapping[str, Any], canvas: Any) -> tuple[Any, ...]:
    if canvas is not None:
        raise UsageError("the canvas is given twice", "leave out width= and height=, or canvas=")
    missing = [name for name in SIZES if name not in size]
    if missing:
        raise UsageError(f"{missing[0]}= is missing", "give both, or canvas=640x448")
    return tuple(size[name] for name in SIZES)


def _with_settings(given: Any, named: Mapping[str, Any]) -> Any:
    """Add settings that were given by their own names to `settings`, in its form."""
    if given is None:
        return dict(named)
    if isinstance(given, Mapping):
        twice = [name for name in named if name in given]
        if twice:
            raise UsageError(f"{twice[0]} is given twice", "leave one out")
        return {**given, **named}
    if hasattr(given, "changed"):
        return given.changed(**named)
    texts = [given] if isinstance(given, str) else list(given)
    return [*texts, *(f"{name}={value}" for name, value in named.items())]


def with_other_names(record: type[T]) -> type[T]:
    """Let a dataclass be made with the names that `read_arguments` reads."""
    made: Callable[..., None] = record.__init__

    @functools.wraps(made)
    def init(self: T, *args: Any, **values: Any) -> None:
        made(self, *args, **read_arguments(record, values))

    record.__init__ = init  # type: ignore[method-assign, assignment]  # a decorator may
    return record
