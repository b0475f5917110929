"""The pictures of `docs/gallery.md`, made by its own commands: `make gallery`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from doc_commands import ROOT, Ran, commands, elsewhere, typed
from mllm_server import ReceivedRequest, Server

PAGE = ROOT / "docs" / "gallery.md"
FOLDER = ROOT / "docs" / "gallery"
ANSWERS = {
    "Recognition": {
        "subject": "face", "features": ["short black hair", "a black beard"], "setting": "normal",
    },
    "Position": {"box": {"x": 16, "y": 16, "width": 56, "height": 56}},
    "Refinement": {
        "regions": [{"label": "body", "box": {"x": 4, "y": 72, "width": 80, "height": 56}}],
        "relations": [{"subject": "man", "relation": "beside", "object": "tree"}],
    },
}  # fmt: skip
"""What stands for a language model says of `drawn-beard.png` and a tree beside a man: written by
hand, as the page says. No vendor was asked."""


def answer(asked: ReceivedRequest) -> str:
    """By the question."""
    return json.dumps(ANSWERS[asked.stage])


def made(folder: Path) -> list[Ran]:
    """Runs all commands of the page in a folder, which then has what they write."""
    server = Server(answer)
    try:
        with elsewhere(folder, server):
            return [typed(command, server) for command in commands(PAGE)]
    finally:
        server.close()


def main() -> None:
    """Writes them all anew.

    Raises:
        RuntimeError: if a command does not run.
    """
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for ran in made(Path(folder)):
            print(ran.command, ran.err, sep="\n")
            if ran.code:
                raise RuntimeError(ran.err)
        for file in pictures(Path(folder)):
            shutil.copy(file, FOLDER / file.name)
        shutil.copy(Path(folder) / "plan.json", FOLDER / "plan.json")


def pictures(folder: Path) -> list[Path]:
    """What the page's commands were told to write."""
    words = [command.split() for command in commands(PAGE)]
    names = [line[line.index("--out") + 1] for line in words if "--out" in line]
    return [folder / name for name in names if name.endswith(".png")]


if __name__ == "__main__":
    main()
