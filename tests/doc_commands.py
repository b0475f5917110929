"""The commands and snippets of the documentation, and running them as somebody reads them.

In an empty folder with the pictures that the pages name, in this process, by `figures`: nothing is
asked of a hub, and of language models only one on loopback.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from commands import run_here
from mllm_server import Server
from safetensors.torch import save_file

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = {
    "img.png": "drawn-curls.png",
    "mask.png": "drawn-curls-face.png",
    "cat.png": "drawn-cat.png",
    "photo.png": "drawn-long-hair.png",
}
"""What the pages call a user's own pictures, and which examples stand for them."""
OLLAMA = "http://localhost:11434"
LOADING = ("generate", "plan", "settings", "words", "graph")
"""Commands with a --model, besides those of `sow batch` and `sow bench`."""


@dataclass(frozen=True)
class Ran:
    """A command that was run: its exit code and what it said."""

    command: str
    code: int
    out: str
    err: str


def blocks(page: Path, language: str) -> list[str]:
    """A page's blocks of code in a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """What a page's blocks say to type, a command each, without remarks."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    split = (shlex.split(line, comments=True) for line in lines)
    return [shlex.join(words) for words in split if words]


@contextmanager
def elsewhere(folder: Path, server: Server) -> Iterator[None]:
    """A user's folder, with nobody's keys; both vendors are on loopback."""
    for name, example in PICTURES.items():
        shutil.copy(EXAMPLES / example, folder / name)
    shutil.copytree(EXAMPLES, folder / "examples")
    key = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    down, up = torch.ones(1, 128), torch.ones(64, 1)
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up},
              folder / "film.safetensors")  # fmt: skip
    save_file({"emb_params": torch.ones(1, 128)}, folder / "my-cat.safetensors")
    (folder / "faces").mkdir()
    shutil.copy(EXAMPLES / "drawn-curls.png", folder / "faces")
    job = {"id": "one", "image": "img.png", "prompt": "a person in the snow"}
    (folder / "jobs.jsonl").write_text(json.dumps(job))
    (folder / "prompts.txt").write_text("a person in the snow\na person in the city\n")
    environment = {
        **dict.fromkeys(("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"), ""),
        "GOOGLE_GEMINI_BASE_URL": server.address, "OPENAI_BASE_URL": f"{server.address}/v1",
        "SOW_PLANNER_KEY": "",
        "SOW_CACHE": str(folder / "cache"), "SOW_CONFIG": str(folder / "config"),
        "COLUMNS": "200",
    }  # fmt: skip
    with chdir(folder), patch.dict(os.environ, environment):
        yield


def typed(command: str, server: Server, seed: int = 1) -> Ran:
    """A command of `sow` as the command line runs it, but in this process.

    What a page leaves out is not left to the machine and to chance: `auto` is `figures` here,
    and a picture without a seed gets this one.
    """
    words = shlex.split(command.replace(OLLAMA, server.address))
    given = set(words)
    loads = words[1] in LOADING or words[1:3] == ["bench", "interference"]
    loads |= words[1] == "batch" and words[2] not in ("status", "export")
    if loads and not {"--model", "--recipe"} & given:
        words += ["--model", "figures"]
    if words[1] == "generate" and not {"--seed", "--recipe"} & given:
        words += ["--seed", str(seed)]
    done = run_here(Path.cwd(), *words[1:])
    return Ran(command, done.returncode, done.stdout, done.stderr)
