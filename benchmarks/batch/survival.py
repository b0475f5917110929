"""Kill a batch at random moments, again and again, and check the result.

    sow bench study survival

The command line itself is killed (SIGKILL), at moments that a seed decides; one job in a hundred
is poisoned: a picture that cannot be read, a plan that is not legal.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from sow.batch.ledger.ledger import Ledger
from sow.benchmarks.output import StudyOutput
from sow.pictures.recipe import pixels_sha256

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FACES = ("drawn-long-hair", "drawn-curls", "drawn-beard")
PLACES = ("in the forest", "on the beach", "in the snow", "in the city", "in the desert")
SOONEST, LATEST = 1.0, 24.0
"""Seconds after its start that every other runner is killed, whatever it has come to by then."""
BUSY, PATIENCE = 6.0, 300.0
"""The others are killed within so many seconds after they recorded a picture; how long that may
take."""


def manifest(folder: Path, count: int) -> Path:
    """Write a manifest in which one job in a hundred has a broken picture or plan, by turns."""
    for face in FACES:
        shutil.copy(EXAMPLES / f"{face}.png", folder)
    intact = (folder / f"{FACES[0]}.png").read_bytes()
    (folder / "broken.png").write_bytes(intact[: len(intact) // 2])
    (folder / "illegal.json").write_text('{"prompt": "a man", "box": [500, 0, 56, 56]}')
    path = folder / "jobs.jsonl"
    with path.open("w") as lines:
        for number in range(count):
            lines.write(json.dumps(_job(number)) + "\n")
    return path


def _job(number: int) -> dict[str, Any]:
    job = {
        "id": f"job-{number:04d}",
        "image": f"{FACES[number % 3]}.png",
        "seed": number,
        "prompt": f"a person {PLACES[number % 5]}",
    }
    if number % 100 == 50:
        poison = {"image": "broken.png"} if number % 200 == 50 else {"plan": "illegal.json"}
        return job | poison
    return job


def start(jobs: Path, out: Path, size: int) -> subprocess.Popen[bytes]:
    """Start the command as a user would."""
    words = [
        "-m",
        "sow",
        "batch",
        str(jobs),
        "--out",
        str(out),
        "--model",
        "figures",
        "--planner",
        "offline",
        "--batch-size",
        str(size),
        "--quiet",
    ]
    return subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)


def recorded(out: Path) -> dict[str, tuple[int, int]]:
    """Return the recorded pictures with inode and time, which show whether a file was rewritten."""
    if not (out / ".sow" / "ledger.sqlite").exists():
        return {}
    ledger = Ledger(out)
    names = [entry["file_name"] for entry in ledger.picture_metadata()]
    ledger.close()
    stats = {name: (out / name).stat() for name in names if (out / name).exists()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def at_work(runner: subprocess.Popen[bytes], out: Path) -> None:
    """Wait until a runner has recorded something or has ended."""
    before, waited = len(recorded(out)), 0.0
    while len(recorded(out)) == before and runner.poll() is None and waited < PATIENCE:
        time.sleep(0.5)
        waited += 0.5


def killed(jobs: Path, out: Path, kills: int, size: int, seed: int) -> Iterator[dict[str, Any]]:
    """Run and kill the batch `kills` times, then finish it; yield what each kill left."""
    dice = random.Random(seed)
    for number in range(1, kills + 1):
        begun, runner = time.monotonic(), start(jobs, out, size)
        if number % 2:
            time.sleep(dice.uniform(SOONEST, LATEST))
        else:
            at_work(runner, out)
            time.sleep(dice.uniform(0, BUSY))
        after, alive = time.monotonic() - begun, runner.poll() is None
        runner.kill()
        runner.wait()
        yield {"kill": number, "after": after, "alive": alive, "recorded": recorded(out)}
    start(jobs, out, size).wait()


def hashes(out: Path) -> dict[str, str]:
    """Return a hash of the pixels of every picture; reading them checks that they are complete."""
    found = {}
    for path in sorted(out.glob("*.png")):
        with Image.open(path) as picture:
            found[path.name] = pixels_sha256(picture.convert("RGB"))
    return found


def verdicts(
    plain: Path, out: Path, steps: list[dict[str, Any]], count: int
) -> dict[str, bool | str]:
    """Return every requirement, and whether it holds or its number."""
    ledger = Ledger(out)
    counts, failures = ledger.counts(), list(ledger.failures())
    ledger.close()
    good = {f"{_job(n)['id']}.png" for n in range(count) if n % 100 != 50}
    last, made = recorded(out), hashes(out)
    again = [
        name for step in steps for name, mark in step["recorded"].items() if last.get(name) != mark
    ]
    poisoned = {_job(n)["id"] for n in range(count) if n % 100 == 50}
    return {
        "kills that met a runner at work": str(sum(step["alive"] for step in steps)),
        "pictures recorded when the last kill came": str(len(steps[-1]["recorded"])),
        "every good job has exactly one picture": set(made) == good and set(last) == good,
        "no picture was made again after it was recorded": not again,
        "all pixels are those of the undisturbed run": made == hashes(plain),
        "the bad jobs, and no others, failed, with a reason": (
            {failure.id for failure in failures} == poisoned
            and all(failure.reason for failure in failures)
        ),
        "nothing waits, nothing runs": counts["waiting"] == counts["running"] == 0,
        "no temporary file is left": not list(out.rglob("*.tmp")),
    }


def verdict_cell(value: bool | str) -> str:
    """Return a verdict as text."""
    return value if isinstance(value, str) else "yes" if value else "**no**"


def verdict_table(found: Mapping[str, bool | str]) -> list[str]:
    """Return a Markdown table of verdicts."""
    return [
        "| | |",
        "|---|---|",
        *(f"| {name} | {verdict_cell(value)} |" for name, value in found.items()),
    ]


def study(output: StudyOutput, *, jobs: int, kills: int, size: int, seed: int) -> None:
    """Write `survival.md`."""
    output.check_output_path("survival.md")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        listed = manifest(home, jobs)
        start(listed, home / "plain", size).wait()
        steps = []
        for step in killed(listed, home / "out", kills, size, seed):
            steps.append(step)
            output.log(
                f"kill {step['kill']} after {step['after']:.1f} s: {len(step['recorded'])} recorded"
            )
        found = verdicts(home / "plain", home / "out", steps, jobs)
        reasons = Ledger(home / "out")
        why = [f"- line {failure.line}: {failure.reason}" for failure in reasons.failures()]
        reasons.close()
    output.write_page(
        "survival.md",
        [
            "# Killed at random moments",
            "",
            f"`{output.command}`: `sow batch` killed with SIGKILL "
            f"{kills} times, in turn {SOONEST:g} to {LATEST:g} seconds after its start and up "
            f"to {BUSY:g} seconds after it recorded something, then run to its end.",
            "",
            *verdict_table(found),
            "",
            "What failed:",
            "",
            *why,
        ],
    )
