"""What is printed of strangers' words: nothing is lost, and nothing steers a terminal."""

from __future__ import annotations

import json
import unicodedata

from sow.cli.output import as_json
from sow.utils.representation import printable

LETTERS = [chr(code) for code in range(0x110000)]
# Controls, writing directions and other signs that are not seen, line ends, halves of letters.
UNSEEN = {letter for letter in LETTERS if unicodedata.category(letter) in
          ("Cc", "Cf", "Cs", "Zl", "Zp")}  # fmt: skip


def test_json_loses_nothing_and_steers_no_terminal():
    data = {"words": LETTERS, "".join(LETTERS[:200]): [1, None, "人 é"], "half": "\ud800x\udfff"}
    text = as_json(data)
    assert json.loads(text) == data
    assert set(text) & UNSEEN == {"\n"}
    assert '"人 é"' in text
    text.encode()


def test_lines_for_people_have_no_unseen_letters():
    line = printable("".join(LETTERS))
    assert not set(line) & UNSEEN
    assert {"人", "é", "a", " "} <= set(line)
    line.encode()
