"""Hostile manifests: whatever the file, a line is a job or has a problem, and nothing else ends."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from fuzzing import COUNT, Case, check, randomness
from mangling import deep, mangled_bytes, mangled_json

from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import read_jobs, read_manifest
from sow.errors import SowError

JOBS = (
    {"id": "one", "image": "a.png", "prompt": "a man in a red coat", "box": [8, 16, 56, 56],
     "canvas": [640, 448], "seed": 7, "likeness": 0.25, "settings": {"cycles": 5}},
    {"face": "b.png", "prompt": "a cat", "subject": "cat", "canvas": 512, "count": 3,
     "related": {"body": [8, 72, 112, 56]}, "matte": "box", "preset": "style"},
    {"prompt": "a dog left of a cat", "triples": [["dog", "left of", "cat"]]},
    {"prompt": "a dog", "image": "a.png", "graph": {"relations": [["dog", "on", "mat"]]}},
)  # fmt: skip
CSV = b"""id,face,prompt,box,canvas,seed,settings,triples
one,a.png,"a man,
smiling","8,16,56,56",640x448,7,"{""cycles"": 5}",
two,,a dog left of a cat,,512,,,"[[""dog"", ""left of"", ""cat""]]"
"""
LONGEST = 1200


def walked(path: Path) -> None:
    """All jobs are read as a batch would; what is wrong with one is said in one line."""
    last = 0
    for number, job in read_jobs(read_manifest(path), {"settings": {"cycles": 2}}):
        assert number > last
        last = number
        if isinstance(job, SowError):
            assert job.what
            assert "\n" not in str(job)
            assert len(str(job)) < LONGEST
        else:
            assert isinstance(job, TV2IJob)
            assert len(job.digest) == 64
            assert job.files[0].endswith(".png")
            job.request({name: path.parent / name for name in job.paths})


def json_lines(dice: Random) -> bytes:
    """Lines of JSON, each with something done to it."""
    lines = []
    for _ in range(dice.randint(1, 5)):
        job = dice.choice(JOBS)
        kind = dice.random()
        if kind < 0.6:
            lines.append(json.dumps(mangled_json(dice, job)).encode())
        elif kind < 0.95:
            lines.append(mangled_bytes(dice, json.dumps(job).encode()))
        else:
            lines.append(deep(dice))
    return dice.choice([b"\n", b"\r\n"]).join(lines)


def csv_rows(dice: Random) -> bytes:
    """A table with something done to its rows, or to any of it."""
    if dice.random() < 0.2:
        return mangled_bytes(dice, CSV)
    header, _, rest = CSV.partition(b"\n")
    return header + b"\n" + mangled_bytes(dice, rest)


@pytest.mark.parametrize(
    ("ending", "made"), [("jsonl", json_lines), ("csv", csv_rows)], ids=["jsonl", "csv"]
)
def test_lines(tmp_path, ending, made):
    dice = randomness(f"manifests {ending}")
    path, cases = tmp_path / f"jobs.{ending}", []
    for number in range(COUNT):

        def run(data=made(dice)) -> None:
            path.write_bytes(data)
            walked(path)

        cases.append(Case(f"{ending} {number}", run))
    assert check(cases)["worked"]


def test_parquet(tmp_path):
    """Footers and pages with something done to them: pyarrow and the limits read both."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({
        "id": ["one", "two"], "image": ["a.png", "a" * 500], "prompt": ["a man", "a man"],
        "seed": [7, None], "box": [[8, 16, 56, 56], None], "related": [None, '{"body": [1, 2]}'],
    })  # fmt: skip
    sound, dice, cases = [], randomness("manifests parquet"), []
    for how in ({}, {"compression": "gzip", "use_dictionary": False}, {"data_page_version": "2.0"}):
        pq.write_table(table, tmp_path / "sound.parquet", **how)
        sound.append((tmp_path / "sound.parquet").read_bytes())
    path = tmp_path / "jobs.parquet"
    for number in range(COUNT):

        def run(content: bytes = mangled_bytes(dice, dice.choice(sound))) -> None:
            path.write_bytes(content)
            walked(path)

        cases.append(Case(f"parquet {number}", run))
    assert check(cases)["UsageError"] > COUNT // 10
