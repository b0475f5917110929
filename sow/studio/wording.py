"""What the page says: notes and errors of the service without names of arguments."""

from __future__ import annotations

import re

from sow.errors import SowError

ARGUMENT = re.compile(r"(?<![\w-])[a-z_]+=|`sow |--[a-z]")


def for_page(text: str) -> str:
    """Return a note as a sentence, without the parts that tell programs what to do.

    The page has buttons where a program has arguments: "…; choose another with face_index=" ends
    before the semicolon.
    """
    said = [part for part in re.split(r"; ", text) if not ARGUMENT.search(part)]
    sentence = "; ".join(said or [ARGUMENT.sub("", text)]).replace("`", "").strip()
    return sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith((".", "?", "!")) else ".")


def error_text(error: SowError) -> str:
    """Return what is wrong and what to do about it, as `for_page` does."""
    return for_page(str(error))
