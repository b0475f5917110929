"""What is asked back, at a terminal, of whoever sits there: may it be sent, may it cost so much."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from sow.cli.output import print_always, print_note, printable
from sow.errors import OutputError


def confirm_once(yes: bool) -> Callable[[str], bool]:
    """Whether something that costs far more than usual is meant; asked once a run.

    yes: it was said beforehand.
    """
    said = [yes]

    def agree(line: str) -> bool:
        if not said[0] and _somebody():
            print_always(f"{line[:1].upper()}{line[1:]}.")
            said[0] = typer.confirm("Go on?", err=True)
        return said[0]

    return agree


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_consent(vendor: str, host: str) -> bool:
    """What the user said when it was first asked; False where nobody can be asked.

    A script has to name its planner: what it does must not depend on what somebody once said.
    """
    if not _somebody():
        return False
    who = f"{vendor} at {host}"
    answers = _answers()
    if who in answers:
        return answers[who]
    print_always(
        f"There is a key for {vendor}. It may plan better than the rules do, but has to see your "
        f"prompt and the part of your picture that is planted: they would be sent to {host}."
    )
    agreed = typer.confirm(printable(f"May they be sent to {who}, now and later?"), err=True)
    _remember({**answers, who: agreed})
    return agreed


def _file() -> Path:
    from sow.utils.files import config_folder

    return config_folder() / "consent.json"


def _answers() -> dict[str, bool]:
    from sow.utils.files import read_json_object

    return {who: said for who, said in read_json_object(_file()).items() if isinstance(said, bool)}


def _remember(answers: dict[str, bool]) -> None:
    from sow.utils.files import write_text

    try:
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(json.dumps(answers, indent=2), _file(), force=True)
        print_note(f"Remembered in {_file()}; delete it to be asked again.")
    except (OSError, OutputError):
        print_note("This could not be remembered: it will be asked again.")
