"""The ledger: what was recorded happened, what was not did not, and nobody has a job twice."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from sow.batch.ledger import registry, schema
from sow.batch.ledger.admission import admit, requeue_missing
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.manifest_check import JobSource
from sow.batch.ledger.registry import DEAD_AFTER, MAX_DEATHS
from sow.batch.ledger.schema import VERSION, ledger_path
from sow.batch.manifest.manifest import parse_jobs
from sow.batch.open_ledger import read_ledger
from sow.errors import OutputError

OPTIONS = {"model": "figures"}


def make_job_source(jobs, folder) -> JobSource:
    return JobSource(lambda: parse_jobs(jobs), str(folder), "the jobs")


def job(name: str, **more) -> dict:
    return {"id": name, "image": "face.png", "prompt": "a man"} | more


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "face.png").touch()
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def ledger(folder):
    opened = Ledger(folder)
    yield opened
    opened.close()


def admit_jobs(ledger, *jobs, **more):
    return admit(ledger, make_job_source(jobs, ledger.folder.parent), OPTIONS, **more)


def finish(ledger, claimed, seed=None) -> bool:
    seed = claimed.seeds[0] if seed is None else seed
    name = claimed.file_of(seed)
    return ledger.record(claimed, seed, {name: b"a picture"}, {"file_name": name}, 1.0)


def test_a_job_is_claimed_by_one_runner_at_a_time(ledger, folder):
    admit_jobs(ledger, *(job(f"j{n}") for n in range(40)))
    others = [Ledger(folder) for _ in range(3)]
    had: list[str] = []

    def work(one):
        while taken := one.claim(3):
            had.extend(claimed.job.id for claimed in taken)
            assert all(finish(one, claimed) for claimed in taken)

    threads = [threading.Thread(target=work, args=(one,)) for one in (ledger, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(had) == sorted(f"j{n}" for n in range(40))
    assert ledger.counts() == {"waiting": 0, "running": 0, "done": 40, "failed": 0}
    for one in others:
        one.close()


def test_jobs_are_claimed_in_the_order_of_their_lines(ledger):
    admit_jobs(ledger, job("z"), job("a"), job("m"))
    assert [claimed.job.id for claimed in ledger.claim(2)] == ["z", "a"]
    assert [claimed.job.id for claimed in ledger.claim(2)] == ["m"]
    assert ledger.claim(2) == []


def test_closing_releases_unfinished_jobs(ledger, folder):
    admit_jobs(ledger, job("a"), job("b"))
    other = Ledger(folder)
    assert len(other.claim(9)) == 2
    assert ledger.claim(9) == []
    other.close()
    assert len(ledger.claim(9)) == 2


DYING = """
import os, sys
from pathlib import Path
from sow.batch.ledger.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
taken = ledger.claim(9)
ledger.mark_started([claimed.job.id for claimed in taken])
print(len(taken), flush=True)
os.kill(os.getpid(), 9)
"""


def die_over(folder) -> int:
    run = subprocess.run([sys.executable, "-c", DYING, str(folder)], capture_output=True, text=True)
    return int(run.stdout)


@pytest.mark.skipif(os.name == "nt", reason="no kill -9")
def test_jobs_of_a_killed_runner_are_requeued_at_once(ledger, folder):
    admit_jobs(ledger, job("a"), job("b"))
    assert die_over(folder) == 2
    assert ledger.counts()["running"] == 2
    assert len(ledger.claim(9)) == 2


@pytest.mark.skipif(os.name == "nt", reason="no kill -9")
def test_a_job_that_kills_runners_fails(ledger, folder):
    admit_jobs(ledger, job("a"))
    for _ in range(MAX_DEATHS):
        assert die_over(folder) == 1
    assert ledger.claim(1) == []
    (failure,) = ledger.failures()
    assert "runners died" in failure.reason
    assert ledger.retry_failed() == 1
    assert len(ledger.claim(1)) == 1


def test_a_picture_that_cannot_be_written_is_not_recorded(ledger):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    (ledger.folder / "a.png").mkdir()  # nothing can be renamed to it
    with pytest.raises(OutputError, match="cannot be written"):
        finish(ledger, claimed)
    assert list(ledger.picture_metadata()) == []
    assert ledger.counts()["running"] == 1


def test_a_runner_that_lost_a_job_writes_nothing(ledger, folder):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    with ledger.transaction() as database:
        database.execute("UPDATE jobs SET owner = 99")
    assert not finish(ledger, claimed)
    assert not (folder / "a.png").exists()


def test_pictures_of_a_job_are_recorded_one_by_one(ledger):
    admit_jobs(ledger, job("a", count=3, seed=5))
    (claimed,) = ledger.claim(1)
    assert claimed.seeds == (5, 6, 7)
    assert finish(ledger, claimed, 6)
    ledger.close()
    again = Ledger(ledger.folder)
    (rest,) = again.claim(1)
    assert rest.seeds == (5, 7)
    assert finish(again, rest, 5)
    assert again.counts()["running"] == 1
    assert finish(again, rest, 7)
    assert again.counts()["done"] == 1
    again.close()


def test_a_missing_picture_is_made_again(ledger, folder):
    admit_jobs(ledger, job("a", count=2, seed=1), job("b"))
    for claimed in ledger.claim(2):
        for seed in claimed.seeds:
            finish(ledger, claimed, seed)
    (folder / "a@2.png").unlink()
    assert requeue_missing(ledger) == 1
    (claimed,) = ledger.claim(9)
    assert (claimed.job.id, claimed.seeds) == ("a", (2,))


def test_a_missing_picture_of_a_running_job_is_left_alone(ledger, folder):
    admit_jobs(ledger, job("a", count=2, seed=1))
    (claimed,) = ledger.claim(1)
    finish(ledger, claimed, 1)
    (folder / "a@1.png").unlink()
    other = Ledger(folder)
    assert requeue_missing(other) == 0
    other.close()
    assert finish(ledger, claimed, 2)
    assert ledger.counts()["done"] == 1


def test_a_runner_declared_dead_registers_again(ledger, folder):
    admit_jobs(ledger, job("a"), job("b"))
    (lost,) = ledger.claim(1)
    with ledger.transaction() as database:  # as another host would, after a long pause
        database.execute("DELETE FROM runners")
    assert not finish(ledger, lost)
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["a", "b"]


@pytest.mark.parametrize("ahead", [60.0, 1e6, 1e18, float("inf")])
def test_a_runner_whose_clock_is_ahead_is_not_waited_for_for_ever(ledger, monkeypatch, ahead):
    admit_jobs(ledger, job("a"))
    with ledger.transaction() as database:
        database.execute("INSERT INTO runners VALUES (77, 'elsewhere', ?)", (time.time() + ahead,))
        database.execute("UPDATE jobs SET state = 'running', owner = 77")
    assert ledger.claim(9) == []  # it may live
    clock = time.monotonic() + DEAD_AFTER - 5
    monkeypatch.setattr(registry.time, "monotonic", lambda: clock)
    assert ledger.claim(9) == []
    with ledger.transaction() as database:
        database.execute(
            "UPDATE runners SET beat = beat * 0.999999999 WHERE number = 77"
        )  # it does
    assert ledger.claim(9) == []
    clock += DEAD_AFTER - 5
    if ahead != float("inf"):
        assert ledger.claim(9) == []
    clock += DEAD_AFTER
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["a"]


def test_jobs_of_unknown_runners_are_requeued(ledger):
    admit_jobs(ledger, job("a"))
    ledger.claim(1)
    assert not ledger.others_running()
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["a"]


def test_a_restart_with_other_options_stops_older_runners(ledger, folder):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    other = Ledger(folder)
    admit(other, make_job_source([job("a")], folder.parent), {"model": "sd2.1"}, force=True)
    with pytest.raises(OutputError, match="restarted with other options"):
        finish(ledger, claimed)
    assert not (folder / "a.png").exists()
    other.close()


def test_a_long_read_does_not_block_writers(ledger, folder):
    admit_jobs(ledger, *(job(f"j{n}") for n in range(1200)))
    for claimed in ledger.claim(1100):
        finish(ledger, claimed)
    reading = ledger.picture_metadata()
    next(reading)
    other = Ledger(folder)
    (theirs,) = other.claim(1)
    assert finish(other, theirs)
    (ours,) = ledger.claim(1)
    assert finish(ledger, ours)
    assert len(list(reading)) == 1099
    other.close()


def test_concurrent_creation_of_a_ledger(tmp_path):
    for number in range(6):
        with ThreadPoolExecutor(5) as pool:
            opened = list(pool.map(Ledger, [tmp_path / str(number)] * 5))
        for one in opened:
            one.close()


def test_a_damaged_ledger(folder, ledger):
    ledger.close()
    ledger_path(folder).write_bytes(b"nonsense" * 4096)
    with pytest.raises(OutputError, match=r"is damaged .* move its"):
        Ledger(folder)


def test_a_truncated_ledger(folder, ledger):
    admit_jobs(ledger, *(job(f"j{n}") for n in range(300)))
    ledger.close()
    data = ledger_path(folder).read_bytes()
    ledger_path(folder).write_bytes(data[: len(data) // 2])
    with pytest.raises(OutputError, match="is damaged"):  # noqa: PT012  # wherever it shows
        half = Ledger(folder)
        half.counts()
        list(half.claim(400))
        list(half.picture_metadata())


def test_a_ledger_of_a_newer_version(folder, ledger):
    ledger.close()
    with sqlite3.connect(ledger_path(folder)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(OutputError, match="this SOW reads up to 1; update"):
        Ledger(folder)


def test_another_database_is_not_changed(folder, ledger):
    ledger.close()
    path = ledger_path(folder)
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE holidays (day TEXT)")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is not a ledger"):
        Ledger(folder)
    assert path.read_bytes()[100:] == before[100:]  # but for the mode of its journal


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to"):
        Ledger(tmp_path)


def test_a_full_disk_loses_nothing(ledger):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    ledger._database.execute("PRAGMA max_page_count = 1")  # no page more than there are
    told = {"file_name": "a.png", "notes": ["x" * 100_000]}
    with pytest.raises(OutputError, match="is full"):
        ledger.record(claimed, claimed.seeds[0], {"a.png": b"a picture"}, told, 1.0)
    ledger._database.execute("PRAGMA max_page_count = 1000000")
    assert list(ledger.picture_metadata()) == []
    assert finish(ledger, claimed)


@pytest.mark.parametrize("name", ["begin.lock", "runner-1.lock"])
def test_a_folder_in_the_place_of_a_lock_is_one_line(folder, name):
    (folder / ".sow" / name).mkdir(parents=True)

    def work():
        with closing(Ledger(folder)) as opened:
            admit_jobs(opened, job("a"))
            opened.claim(1)

    with pytest.raises(OutputError, match=rf"cannot be written to \(Is a directory: {name}\)"):
        work()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ESTALE, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_to_is_one_line(folder, monkeypatch, number):
    """As root nothing is forbidden, so the system's answer is given for it."""

    def refused(*words, **more):
        raise OSError(number, os.strerror(number), str(folder / ".sow" / "begin.lock"))

    monkeypatch.setattr(schema.FileLock, "acquire", refused)
    with pytest.raises(OutputError, match="cannot be written to") as caught:
        Ledger(folder)
    assert os.strerror(number) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("statements", [
    "ALTER TABLE jobs RENAME TO old; CREATE VIEW jobs AS WITH RECURSIVE n(i) AS (SELECT 1 UNION "
    "ALL SELECT i + 1 FROM n) SELECT 'x' AS id, i AS pass, 'done' AS state FROM n",
    "CREATE TRIGGER endless AFTER UPDATE ON jobs BEGIN INSERT INTO retired SELECT i FROM (WITH "
    "RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END",
])  # fmt: skip
def test_a_view_or_a_trigger_that_never_ends_is_not_begun(folder, statements):
    Ledger(folder).close()
    with closing(sqlite3.connect(ledger_path(folder))) as database:
        database.executescript(statements)
    with pytest.raises(OutputError, match="unexpected tables"), read_ledger(folder) as opened:
        opened.counts()
