"""`sow batch` as users type it: run, go on, interrupt, look, and every stated answer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import NO_KEYS
from conftest import EXAMPLES, hear_interrupts

from sow.batch import cost
from sow.batch.ledger.ledger import Ledger
from sow.batch.run_batch import Batch, run_batch
from sow.batch.runners.options import Options
from sow.batch.sources import make_job_source
from sow.cli.batch_options import assigned_settings
from sow.errors import UsageError
from sow.pictures.recipe import Recipe
from sow.service.budget import never_agree
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.service import Service
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
        (("batch", "status", "nowhere"), 6, "no batch has run in 'nowhere'; give the --out folder"),
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


@pytest.mark.parametrize(
    "jobs",
    [(job("many", count=10_000, canvas=512),),
     (job("large", count=700, canvas=1024, settings={"cycles": 10}), job("one")),
     tuple(job(f"j{n}", canvas=[1024, 1024], count=300) for n in range(3))],
)  # fmt: skip
def test_a_batch_that_costs_far_more_than_usual_is_asked_about_once(
    run_sow, manifest, tmp_path, jobs
):
    words = ("batch", manifest(*jobs), "--out", "out", "--model", "figures", "--planner", "offline")
    ran = run_sow(*words)
    assert ran.returncode == 2
    assert re.search(r"pictures may take \d+ UNet samples of 512x512.*--yes", ran.stderr)
    assert not list(tmp_path.glob("out/*.png"))


def test_only_pictures_that_are_left_count(manifest, tmp_path):
    """Lines of one kind are counted together, on the canvas of the model."""
    jobs = manifest(job("a", count=9_000), job("b", count=9_000), job("c", count=9_000))
    asked = []

    def counted():
        batch = Batch(make_job_source(jobs, None, {}, tmp_path / "out"), tmp_path / "out",
                      Options("figures", planner=PlannerChoice("offline")))  # fmt: skip
        batch.confirm_cost(lambda line: asked.append(line) is None)
        return batch.ledger

    ledger = counted()
    assert asked == []  # on 128x128 they take a sixteenth
    with ledger.transaction() as database:
        database.execute("UPDATE jobs SET job = json_set(job, '$.canvas', 512) WHERE id = 'a'")
    ledger.close()
    ledger = counted()
    assert re.match(r"27000 pictures may take \d{6} ", asked.pop())
    with ledger.transaction() as database:
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) "
            "INSERT INTO pictures SELECT 'a@' || i || '.png', 'a', i, '', '{}' FROM n"
        )
        database.execute("UPDATE jobs SET state = 'done' WHERE id = 'b'")
    cost.confirm_cost(ledger, Service("figures"), never_agree)
    ledger.close()


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
