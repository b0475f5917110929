"""`sow batch` as users type it: run, go on, interrupt, look, and every stated answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import NO_KEYS
from conftest import EXAMPLES, hear_interrupts

from sow.batch.ledger.ledger import Ledger
from sow.batch.run_batch import run_batch
from sow.batch.runners.options import Options
from sow.cli.batch_options import assigned_settings
from sow.errors import UsageError
from sow.pictures.recipe import Recipe
from sow.service.request import Request
from sow.utils.limits import MAX_BATCH_SIZE

SMALL = ("--canvas", "64", "--set", "cycles=1", "--planner", "offline")


@pytest.fixture
def manifest(tmp_path):
    """Writes jobs into a file, and says where it is."""

    def written(*jobs, name="jobs.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
        return path

    return written


def job(name: str, **more) -> dict:
    return {"id": name, "image": str(EXAMPLES / "drawn-beard.png"),
            "prompt": "a man in the snow"} | more  # fmt: skip


def test_a_batch_from_its_first_run_to_its_export(run_sow, manifest, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 64)
    jobs = manifest(job("one"), job("two", count=2, seed=3), job("bad", image="broken.png"))
    words = ("batch", jobs, "--out", "out", "--model", "figures", *SMALL)
    first = run_sow(*words, "--json")
    assert first.returncode == 9, first.stderr
    lines = {line["id"]: line for line in map(json.loads, first.stdout.splitlines())}
    assert {name: line["state"] for name, line in lines.items()} == {
        "one": "done", "two": "done", "bad": "failed"}  # fmt: skip
    assert [Path(file).name for file in lines["two"]["files"]] == ["two@3.png", "two@4.png"]
    assert "broken.png" in lines["bad"]["error"]
    assert "2 done, 1 failed" in first.stderr

    again = run_sow(*words, "--json")
    assert (again.returncode, again.stdout) == (9, "")
    assert "2 done before, 1 failed before: --retry-failed" in again.stderr

    status = run_sow("batch", "status", "out", "--json")
    told = json.loads(status.stdout)
    assert (told["done"], told["failed"], told["failures"][0]["line"]) == (2, 1, 3)

    shown = run_sow("show", "out/two@4.png")
    assert "seed" in shown.stdout
    packed = run_sow("batch", "export", "out", "--to", "webdataset", "--out", "shards")
    assert packed.returncode == 0, packed.stderr
    assert list((tmp_path / "shards").glob("*.tar"))


def test_all_that_is_wrong_is_told_at_once(run_sow, manifest):
    jobs = manifest(job("../../x"), job("ok"), {"id": "no"}, job("gone", image="gone.png"))
    ran = run_sow("batch", jobs, "--out", "out", "--model", "figures")
    assert ran.returncode == 2
    assert "3 lines invalid" in ran.stderr
    for said in (
        "line 1: '../../x' cannot name files",
        "line 3: no picture",
        "line 4: there is no",
    ):
        assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(jobs.parent.glob("out/*.png"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("batch", "nothing.jsonl", "--out", "out"), 2, "nothing.jsonl"),
        (("batch", "status", "nowhere"), 6, "no batch has run in 'nowhere'"),
        (("batch", "export", "nowhere", "--to", "parquet", "--out", "x"), 6, "no batch has run"),
        (("batch", "nothing.jsonl", "--out", "out", "--batch-size", "65"), 2, "--batch-size"),
        (("batch",), 0, "Usage"),
    ],
)
def test_stated_answers(run_sow, words, code, said):
    ran = run_sow(*words)
    assert ran.returncode == code
    assert said in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("number", [0, -1, 65, True, 2.0, "8"])
def test_batches_are_of_some_pictures_and_not_of_too_many(manifest, tmp_path, number):
    """Else no picture is ever ready, or each is made and then its recipe is refused."""
    with pytest.raises(UsageError, match=r"batch_size=|batches of"):
        run_batch(manifest(job("one")), tmp_path / "out", model="figures", batch_size=number)
    assert Options(batch_size=MAX_BATCH_SIZE).resolved().batch_size == MAX_BATCH_SIZE
    said = Recipe.model_json_schema()["properties"]["batch_size"]
    assert (said["minimum"], said["maximum"]) == (1, MAX_BATCH_SIZE)


def test_settings_are_those_of_the_preset_and_likeness_of_all_jobs():
    """As `sow generate` takes them."""
    with pytest.raises(UsageError, match="preserve"):
        assigned_settings(Request(settings=["t1=3"]))
    assert assigned_settings(Request(settings=["t1=3"], likeness=0.3)) == {"t1": 3}
    both = Request(settings=["t1=3", "likeness=0.3"])
    assert assigned_settings(both) == {"t1": 3, "likeness": 0.3}
    assert assigned_settings(Request(settings=["cycles=2"], preset="style")) == {"cycles": 2}


def test_another_model_wants_another_folder(run_sow, manifest, tiny_folder):
    jobs = manifest(job("one"))
    words = ("batch", jobs, "--out", "out", *SMALL)
    assert run_sow(*words, "--model", "figures").returncode == 0
    other = run_sow(*words, "--model", tiny_folder)
    assert other.returncode == 6
    assert "made with model=figures" in other.stderr


@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent otherwise there")
def test_an_interrupt_ends_in_good_order_and_the_same_command_goes_on(run_sow, manifest, tmp_path):
    count = 16
    jobs = manifest(*(job(f"j{n}", count=8) for n in range(2)))
    words = ["batch", str(jobs), "--out", str(tmp_path / "out"), "--model", "figures",
             "--batch-size", "2", *SMALL]  # fmt: skip
    runner = subprocess.Popen(
        [sys.executable, "-m", "sow", *words], stderr=subprocess.PIPE, text=True,
        env={**os.environ, **NO_KEYS}, preexec_fn=hear_interrupts,
    )  # fmt: skip
    while not list(tmp_path.glob("out/*.png")) and runner.poll() is None:
        time.sleep(0.05)
    runner.send_signal(signal.SIGINT)
    _, said = runner.communicate(timeout=60)
    assert runner.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*.png")}
    told = (tmp_path / "out/metadata.jsonl").read_text().splitlines()
    assert 0 < len(made) == len(told)
    assert f"{len(made)} of {count} pictures are saved" in said
    ledger = Ledger(tmp_path / "out")
    assert ledger.counts()["running"] == 0
    ledger.close()
    if len(made) < count:
        assert run_sow(*words).returncode == 0
    assert len(list(tmp_path.glob("out/*.png"))) == count
    assert all(path.stat().st_mtime_ns == when for path, when in made.items())
