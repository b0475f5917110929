"""The options of a request, made from its fields: a new field is an option by itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import Field
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from sow.cli.arguments import place_words
from sow.cli.options import PLANNER
from sow.planners.request import MODEL, PICTURE, PLAN, RESULT, Option, options_of
from sow.service.request import Request

T = TypeVar("T")
WORDS = "words"
PICTURE_AND_PROMPT = inspect.Parameter(
    WORDS,
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PICTURE] [PROMPT]",
            help="The picture and the prompt, instead of --face and --prompt.",
            show_default=False,
        ),
    ],
)
PANELS = (PICTURE, PLAN, MODEL, RESULT, PLANNER)
"""The panels of a command's help in their order; others come before them."""


def check_preset_name(name: str | None) -> str | None:
    """Refuse a preset's former name, which only files may still use.

    Raises:
        UsageError: for a former name.
    """
    from sow.errors import UsageError
    from sow.settings.presets import RENAMED_PRESETS

    if name in RENAMED_PRESETS:
        raise UsageError(f"no preset {name!r}", f"it is called {RENAMED_PRESETS[name][0]} now")
    return name


CALLBACKS: dict[str, Callable[..., Any]] = {"preset": check_preset_name}


def with_request(
    record: type[T],
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    words: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command out of a function whose first argument is a record of a request.

    The command has an option for each field of the record (`only` these, or all `without` some),
    and then those of the function; it fills the record and passes it on. words: the picture and the
    prompt may also be given without options.
    """
    fields = {
        name: declared
        for name, declared in options_of(record).items()
        if name not in without and (only is None or name in only)
    }

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        _record, *own = inspect.signature(run).parameters.values()
        hints = get_type_hints(run, include_extras=True)

        def command(**values: Any) -> None:
            filled = {name: values.pop(name, fields[name][0].default) for name in fields}
            if given := values.pop(WORDS, None):
                filled["image"], filled["prompt"] = place_words(
                    given, filled["image"], filled["prompt"]
                )
            # An option that may be repeated and was not is an empty list.
            run(record(**{name: None if v == [] else v for name, v in filled.items()}), **values)

        parts = [_parameter(name, *declared) for name, declared in fields.items()]
        parts += [PICTURE_AND_PROMPT] * words
        parts += [part.replace(annotation=hints[part.name]) for part in own]
        parts = [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts]
        parts.sort(key=_panel_place)
        made: Any = command  # Any: mypy does not let a function have __signature__
        made.__name__, made.__doc__ = run.__name__, run.__doc__
        made.__annotations__ = {part.name: part.annotation for part in parts}
        made.__signature__ = inspect.Signature(parts)
        return command

    return decorate


def _panel_place(part: inspect.Parameter) -> int:
    """Return the place of a parameter's panel in the help of its command."""
    described = getattr(part.annotation, "__metadata__", ())
    panel = described[0].rich_help_panel if described else None
    return PANELS.index(panel) if panel in PANELS else -1


def _parameter(name: str, field: Field[Any], option: Option) -> inspect.Parameter:
    """Return the parameter from which Typer makes the option of a field."""
    kind = option.argument
    described = typer.Option(
        *option.flags,
        help=option.help,
        rich_help_panel=option.panel,
        min=option.minimum,
        max=option.maximum,
        callback=CALLBACKS.get(name),
    )
    annotation: Any = Annotated[kind if field.default is not None else kind | None, described]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )


def files_of(request: Request) -> list[Path]:
    """Return the files that a request of the command line names."""
    from sow.settings.inputs import as_embeddings, as_loras

    named = (request.image, request.mask, request.plan, request.graph)
    loras = [path for path, _ in as_loras(request.lora)]
    return [*(Path(str(name)) for name in named if name), *loras, *as_embeddings(request.embedding)]
