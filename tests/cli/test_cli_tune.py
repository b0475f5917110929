"""`sow tune` as it is typed: what it refuses, before anything is loaded."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

import pytest

from sow.cli.main import main


def typed(*words: object) -> tuple[int, str]:
    said, code = StringIO(), 0
    argv = ["sow", "tune", *map(str, words)]
    with patch.object(sys, "argv", argv), redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = int(str(end.code or 0))
    return code, said.getvalue()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--faces", "people"), "facenet"),
        (("--faces", "people", "--clip", "clip"), "likeness"),
        (("--model", "sd2.1"), "likeness"),
        (("--model", "figures", "--faces", "people"), "likeness"),
        (("--model", "figures", "--setting", "warp"), "choose one of normal"),
        (("--model", "figures", "--minutes", "0"), "minutes"),
        (("--model", "figures", "--limit", "1"), "limit"),
        (("--model", "figures", "--faces", "people", "--facenet", "x.safetensors"), "people"),
    ],
)
def test_what_makes_no_sense_gets_one_line(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, told = typed(*words)
    assert code == 2
    assert said in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "tune").exists()
