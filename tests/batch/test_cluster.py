"""Batches with Ray: an owner has the ledger, runners may die, nothing is lost or made twice."""

from __future__ import annotations

import os
import signal
import socket
from functools import partial

import far
import pytest
from test_ledger import OPTIONS, job, make_job_source
from test_run import batch_of, hashes, jobs_of, picture

from sow.batch.ledger.admission import admit
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.registry import MAX_DEATHS
from sow.batch.open_ledger import read_ledger
from sow.batch.runners.cluster import Cluster, runner_resources
from sow.batch.runners.ray_ledger import LedgerActor
from sow.errors import DeviceError, ModelError, UsageError

__all__ = ["batch_of", "picture"]  # fixtures of runners, which are those of this file too

ray = pytest.importorskip("ray")


def node(**resources) -> dict:
    return {"Alive": True, "Resources": resources}


@pytest.mark.parametrize(
    ("nodes", "wanted", "device", "workers", "resources"),
    [
        ([node(CPU=8)], None, "auto", 1, {"num_cpus": 8}),
        ([node(CPU=8)], 3, "auto", 3, {"num_cpus": 2}),
        ([node(CPU=8), node(CPU=4)], None, "auto", 2, {"num_cpus": 4}),
        ([node(CPU=8), node(CPU=4)], 3, "cpu", 3, {"num_cpus": 4}),
        ([node(CPU=3), node(CPU=3)], 4, "auto", 4, {"num_cpus": 1}),
        ([node(CPU=64, GPU=8), node(CPU=64, GPU=4)], None, "auto", 12,
         {"num_gpus": 1, "num_cpus": 1}),
        ([node(CPU=64, GPU=8)], 2, "cuda", 2, {"num_gpus": 1, "num_cpus": 1}),
        ([node(CPU=64, GPU=8)], None, "cpu", 1, {"num_cpus": 64}),
        ([node(CPU=2), {"Alive": False, "Resources": {"CPU": 9}}], 2, "auto", 2, {"num_cpus": 1}),
        ([node(CPU=2), node()], None, "auto", 1, {"num_cpus": 2}),
    ],
)  # fmt: skip
def test_each_runner_gets_a_gpu_or_its_part_of_a_machine(nodes, wanted, device, workers, resources):
    share = runner_resources(nodes, wanted, device)
    assert (share.workers, share.resources) == (workers, resources)


@pytest.mark.parametrize(
    ("nodes", "wanted", "what"),
    [([node(CPU=4, GPU=1)], 2, "only 1 GPUs"), ([node(CPU=2)], 3, "only 2 cores"),
     ([node()], None, "only 0 cores")],
)  # fmt: skip
def test_no_room_is_told(nodes, wanted, what):
    with pytest.raises(DeviceError, match=what):
        runner_resources(nodes, wanted, "auto")


@pytest.fixture
def owner(tmp_path):
    """Of a folder with twelve jobs, two pictures each."""
    (tmp_path / "face.png").touch()
    (tmp_path / "out").mkdir()
    with_jobs = Ledger(tmp_path / "out")
    jobs = [job(f"j{n:02d}", count=2) for n in range(12)]
    admit(with_jobs, make_job_source(jobs, tmp_path), OPTIONS)
    asked = LedgerActor(partial(Ledger, tmp_path / "out"), with_jobs.options)
    yield asked
    asked.close()
    with_jobs.close()


def hand_in(owner, runner, claimed, seed) -> bool:
    name = claimed.file_of(seed)
    return owner.record(runner, claimed, seed, {name: b"a picture"}, {"file_name": name}, 1.5)


def test_runners_share_the_jobs_and_their_results_are_told_once(owner):
    one, two = owner.register_runner(), owner.register_runner()
    mine, others = owner.claim(one, 3), owner.claim(two, 3)
    assert not {claimed.job.id for claimed in mine} & {claimed.job.id for claimed in others}
    first = mine[0]
    assert hand_in(owner, one, first, first.seeds[0])
    assert owner.take_events().results == []  # one of its two pictures is missing
    assert not hand_in(owner, two, first, first.seeds[1])  # it is not that runner's
    assert hand_in(owner, one, first, first.seeds[1])
    assert owner.fail(two, others[0], "no head")
    done, failed = owner.take_events().results
    assert (done.id, done.done, done.files, done.seconds) == (
        first.job.id, True, tuple(first.job.files), 3.0)  # fmt: skip
    assert (failed.id, failed.error) == (others[0].job.id, "no head")
    assert owner.take_events().results == []


def test_what_a_dead_runner_had_goes_to_the_others(owner):
    one, two = owner.register_runner(), owner.register_runner()
    had = {claimed.job.id for claimed in owner.claim(one, 20)}
    assert len(had) == 12
    assert owner.claim(two, 20) == []
    owner.mark_dead(one)
    taken = owner.claim(two, 20)
    assert {claimed.job.id for claimed in taken} == had
    # Whoever was taken for dead and is not keeps nothing.
    assert not hand_in(owner, one, taken[0], taken[0].seeds[0])


def test_a_job_that_kills_its_runners_is_given_up(owner):
    for _ in range(MAX_DEATHS):
        runner = owner.register_runner()
        (claimed, *_) = owner.claim(runner, 1)
        owner.mark_started(runner, [claimed.job.id])
        owner.mark_dead(runner)
    last = owner.register_runner()
    assert len(owner.claim(last, 20)) == 11


def test_what_cannot_be_asked_of_ray_is_told(batch_of, picture, monkeypatch):
    for cluster, what in ((Cluster("ray://head:10001"), "inside the cluster"),
                          (Cluster(workers=0), "workers=0")):  # fmt: skip
        with pytest.raises(UsageError, match=what):
            batch_of(jobs_of(picture, 1), cluster=cluster)
    with pytest.raises(UsageError, match="its own"):
        batch_of(jobs_of(picture, 1), cluster=Cluster(), device="cuda:1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed"):
        batch_of(jobs_of(picture, 1), cluster=Cluster())


def test_nobody_at_an_address_is_told_at_once(batch_of, picture):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    for cluster in (Cluster(address), Cluster("nonsense")):
        with pytest.raises(DeviceError, match="no Ray cluster at"):
            list(batch_of(jobs_of(picture, 1), cluster=cluster))


@pytest.fixture(scope="module")
def local_ray():
    """A real cluster of this machine; what waits for it is not timed, see pyproject.toml."""
    before = os.environ.get("RAY_USAGE_STATS_ENABLED")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    yield
    ray.shutdown()
    if before is None:
        del os.environ["RAY_USAGE_STATS_ENABLED"]


def kill_one(batch) -> None:
    """As if the machine had lost it: no goodbye."""
    actor = batch.runner._runners[0].actor
    os.kill(ray.get(actor.__ray_call__.remote(lambda worker: os.getpid())), signal.SIGKILL)


@pytest.mark.usefixtures("local_ray")
def test_a_runner_that_is_killed_costs_no_picture(batch_of, picture, tmp_path):
    jobs = jobs_of(picture, 24)
    list(batch_of(jobs, out="plain", size=2))
    batch, results = batch_of(jobs, size=2, cluster=Cluster(workers=2)), []
    for result in batch:
        results.append(result)
        if len(results) == 2:
            kill_one(batch)
    assert sorted(result.id for result in results) == sorted(job["id"] for job in jobs)
    assert all(result.done for result in results)
    assert all(path.is_file() for result in results for path in result.files)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "plain")
    assert len((tmp_path / "out/metadata.jsonl").read_text().splitlines()) == 24
    assert not list((tmp_path / "out/.sow").glob("runner-*.lock"))


@pytest.mark.usefixtures("local_ray")
def test_pictures_go_where_the_results_are(batch_of, picture, tmp_path, monkeypatch):
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))  # which the owner is not told
    there = f"file://{tmp_path}/elsewhere"
    list(batch_of(jobs_of(picture, 4), out="plain", size=2))
    results = list(far.batch(jobs_of(picture, 4), there, batch_of.model, cluster=Cluster()))
    assert all(result.done for result in results)
    assert {file for result in results for file in result.files} == {
        f"{there}/j{number}.png" for number in range(4)
    }
    assert hashes(tmp_path / "elsewhere") == hashes(tmp_path / "plain")
    with read_ledger(there) as ledger:
        assert ledger.counts()["done"] == 4
    assert not (tmp_path / "elsewhere/.sow/owner.json").exists()


@pytest.mark.usefixtures("local_ray")
def test_a_runner_elsewhere_is_sent_the_files(owner, tmp_path, picture):
    from sow.batch.runners.ray_worker import RemoteJobQueue

    (tmp_path / "face.png").write_bytes(picture.read_bytes())
    asked = ray.remote(LedgerActor).options(num_cpus=0).remote(owner._open_ledger, owner._options)
    queue = RemoteJobQueue(asked, ray.get(asked.register_runner.remote()), is_local=False)
    assert queue.num_pictures() == 24
    (claimed,) = queue.claim(1)
    with queue.input_files(claimed) as files:
        here = files["image"]
        assert here.name == "face.png"
        assert here != tmp_path / "face.png"
        assert here.read_bytes() == picture.read_bytes()
    assert not here.exists()
    (tmp_path / "face.png").unlink()
    with pytest.raises(Exception, match="No such file"), queue.input_files(claimed):
        pass
    name = claimed.file_of(claimed.seeds[0])
    assert queue.record(claimed, claimed.seeds[0], {name: b"sent"}, {"file_name": name}, 1.0)
    assert (tmp_path / "out" / name).read_bytes() == b"sent"
    ray.kill(asked)


@pytest.mark.usefixtures("local_ray")
def test_what_is_wrong_with_the_model_ends_the_run(batch_of, picture, tmp_path):
    broken = tmp_path / "model"
    broken.mkdir()
    with pytest.raises(ModelError):
        list(batch_of(jobs_of(picture, 1), cluster=Cluster(workers=1), model=str(broken)))
