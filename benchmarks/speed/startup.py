"""The start-up time of commands, compared with `import torch`.

    sow bench speed --sections start

Seconds of a processor (user and system), the least of several tries of one thread each; all
commands take turns, so that a busy machine is unfair to none of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from sow.benchmarks.figures.world.tv2i import fresh
from sow.benchmarks.output import bar
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section, Table

PROMPT = "a person in a red coat"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY")
TORCH = "import torch"
GENERATE = "sow generate"
PICTURE = "the picture itself"
WITHOUT = f"{GENERATE}, without the picture"

# Runs in a process of its own, and prints what the first argument's seconds are of.
COMMAND = "from sow.cli.entry import run; run()"
WATCHED = """
import atexit, sys, time
from sow.service.methods import Sow
draw, spent = Sow.draw, [0.0]
def timed(*args, **options):
    before = time.process_time()
    try:
        return draw(*args, **options)
    finally:
        spent[0] += time.process_time() - before
Sow.draw = timed
atexit.register(lambda: sys.stdout.write(f"\\n{spent[0]}"))
from sow.cli.entry import run
run()
"""
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(json.load(sys.stdin), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
out, err = (text.decode(errors="replace")[-400:] for text in (done.stdout, done.stderr))
print(json.dumps([used.ru_utime + used.ru_stime, done.returncode, out, err]))
"""


@dataclass(frozen=True)
class Start:
    """The cost of a command.

    Attributes:
        name: of the command, or of a part of one.
        seconds: of a processor.
        times_torch: how many times as much as `import torch`.
    """

    name: str
    seconds: float
    times_torch: float


@dataclass(frozen=True)
class Command:
    """A command and its expected end.

    Attributes:
        words: what python is given.
        ends: its exit code; another is an error.
        watched: whether it says on its last line what its picture cost.
    """

    words: Sequence[str]
    ends: int = 0
    watched: bool = False


def commands(folder: Path) -> dict[str, Command]:
    """Return the commands to measure, by name; `folder` holds a face and takes the output."""

    def sow(*words: object, ends: int = 0, watched: bool = False) -> Command:
        code = WATCHED if watched else COMMAND
        return Command(["-c", code, *map(str, words)], ends, watched)

    picture = ("--model", "figures", "--face", folder / "face.png", "--prompt", PROMPT)
    made = ("generate", *picture, "--seed", 1, "--force", "--out")
    return {
        "python": Command(["-c", "pass"]),
        TORCH: Command(["-c", "import torch"]),
        "sow --help": sow("--help"),
        "sow show": sow("show", folder / "made.png"),
        "sow settings": sow("settings", "--model", "figures"),
        "sow words": sow("words", "--model", "figures"),
        "sow plan": sow("plan", *picture, "--out", folder / "plan.json", "--force"),
        "sow doctor": sow("doctor"),
        GENERATE: sow(*made, folder / "new.png", watched=True),
        "refused: no such picture": sow("generate", "--face", "no.png", "--prompt", "x", ends=3),
        "refused: no picture": sow("generate", "--face", __file__, "--prompt", "x", ends=3),
        "refused: no such setting": sow("generate", *picture, "--set", "cycle=5", ends=2),
        "refused: a box outside": sow("generate", *picture, "--box", "600,0,9,9", ends=4),
        "refused: no such model": sow("generate", *picture[2:], "--model", "nope", ends=5),
        "refused: a file that is there": sow(
            "generate", *picture, "--out", folder / "made.png", ends=6
        ),
    }


def startup(repeats: int = 5) -> list[Start]:
    """Measure all commands, and `sow generate` also without the picture itself.

    Raises:
        RuntimeError: if a command does not end as it should.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh(1)[0].picture.save(folder / "face.png")
        known = commands(folder)
        first = folder / "made.png"
        _cpu(Command([*known[GENERATE].words[:-1], str(first)], watched=True), folder)
        assert Image.open(first).size  # what `sow show` is to read
        rows: dict[str, float] = {}
        turns = [turn for _ in range(repeats) for turn in known.items()]
        for called, command in bar(turns, "start"):
            for part, seconds in _parts(called, command, folder).items():
                rows[part] = min(seconds, rows.get(part, seconds))
    return [Start(name, seconds, seconds / rows[TORCH]) for name, seconds in rows.items()]


def _parts(name: str, command: Command, folder: Path) -> Mapping[str, float]:
    seconds, picture = _cpu(command, folder)
    if not command.watched:
        return {name: seconds}
    return {name: seconds, PICTURE: picture, WITHOUT: seconds - picture}


def _cpu(command: Command, folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of a command, and of the picture in it."""
    kept = {key: value for key, value in os.environ.items() if key not in KEYS}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=json.dumps([sys.executable, *command.words]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
        env={**kept, **ONE_THREAD},
    )
    seconds, code, out, err = json.loads(done.stdout)
    if code != command.ends:
        raise RuntimeError(f"{command.words[1:]} ended with {code}: {err}")
    return seconds, float(out.splitlines()[-1]) if command.watched else 0.0


def start(subject: Subject, repeats: int) -> Section:
    """Measure the start-up time of commands, always with `figures`."""
    rows = [(row.name, row.seconds, row.times_torch) for row in startup(repeats)]
    caption = "Seconds of a processor (user and system), one thread, the least of the rounds."
    columns = ("command", "seconds", "times import torch")
    return Section("start", "Start", [Table(columns, rows, caption)])
