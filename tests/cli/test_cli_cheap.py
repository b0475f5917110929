"""What can be refused or shown without torch does not wait for it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest
from commands import NO_KEYS
from helpers import noise_picture, plan
from PIL import Image
from test_cli import BAD, FACE

from sow.pictures.condition import Condition
from sow.pictures.recipe import Recipe, save_png
from sow.settings.settings import Settings

HEAVY = ("torch", "diffusers", "transformers", "numpy", "cv2", "facenet_pytorch", "openai")
ALL = (
    f"HEAVY = {HEAVY}"
    + """
import json, os, sys
from sow.cli.main import main
said = os.dup(1)
for place in (1, 2):
    os.dup2(os.open(os.devnull, os.O_WRONLY), place)
told = []
for sys.argv[1:] in json.load(sys.stdin):
    try:
        main()
    except SystemExit as end:
        told.append([end.code or 0, [name for name in HEAVY if name in sys.modules]])
os.write(said, json.dumps(told).encode())
"""
)
ONE = [sys.executable, "-c", "from sow.cli.entry import run; run()"]


def ran(folder, commands):
    """Of each command, all of one process: its exit code, what dear was imported by then."""
    done = subprocess.run(
        [sys.executable, "-c", ALL], cwd=folder, capture_output=True, text=True, check=True,
        input=json.dumps([[str(word) for word in words] for words in commands]),
        env={**os.environ, **NO_KEYS, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return json.loads(done.stdout)


def seconds(folder, command) -> float:
    """Of a processor, that a command takes by itself: the least of three tries, it is shared."""
    tries = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*map(str, command)], cwd=folder, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        tries.append(sum(after[:2]) - sum(before[:2]))
    return min(tries)


@pytest.fixture(scope="module")
def torch_seconds(tmp_path_factory):
    """What importing torch takes, measured once."""
    return seconds(tmp_path_factory.getbasetemp(), [sys.executable, "-c", "import torch"])


@pytest.fixture
def folder(tmp_path):
    """The files that the refusals are about, and a picture with a recipe."""
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "bad.json").write_text('{"canvas": [128, 128]}')
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    Image.new("L", (64, 20), 255).save(tmp_path / "wide.png")
    recipe = Recipe(
        plan=plan(), settings=Settings.preset("normal"), seed=7, model="figures", revision="x",
        device="cpu", dtype="float32", picture_sha256="", versions={},
    )  # fmt: skip
    condition = Condition.prepare(noise_picture(1), plan())
    save_png(noise_picture(2, (64, 64)), tmp_path / "made.png", recipe, condition)
    data = (tmp_path / "made.png").read_bytes()
    (tmp_path / "damaged.png").write_bytes(data.replace(b'"seed":7', b'"seed":x'))
    return tmp_path


def words_of(name: str) -> tuple:
    """The command of a bad case."""
    words = BAD[name][0]
    model = () if "--model" in words or "--recipe" in words else ("--model", "figures")
    return ("generate", *words, *model)


OTHERS = {
    ("settings",): 0,
    ("settings", "--model", "figures", "--json"): 0,
    ("words", "--model", "figures"): 0,
    ("words", "--model", "figures", "--json"): 0,
    ("show", "made.png"): 0,
    ("show", "made.png", "--json"): 0,
    ("show", "black.png"): 3,
    ("show", "damaged.png"): 3,
    ("generate", "--recipe", "damaged.png"): 3,
    ("plan", "--face", "no.png", "--prompt", "x"): 3,
    ("plan", "--face", "https://a.example/b.png", "--prompt", "x"): 3,
    ("plan", "--model", "figures", "--face", FACE, "--prompt", "x", "--box", "600,0,9,9"): 4,
    ("plan", "--model", "figures", "--face", FACE, "--prompt", "x", "--draw", "black.png"): 6,
    ("download", "nope"): 5,
    ("bench", "interference", "--out", "x.jpg"): 2,
    ("generate", "--help"): 0,
}


def test_what_is_refused_or_shown_imports_nothing_heavy(folder):
    names = [name for name in BAD if name != "no such face"]  # which a detector has to tell
    told = ran(folder, [*map(words_of, names), *OTHERS])
    assert told == [[code, []] for code in (*(BAD[name][1] for name in names), *OTHERS.values())]


def test_a_command_that_needs_torch_is_seen_to_import_it(folder):
    """The measure itself."""
    assert ran(folder, [("doctor",)])[0][1][0] == "torch"


@pytest.mark.parametrize(
    "words", [words_of("empty mask"), words_of("no such device"), ("show", "made.png")]
)
def test_a_refusal_costs_far_less_than_torch(folder, torch_seconds, words):
    """Not in seconds: on a busy machine all of them take longer."""
    assert seconds(folder, [*ONE, *words]) < 0.6 * torch_seconds
