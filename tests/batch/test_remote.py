"""Batches whose jobs, pictures and results are elsewhere, in memory: the same answers as here."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from far import all_of, batch, jobs, killed_after, time_passes
from far_fixtures import face, far, machine  # noqa: F401
from test_ledger import OPTIONS, job, make_job_source
from test_run import hashes, jobs_of

from sow.batch.ledger.admission import BadManifest, admit
from sow.batch.open_ledger import read_ledger
from sow.batch.remote import lease, snapshots
from sow.batch.remote.ledger import RemoteLedger
from sow.batch.runners.publishing import Publisher
from sow.errors import OutputError, UsageError


def test_the_same_pictures_as_here(far, face, tiny_folder, tmp_path):
    list(batch(jobs_of(face, 4), tmp_path / "here", tiny_folder))
    manifest = far.manifest(*jobs(4))
    results = all_of(manifest, "memory://bucket/work/out", tiny_folder)
    assert results["j3"].files == ("memory://bucket/work/out/j3.png",)
    assert far.pictures() == hashes(tmp_path / "here")
    here = {str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*")
            if path.is_file() and path.suffix != ".lock"}  # fmt: skip
    assert far.names() == here  # neither more nor less: no lease, nothing half written
    told = far.read("out/metadata.jsonl").decode().splitlines()
    assert [json.loads(line)["picture"] for line in told] == ["faces/face.png"] * 4
    assert b"sow" in far.read("out/index.html")


@pytest.mark.parametrize("second", ["first", "another"])
def test_a_list_that_was_edited_there_is_set_aside(far, machine, tmp_path, second):
    """Also by a machine that has not written it."""
    (tmp_path / "face.png").touch()

    def publish(number):
        said = []
        with closing(RemoteLedger(f"{far.address}/out")) as ledger:
            ledger.report = lambda kind, line: said.append(line)
            lines = [job(f"j{n}", image=str(tmp_path / "face.png")) for n in range(number)]
            admit(ledger, make_job_source(lines, tmp_path), OPTIONS)
            for claimed in ledger.claim(9):
                (seed,), name = claimed.seeds, claimed.job.id
                told = {"file_name": f"{name}.png", "id": name, "seed": seed, "prompt": "a",
                        "seconds": 1.0, "notes": []}  # fmt: skip
                ledger.record(claimed, seed, {f"{name}.png": b"a picture"}, told, 1.0)
            for _ in range(2):
                ledger.set_meta("stale", "1")
                Publisher(ledger).publish()
        return said

    assert publish(1) == publish(1) == []
    edited = far.read("out/metadata.jsonl") + b'{"file_name": "mine.png"}\n'
    far.put("out/metadata.jsonl", edited)
    machine(second)
    moved = ".sow/replaced/metadata.jsonl"
    assert publish(1) == [f"there was another metadata.jsonl: it is {moved} now"]
    assert far.read(f"out/{moved}") == edited
    assert far.read("out/metadata.jsonl").count(b"\n") == 1
    assert publish(2) == []


def test_every_mix_of_here_and_there(far, face, tiny_folder, tmp_path):
    (tmp_path / "jobs.jsonl").write_text(
        "".join(json.dumps(job) + "\n" for job in jobs_of(f"{far.address}/faces/face.png", 2))
    )
    out = tmp_path / "out"
    assert len(all_of(tmp_path / "jobs.jsonl", out, tiny_folder)) == 2
    assert len(all_of(far.manifest(*jobs(2)), tmp_path / "too", tiny_folder)) == 2
    assert len(all_of(jobs_of(face, 2), "memory://bucket/work/out", tiny_folder)) == 2
    assert hashes(out) == hashes(tmp_path / "too") == far.pictures()


def test_a_folder_of_pictures_with_prompts(far, tiny_folder, tmp_path):
    far.put("prompts.txt", b"a man\na woman\n")
    far.put("faces/notes.txt", b"none")
    (tmp_path / "prompts.txt").write_text("a man\na woman\n")
    defaults = {"plan": jobs(1)[0]["plan"], "settings": jobs(1)[0]["settings"]}
    from sow.batch.sources import make_job_source

    for prompts in (f"{far.address}/prompts.txt", tmp_path / "prompts.txt"):
        source = make_job_source(f"{far.address}/faces", prompts, defaults, f"{far.address}/out")
        found = [job for _, job in source.jobs()]
        assert [(job.image, job.prompt) for job in found] == [
            ("face.png", "a man"), ("face.png", "a woman")]  # fmt: skip
        assert source.folder == f"{far.address}/faces"
    faces = f"{far.address}/faces"
    with pytest.raises(UsageError, match="folder of the pictures"):
        make_job_source(faces, tmp_path / "prompts.txt", {}, f"{faces}/")
    with pytest.raises(UsageError, match="no pictures in"):
        make_job_source(f"{far.address}/none", tmp_path / "prompts.txt", {}, f"{far.address}/out")


def test_the_same_again_makes_nothing_and_what_is_gone_is_made_again(far, tiny_folder):
    manifest, out = far.manifest(*jobs(3)), f"{far.address}/out"
    assert len(all_of(manifest, out, tiny_folder)) == 3
    before = far.pictures()
    assert all_of(manifest, out, tiny_folder) == {}
    far.remove("out/j1.png")
    again = batch(manifest, out, tiny_folder)
    assert again.missing == 1
    assert [result.id for result in again] == ["j1"]
    assert far.pictures() == before


def test_what_is_put_and_noted_meanwhile_is_not_gone(far, tmp_path):
    """The ledger's rows are as they were when they were first asked for: that is before."""
    from sow.batch.remote.store import RemoteStore
    from sow.storage.storage import Storage

    def names():
        far.put("out/late.png", b"")  # by another runner, between the two
        yield from ("late.png", "gone.png")

    store = RemoteStore(Storage(f"{far.address}/out"), tmp_path, lambda: None)
    assert list(store.missing(names())) == ["gone.png"]


def test_a_job_that_has_changed_is_set_aside(far, tiny_folder, machine):
    out = f"{far.address}/out"
    all_of(far.manifest(*jobs(3)), out, tiny_folder)
    before = far.read("out/j1.png")
    machine("second")
    changed = [job | ({"seed": 77} if job["id"] == "j1" else {}) for job in jobs(3)]
    again = batch(far.manifest(*changed), out, tiny_folder)
    assert again.admission.changed == 1
    assert [result.id for result in again] == ["j1"]
    assert far.read("out/.sow/replaced/j1.png") == before != far.read("out/j1.png")


def test_files_of_somebody_else_are_not_written_over(far, tiny_folder):
    manifest, out = far.manifest(*jobs(2)), f"{far.address}/out"
    far.put("out/metadata.jsonl", b"mine")
    with pytest.raises(OutputError, match="is not from a batch"):
        batch(manifest, out, tiny_folder)
    far.remove("out/metadata.jsonl")
    far.put("out/j1.png", b"mine")
    with pytest.raises(BadManifest, match=r"j1\.png exists and is not"):
        batch(manifest, out, tiny_folder)
    far.remove("out/j1.png")
    far.put("out/index.html", b"mine")
    assert far.names() == {"index.html"}  # a refused batch leaves nothing
    all_of(manifest, out, tiny_folder, force=True)
    assert far.read("out/.sow/replaced/index.html") == b"mine"


def test_another_machine_goes_on_and_makes_nothing_twice(far, tiny_folder, machine):
    manifest, out = far.manifest(*jobs(8)), f"{far.address}/out"
    first = batch(manifest, out, tiny_folder)
    results = iter(first)
    ended = {next(results).id for _ in range(3)}
    results.close()  # as an interrupt does
    known = set(far.pictures())
    assert {f"{name}.png" for name in ended} <= known
    machine("second")
    rest = all_of(manifest, out, tiny_folder)
    assert {f"{name}.png" for name in rest} == {f"j{n}.png" for n in range(8)} - known
    machine("first")  # whose own ledger is older by now
    assert all_of(manifest, out, tiny_folder) == {}
    assert len(far.read("out/metadata.jsonl").splitlines()) == 8


def test_what_a_lost_machine_made_after_its_last_snapshot_is_made_again(
    far, tiny_folder, machine, face, tmp_path
):
    list(batch(jobs_of(face, 6), tmp_path / "here", tiny_folder))
    manifest, out = far.manifest(*jobs(6)), f"{far.address}/out"
    killed_after(batch(manifest, out, tiny_folder), 2)
    assert len(far.pictures()) >= 2
    with read_ledger(out) as ledger:  # this machine's, which knows more than the snapshot
        assert ledger.counts()["done"] >= 2
    machine("second")
    with read_ledger(out) as ledger:
        assert ledger.counts() == {"waiting": 6, "running": 0, "done": 0, "failed": 0}
    with pytest.raises(OutputError, match="is in use by"):
        batch(manifest, out, tiny_folder)
    time_passes(far)
    assert len(all_of(manifest, out, tiny_folder)) == 6
    assert far.pictures() == hashes(tmp_path / "here")


def test_a_machine_that_was_killed_goes_on_at_once_with_all_that_it_had(far, tiny_folder):
    manifest, out = far.manifest(*jobs(6)), f"{far.address}/out"
    killed_after(batch(manifest, out, tiny_folder), 3)
    made = set(far.pictures())
    rest = all_of(manifest, out, tiny_folder)
    assert {f"{name}.png" for name in rest} == {f"j{n}.png" for n in range(6)} - made
    assert "owner.json" not in "".join(far.names())


def test_two_runners_of_a_machine_share_the_work(far, tiny_folder):
    manifest, out = far.manifest(*jobs(10)), f"{far.address}/out"
    runners = [batch(manifest, out, tiny_folder) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        ended = [result.id for results in pool.map(list, runners) for result in results]
    assert sorted(ended) == [f"j{n}" for n in range(10)]
    assert len(far.read("out/metadata.jsonl").splitlines()) == 10
    assert ".sow/owner.json" not in far.names()


def test_results_that_were_removed_begin_anew(far, tiny_folder):
    manifest, out = far.manifest(*jobs(2)), f"{far.address}/out"
    all_of(manifest, out, tiny_folder)
    far.system.rm(f"{far.root}/out", recursive=True)
    assert len(all_of(manifest, out, tiny_folder)) == 2


def test_snapshots_are_put_while_it_runs(far, tiny_folder, monkeypatch):
    monkeypatch.setattr(snapshots, "MIN_INTERVAL", 0.05)
    running = batch(far.manifest(*jobs(12)), f"{far.address}/out", tiny_folder)
    results = iter(running)
    next(results)
    first = far.read("out/.sow/ledger.sqlite")
    waited = time.monotonic() + 60
    while far.read("out/.sow/ledger.sqlite") == first and time.monotonic() < waited:
        time.sleep(0.05)
        next(results, None)
    assert far.read("out/.sow/ledger.sqlite") != first
    results.close()


def test_the_lease_is_of_a_machine_and_not_of_a_runner(far, machine, tmp_path):
    from sow.storage.storage import Storage

    def taken(name):
        return lease.Lease(Storage(f"{far.address}/out"), tmp_path / name, lambda: calls.append(1))

    calls = []
    one, two = taken("here"), taken("here")
    assert len(calls) == 1  # the ledger is brought by the first only
    with pytest.raises(OutputError, match=r"is in use by '.+', last seen \d+ sec"):
        taken("there")
    one.close()
    with pytest.raises(OutputError, match="is in use by"):
        taken("there")
    time_passes(far)
    three = taken("there")
    two._renew()
    with pytest.raises(OutputError, match="was taken over by"):
        two.check()
    two.close()
    three.check()
    three.close()
    assert far.names() == set()


@pytest.mark.parametrize("ahead", ["1e7", "1e300", "9" * 400, "Infinity"])
def test_an_owner_whose_clock_is_ahead_is_not_waited_for_for_ever(
    far, machine, tmp_path, monkeypatch, ahead
):
    """Its lease also has to change, by the clock of the machine that looks at it."""
    from sow.storage.storage import Storage

    def taken():
        return lease.Lease(Storage(f"{far.address}/out"), tmp_path / "here", lambda: None)

    def owned(token):
        when = f"{time.time() + 1e7}" if ahead == "1e7" else ahead
        far.put("out/.sow/owner.json", f'{{"host":"x","token":"{token}","time":{when}}}'.encode())

    monkeypatch.setattr(lease, "HEARTBEAT_INTERVAL", 1000.0)
    owned("one")
    with pytest.raises(OutputError, match=r"'x', whose clock is ahead .* again in 120 s"):
        taken()
    clock = time.time() + lease.DEAD_AFTER + 1
    monkeypatch.setattr(lease.time, "time", lambda: clock)
    owned("two")  # it has been renewed
    with pytest.raises(OutputError, match="clock is ahead"):
        taken()
    clock -= 500  # the clock here is set back: begin again
    with pytest.raises(OutputError, match="clock is ahead"):
        taken()
    clock += lease.DEAD_AFTER + 1
    taken().close()
    assert far.names() == set()


def test_a_clock_that_is_set_back_does_not_stop_the_lease(far, machine, tmp_path, monkeypatch):
    from sow.storage.storage import Storage

    one = lease.Lease(Storage(f"{far.address}/out"), tmp_path / "here", lambda: None)
    monkeypatch.setattr(lease.time, "time", lambda: 1e9)
    one.check()
    assert json.loads(far.read("out/.sow/owner.json"))["time"] == 1e9
    one.close()
