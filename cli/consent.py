"""Questions to the user at a terminal: consent to send a picture, and to an unusual cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from sow.cli.output import print_always, print_note
from sow.errors import OutputError
from sow.utils.representation import printable


def confirm_once(yes: bool) -> Callable[[str], bool]:
    """Return a function that asks whether to go on despite an unusual cost, once per run.

    yes: `--yes` was given, so nothing is asked.
    """
    confirmed = yes

    def confirm(line: str) -> bool:
        nonlocal confirmed
        if not confirmed and _is_interactive():
            print_always(f"{line[:1].upper()}{line[1:]}.")
            confirmed = typer.confirm("Go on?", err=True)
        return confirmed

    return confirm


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_consent(vendor: str, host: str) -> bool:
    """Return whether the user consents to send pictures to a vendor; ask the first time.

    Without a terminal it is False: a script must not depend on an answer that was given earlier,
    so it has to name its planner.
    """
    if not _is_interactive():
        return False
    recipient = f"{vendor} at {host}"
    answers = _read_answers()
    if recipient in answers:
        return answers[recipient]
    print_always(
        f"An API key of {vendor} is set. Its model may plan better than the rules, but needs to "
        f"see your prompt and the planted part of your picture: they would be sent to {host}."
    )
    consent = typer.confirm(printable(f"Send them to {recipient}, now and later?"), err=True)
    _save_answers({**answers, recipient: consent})
    return consent


def _answers_file() -> Path:
    from sow.utils.files import config_folder

    return config_folder() / "consent.json"


def _read_answers() -> dict[str, bool]:
    from sow.utils.files import read_json_object

    answers = read_json_object(_answers_file())
    return {key: value for key, value in answers.items() if isinstance(value, bool)}


def _save_answers(answers: dict[str, bool]) -> None:
    from sow.utils.files import write_text

    try:
        _answers_file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(json.dumps(answers, indent=2), _answers_file(), force=True)
        print_note(f"The answer is saved in {_answers_file()}; delete it to be asked again.")
    except (OSError, OutputError):
        print_note("The answer could not be saved: you will be asked again.")
