"""The command line run by a test: in this process, where torch is imported once, or in its own."""

from __future__ import annotations

import contextvars
import io
import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sow.cli.main import main
from sow.models import load
from sow.models.find import Model

NO_KEYS = dict.fromkeys(("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"), "")
"""No test uses the machine's keys."""

_load_pipeline = load.load_pipeline


@dataclass(frozen=True)
class Done:
    """How a command ended; the names are those of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


@cache
def _bundled(name: str, device: str, dtype: str) -> Any:
    return _load_pipeline(name, device=device, dtype=dtype)


def load_once(
    model: Any = "auto", *, device: str = "auto", dtype: str = "auto", **more: Any
) -> Any:
    """`load_pipeline`, but each bundled model is loaded once per process."""
    if isinstance(model, Model) and model.origin == "bundled" and not any(more.values()):
        return _bundled(model.name, device, dtype)
    return _load_pipeline(model, device=device, dtype=dtype, **more)


def environment(env: dict[str, str] | None) -> dict[str, str]:
    return {**NO_KEYS, "COLUMNS": "200", "NO_COLOR": "1", **(env or {})}


def run_here(folder: Path, *words: object, env: dict[str, str] | None = None) -> Done:
    """Run a command of `sow` in this process, in `folder`; the bundled models are loaded once.

    Variables that libraries read when they are imported have no effect here, and what C libraries
    print is not caught: such tests use `run_process`.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        open(os.devnull) as nothing,  # noqa: PTH123
        chdir(folder),
        patch.dict(os.environ, environment(env)),
        patch.object(sys, "argv", ["sow", *map(str, words)]),
        patch.object(sys, "stdin", nothing),
        patch.object(load, "load_pipeline", load_once),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            contextvars.copy_context().run(main)
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def run_process(
    folder: Path, *words: object, env: dict[str, str] | None = None, timeout: float = 250
) -> subprocess.CompletedProcess[str]:
    """Run a command of `sow` in a process of its own, in `folder`. Importing torch takes 5 s."""
    return subprocess.run(
        [sys.executable, "-c", "from sow.cli.entry import run; run()", *map(str, words)],
        cwd=folder, env={**os.environ, **environment(env)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


SEVERAL = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from sow.cli.main import main
ended = []
for words in json.loads(sys.argv[1]):
    sys.argv, out, err, code = ["sow", *words], io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    ended.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(ended))
"""


def run_several(
    folder: Path, *commands: tuple[object, ...], env: dict[str, str], timeout: float = 250
) -> list[Done]:
    """Run commands of `sow` one after the other in one process of their own, in `folder`.

    For variables that libraries read when they are imported: torch is imported once for all.
    """
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps([[*map(str, words)] for words in commands])],
        cwd=folder, env={**os.environ, **environment(env)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Done(*ended) for ended in json.loads(done.stdout)]
