"""One line for each slip in a command line: what is wrong, and what was probably meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from sow.errors import UsageError
from sow.planners.argument_names import setting_names
from sow.utils.suggestions import did_you_mean, suggest


class CommandGroup(TyperGroup):
    """A group of commands that suggests a command only for a word that plainly means it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command.

        Raises:
            UsageError: if there is none of that name.
        """
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            path = _path_of(ctx)
            hint = did_you_mean(word, self.commands, f"`{path} --help` lists them")
            if Path(word).suffix and ctx.parent is None:
                hint = f'{path} generate {word} "an old person"'
            raise UsageError(f"no command {word!r}", hint)
        return super().resolve_command(ctx, args)


def usage_line(error: Any) -> str:
    """Return the line for an error of typer's own: an unknown option, a bad value …"""
    if getattr(error, "option_name", None) and hasattr(error, "possibilities"):
        return unknown_option(error)
    parameter = getattr(error, "param", None)
    flag = max(getattr(parameter, "opts", None) or [""], key=len)
    if type(error).__name__ == "MissingParameter" and parameter is not None:
        name = flag if flag.startswith("-") else flag.upper()
        return f"{name} is missing: {parameter.help or ''}"
    limits = parameter if hasattr(parameter, "min") else getattr(parameter, "type", None)
    least, most = getattr(limits, "min", None), getattr(limits, "max", None)
    if parameter is not None and (least, most) != (None, None):
        kind = "a whole number" if _is_whole(parameter) else "a number"
        span = f" from {least:g}" if least is not None and least < 10**6 else ""
        span += f" to {most:g}" if most is not None and most < 10**6 else " up" * bool(span)
        return f"{flag} takes {kind}{span}"
    return str(error.format_message() if hasattr(error, "format_message") else error)


def unknown_option(error: Any) -> str:
    """Return the line for an option that a command does not have."""
    context = error.ctx
    known = [flag for part in context.command.params for flag in part.opts if flag[:2] == "--"]
    hint = f"`{_path_of(context)} --help` lists them"
    if "--set" in known and suggest(error.option_name, known) is None:
        known = [f"--{name.replace('_', '-')}" for name in setting_names()]
    return f"no option {error.option_name}; {did_you_mean(error.option_name, known, hint)}"


def _path_of(context: Any) -> str:
    """Return the command as it is written, however the program was started."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return " ".join(["sow", *names])


def _is_whole(parameter: Any) -> bool:
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    kind = str(getattr(parameter, "type", ""))
    return annotation is int or "INT" in kind.upper()
