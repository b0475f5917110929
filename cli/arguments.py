"""Read a command's words as people write them: a picture and a prompt in any order, without
options, and options by the names that other programs give them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from sow.errors import UsageError

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif",
                    ".heic"}  # fmt: skip
IN_QUOTES = 'put the prompt in quotes: img.png "an old person"'


class RequestCommand(TyperCommand):
    """A command with options of a request, which other programs call otherwise."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with other programs' options replaced."""
        flags = {flag for part in self.params for flag in part.opts} | {*ctx.help_option_names}
        return super().parse_args(ctx, replace_options(args, flags))


def replace_options(args: Sequence[str], flags: Collection[str]) -> list[str]:
    """Return arguments with other programs' options as the command's own.

    `--width 640 --height 448` is `--canvas 640x448`; `--guidance-scale 5` is
    `--set guidance_scale=5`.

    Raises:
        UsageError: for an option that says what nothing here does, or half a size.
    """
    replaced: list[str] = []
    size: dict[str, str] = {}
    rest = iter(args)
    for arg in rest:
        name, equals, value = arg.partition("=")
        if arg == "--":
            return [*replaced, arg, *rest]
        if not name.startswith("--") or name in flags:
            replaced.append(arg)
            continue
        words = _option_of(name, flags)
        if words is None:
            replaced.append(arg)
            continue
        if not equals and (value := next(rest, "")) == "":
            raise UsageError(f"{name} has no value", f"write {name} VALUE")
        if isinstance(words, int):
            size[name] = value
        else:
            replaced += [words[0], f"{words[1]}{value}"]
    if size:
        replaced += ["--canvas", _canvas(size)]
    return replaced


def _option_of(name: str, flags: Collection[str]) -> tuple[str, str] | int | None:
    """Return the option for another program's: itself and how its value starts; None for none.

    0 stands for one side of the canvas.
    """
    from sow.planners.argument_names import NOT_HERE, SIZES, names_of, setting_of
    from sow.planners.request import options_of
    from sow.service.request import Generation

    word = name.removeprefix("--").replace("-", "_").lower()
    field = names_of(Generation).get(word)
    option = options_of(Generation).get(field or "")
    if option is not None and f"--{option[1].flag(field or '')}" in flags:
        return f"--{option[1].flag(field or '')}", ""
    if word in SIZES and "--canvas" in flags:
        return 0
    if "--set" in flags and (setting := setting_of(word)) is not None:
        return "--set", f"{setting}="
    if word in NOT_HERE and "--prompt" in flags:
        raise UsageError(f"no option {name}", NOT_HERE[word])
    return None


def _canvas(size: dict[str, str]) -> str:
    missing = [name for name in ("--width", "--height") if name not in size]
    if missing:
        raise UsageError(f"{missing[0]} is missing", "give both, or --canvas 640x448")
    return f"{size['--width']}x{size['--height']}"


def place_words(words: Sequence[str], image: Any, prompt: Any) -> tuple[Any, Any]:
    """Return the picture and the prompt, of which words without options may be either.

    The picture is the word that is a file, or looks like one.

    Raises:
        UsageError: if the words cannot be told apart, or one is given twice.
    """
    rest = [*words]
    if image is None and (found := _picture_among(rest)) is not None:
        rest.remove(found)
        image = Path(found)
    if more := [word for word in rest if _is_file(word)]:
        if Path(more[0]).suffix.lower() not in PICTURE_SUFFIXES:
            raise UsageError(
                f"{more[0]!r} is a file, not a prompt", "give a plan with --plan plan.json"
            )
        raise UsageError(
            f"{1 + len(more)} pictures at once", "give one; for many, see `sow batch --help`"
        )
    if len(rest) > 1:
        if image is None:
            raise UsageError(f"neither of {rest[0]!r} and {rest[1]!r} is a file", IN_QUOTES)
        raise UsageError(f"unexpected argument {rest[-1]!r}", IN_QUOTES)
    if rest and prompt is not None:
        raise UsageError(f"the prompt is given twice: {rest[0]!r}", "leave one out")
    return image, rest[0] if rest else prompt


def _picture_among(words: Sequence[str]) -> str | None:
    named = [word for word in words if Path(word).suffix.lower() in PICTURE_SUFFIXES]
    return next(filter(_is_file, [*named, *words]), named[0] if named else None)


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # too long for a name
        return False
