"""Runners: every good job ends as a picture, whatever its neighbours, memory or disk do."""

from __future__ import annotations

import json
import shutil
import threading
import time

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image

from sow.batch.run_batch import Batch
from sow.batch.runners import engine, runner
from sow.batch.runners.buckets import Buckets, balanced_batch_size
from sow.batch.runners.options import Options
from sow.batch.runners.publishing import thumbnail_names
from sow.batch.sources import make_job_source
from sow.errors import OutputError, PlannerError
from sow.pictures.recipe import pixels_sha256, read_recipe
from sow.service.planning import PlannerChoice
from sow.service.saved_picture import SavedPicture
from sow.service.service import Service
from sow.utils.output_folder import TemporaryFile

PROMPTS = ("a man", "a woman in the snow", "a person on the beach")
CANVAS = 64


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "face.png"
    Image.open(EXAMPLES / "drawn-beard.png").convert("RGB").resize((64, 64)).save(path)
    return path


def plan_for(prompt: str) -> dict:
    return {"canvas": [CANVAS, CANVAS], "prompt": prompt, "box": [16, 8, 32, 32],
            "subject": "face", "suppress": "human face"}  # fmt: skip


def jobs_of(picture, number: int, **more) -> list[dict]:
    """Plans are given, so that nothing but the engine takes time."""
    return [
        {"id": f"j{n}", "image": str(picture), "prompt": PROMPTS[n % 3], "seed": n,
         "plan": plan_for(PROMPTS[n % 3]), "settings": {"cycles": 1, "steps": 6, "t1": 3, "t2": 4,
                                                        "preserve": [2]}} | more
        for n in range(number)
    ]  # fmt: skip


@pytest.fixture
def batch_of(tiny_folder, tmp_path):
    def made(jobs, out="out", size=4, model=tiny_folder, device="cpu", cluster=None,
             **more) -> Batch:  # fmt: skip
        options = Options(str(model), device=device, planner=PlannerChoice("offline"),
                          batch_size=size, cluster=cluster)  # fmt: skip
        source = make_job_source(jobs, None, {}, tmp_path / out)
        return Batch(source, tmp_path / out, options, **more)

    made.model = tiny_folder
    return made


def hashes(folder) -> dict[str, str]:
    """Of the pixels: the recipes tell their places in their batches, too."""
    return {path.name: pixels_sha256(Image.open(path)) for path in folder.glob("*.png")}


def levels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), int)


def test_every_job_is_done_and_told_of(batch_of, picture, tmp_path):
    batch = batch_of([*jobs_of(picture, 5), *jobs_of(picture, 1, id="two", count=2)])
    results = {result.id: result for result in batch}
    assert sorted(results) == ["j0", "j1", "j2", "j3", "j4", "two"]
    assert all(result.done for result in results.values())
    assert [path.name for path in results["two"].files] == ["two@0.png", "two@1.png"]
    lines = (tmp_path / "out/metadata.jsonl").read_text().splitlines()
    told = {line["file_name"]: line for line in map(json.loads, lines)}
    assert set(told) == set(hashes(tmp_path / "out"))
    recipe, _ = read_recipe(tmp_path / "out/j3.png")
    assert (recipe.seed, recipe.batch_size) == (told["j3.png"]["seed"], 4) == (3, 4)
    assert (tmp_path / "out/index.html").is_file()
    for name in ("j3.webp", "j3.condition.webp", "two@1.webp"):
        assert max(Image.open(tmp_path / "out/.sow/thumbs" / name).size) <= 320


def test_every_result_tells_what_became_of_the_planted_face(batch_of, picture, tmp_path):
    """Random weights destroy it; in a part of a car there is none to look for."""
    (face,), (car,) = jobs_of(picture, 1), jobs_of(EXAMPLES / "drawn-car-part.png", 1, id="car")
    assert all(result.done for result in batch_of([face, car]))
    lines = map(json.loads, (tmp_path / "out/metadata.jsonl").read_text().splitlines())
    notes = {line["id"]: " ".join(line["notes"]) for line in lines}
    assert "the planted face was not found in the picture of seed 0" in notes["j0"]
    assert "the planted face was not checked in the picture of seed 0" in notes["car"]


def test_no_two_pictures_share_a_thumbnail(batch_of, picture, tmp_path):
    """`x.condition.webp` could be the condition of `x`, or the result of `x.condition`."""
    batch_jobs = [{**job, "id": name} for job, name in
                  zip(jobs_of(picture, 3), ("x", "x.condition", "X.CONDITION.condition"),
                      strict=True)]  # fmt: skip
    assert all(result.done for result in batch_of(batch_jobs))
    names = [thumb.lower() for job in batch_jobs for thumb in thumbnail_names(f"{job['id']}.png")]
    assert len(set(names)) == 6
    made = {f".sow/thumbs/{file.name}".lower() for file in (tmp_path / "out/.sow/thumbs").iterdir()}
    assert made == set(names)
    assert thumbnail_names("x.png") == (".sow/thumbs/x.webp", ".sow/thumbs/x.condition.webp")


def test_libraries_are_imported_before_several_threads_need_them(batch_of, picture, monkeypatch):
    """Else the first plans of a language model fail: transformers cannot be imported twice."""
    seen, plan_tasks = [], runner.JobRunner._plan_tasks
    monkeypatch.setattr(runner, "import_module", seen.append)
    monkeypatch.setattr(runner.JobRunner, "_plan_tasks", lambda self, claimed: (
        seen.append("plan"), plan_tasks(self, claimed))[1])  # fmt: skip
    assert all(result.done for result in batch_of(jobs_of(picture, 2)))
    assert seen[:3] == ["sow.pipeline.pipeline", "plan", "plan"]


def test_the_same_again_makes_nothing(batch_of, picture, tmp_path):
    jobs = jobs_of(picture, 3)
    assert len(list(batch_of(jobs))) == 3
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    again = batch_of(jobs)
    assert list(again) == []
    assert again.runner.engine.calls == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_picture_does_not_depend_on_its_company(batch_of, picture, tmp_path):
    jobs = jobs_of(picture, 6)
    list(batch_of(jobs, "all"))
    list(batch_of([jobs[4], jobs[1]], "some"))
    whole, part = hashes(tmp_path / "all"), hashes(tmp_path / "some")
    assert part == {name: whole[name] for name in ("j4.png", "j1.png")}


def test_alone_and_among_eight_differ_by_a_level_at_most(figures, picture, tmp_path):
    jobs = [{"id": f"j{n}", "image": str(EXAMPLES / "drawn-beard.png"), "seed": n,
             "prompt": prompt, "canvas": 64, "settings": {"cycles": 1}}
            for n, prompt in enumerate(PROMPTS)]  # fmt: skip
    for size in (1, 8):
        options = Options("figures", planner=PlannerChoice("offline"), batch_size=size)
        out = tmp_path / str(size)
        batch = Batch(make_job_source(jobs, None, {}, out), out, options)
        batch.runner.service._lazy_model._pipe = figures
        assert all(result.done for result in batch)
    for n in range(3):
        one, many = (levels(tmp_path / str(size) / f"j{n}.png") for size in (1, 8))
        assert np.abs(one - many).max() <= 1


def test_a_recipe_makes_the_picture_of_a_batch_again(batch_of, picture, tiny_folder, tmp_path):
    list(batch_of(jobs_of(picture, 3)))
    path = tmp_path / "out/j2.png"
    kept = SavedPicture.read(path, lambda line: True)
    service = Service(str(tiny_folder), device="cpu")
    (again,) = service.make(kept.spec_to_reproduce(service.model, "cpu"), [kept.recipe.seed])
    assert np.array_equal(np.asarray(again.image, int), levels(path))


def test_bad_jobs_fail_alone_with_a_reason_each(batch_of, picture, tmp_path):
    (tmp_path / "broken.png").write_bytes(picture.read_bytes()[:200])
    (tmp_path / "plan.json").write_text('{"canvas": [64, 64]}')
    good = jobs_of(picture, 4)
    bad = [
        {**good[0], "id": "unreadable", "image": str(tmp_path / "broken.png")},
        {**good[0], "id": "illegal", "plan": str(tmp_path / "plan.json")},
    ]
    results = {result.id: result for result in batch_of([bad[0], *good, bad[1]])}
    assert {name for name, result in results.items() if not result.done} == {
        "unreadable",
        "illegal",
    }
    assert "broken.png" in results["unreadable"].error
    assert "invalid plan" in results["illegal"].error
    shutil.copy(picture, tmp_path / "broken.png")
    again = batch_of([bad[0], *good, bad[1]], retry_failed=True)
    assert again.retried == 2
    assert {result.id: result.done for result in again} == {"unreadable": True, "illegal": False}


def test_who_spoils_a_call_does_not_spoil_his_neighbours(batch_of, picture, monkeypatch):
    real = engine.make_batch

    def spoilt(pipe, model, tasks, size, method, begun):
        if any(task.seed == 2 for task in tasks):
            raise RuntimeError("not a number")
        return real(pipe, model, tasks, size, method, begun)

    monkeypatch.setattr(engine, "make_batch", spoilt)
    results = {result.id: result for result in batch_of(jobs_of(picture, 5))}
    assert [name for name, result in results.items() if not result.done] == ["j2"]
    assert "not a number" in results["j2"].error


def test_a_job_of_many_pictures_of_which_one_fails_fails_alone(batch_of, picture, monkeypatch):
    real = engine.make_batch

    def spoilt(pipe, model, tasks, size, method, begun):
        if any(task.seed == 2 for task in tasks):
            raise RuntimeError("not a number")
        return real(pipe, model, tasks, size, method, begun)

    monkeypatch.setattr(engine, "make_batch", spoilt)
    many = {**jobs_of(picture, 1)[0], "id": "many", "count": 10}
    good = {**jobs_of(picture, 1)[0], "id": "good", "seed": 100}
    results = {result.id: result.done for result in batch_of([many, good])}
    assert results == {"many": False, "good": True}


def test_what_was_recorded_before_a_kill_is_on_the_page(batch_of, picture, tmp_path):
    jobs = jobs_of(picture, 2)
    batch = batch_of(jobs)
    list(batch.runner)  # and killed before anything else is written
    batch.ledger.close()
    assert not (tmp_path / "out/metadata.jsonl").exists()
    (tmp_path / "out/metadata.jsonl").write_text("of before\n")
    (tmp_path / "out/index.html").write_text('<meta name="generator" content="sow">')
    assert list(batch_of(jobs)) == []
    assert len((tmp_path / "out/metadata.jsonl").read_text().splitlines()) == 2


def test_a_planner_that_always_fails_ends_the_run(batch_of, picture, monkeypatch):
    def fails(self, request, **more):
        raise PlannerError("no answer", "look at the network")

    monkeypatch.setattr(Service, "resolve", fails)
    with pytest.raises(PlannerError, match="20 plans in a row failed"):
        list(batch_of(jobs_of(picture, 60)))
    monkeypatch.undo()
    again = batch_of(jobs_of(picture, 60))
    assert again.ledger.counts()["waiting"] > 30
    again.ledger.close()


def test_out_of_memory_halves_the_batch_and_goes_on(batch_of, picture, monkeypatch):
    real, sizes = engine.make_batch, []

    def short(pipe, model, tasks, size, method, begun):
        sizes.append(size)
        if size > 2:
            raise MemoryError
        return real(pipe, model, tasks, size, method, begun)

    monkeypatch.setattr(engine, "make_batch", short)
    assert all(result.done for result in batch_of(jobs_of(picture, 7), size=8))
    assert sizes == [8, 4, 2, 2, 2, 2]


def test_a_job_too_large_for_the_memory_fails_alone(batch_of, picture, monkeypatch):
    real = engine.make_batch

    def short(pipe, model, tasks, size, method, begun):
        if tasks[0].spec.plan.canvas != (64, 64):
            raise MemoryError
        return real(pipe, model, tasks, size, method, begun)

    monkeypatch.setattr(engine, "make_batch", short)
    large = {**jobs_of(picture, 1)[0], "id": "large", "canvas": [128, 128]}
    results = {result.id: result for result in batch_of([large, *jobs_of(picture, 3)])}
    assert [name for name, result in results.items() if not result.done] == ["large"]
    assert "too little memory" in results["large"].error


def test_a_full_disk_ends_the_run_and_fails_no_job(batch_of, picture, tmp_path, monkeypatch):
    real, saved = TemporaryFile.sync, []

    def full(made):
        made.file.seek(0)
        if made.file.read(4) == b"\x89PNG":
            if len(saved) == 2:
                raise OSError(28, "No space left on device")
            saved.append(made.name)
        real(made)

    monkeypatch.setattr(TemporaryFile, "sync", full)
    with pytest.raises(OutputError, match="No space left"):
        list(batch_of(jobs_of(picture, 6)))
    monkeypatch.setattr(TemporaryFile, "sync", real)
    again = batch_of(jobs_of(picture, 6))
    assert again.ledger.counts() == {"waiting": 4, "running": 0, "done": 2, "failed": 0}
    assert len(list(again)) == 4
    assert len(hashes(tmp_path / "out")) == 6
    assert not list((tmp_path / "out/.sow").glob("*.tmp"))


def test_a_runner_left_in_the_middle_gives_back(batch_of, picture, tmp_path):
    jobs = jobs_of(picture, 9)
    results = iter(batch_of(jobs, size=2))
    next(results)
    results.close()
    done = hashes(tmp_path / "out")
    assert 1 <= len(done) < 9
    assert len((tmp_path / "out/metadata.jsonl").read_text().splitlines()) == len(done)
    rest = list(batch_of(jobs, size=2))
    assert len(rest) + len(done) == 9
    assert done.items() <= hashes(tmp_path / "out").items()


def test_jobs_of_many_kinds_all_end(batch_of, picture):
    """More kinds than are prepared ahead, none of which fills a batch."""
    jobs = [
        {**job, "settings": {"cycles": 1, "steps": 6 + n, "t1": 3, "t2": 4, "preserve": [2]}}
        for n, job in enumerate(jobs_of(picture, 14))
    ]
    assert sum(result.done for result in batch_of(jobs, size=2)) == 14


def test_two_runners_share_the_work(batch_of, picture):
    jobs = jobs_of(picture, 10)
    batches = [batch_of(jobs, size=2) for _ in range(2)]
    ended: list[list[str]] = [[], []]

    def work(number):
        ended[number] = [result.id for result in batches[number]]

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended[0] + ended[1]) == sorted(job["id"] for job in jobs)


def test_a_slow_planner_does_not_keep_the_engine_waiting(batch_of, picture, monkeypatch):
    real = Service.resolve

    def slow(self, request, **more):
        time.sleep(0.2)
        return real(self, request, **more)

    monkeypatch.setattr(Service, "resolve", slow)
    batch = batch_of(jobs_of(picture, 24), size=2)
    batch.runner.planners = 8
    started = time.monotonic()
    assert len(list(batch)) == 24
    # One after another the plans alone would take this long.
    assert time.monotonic() - started < 24 * 0.2 + batch.runner.engine.busy


def test_a_planner_that_hangs_costs_its_jobs_and_no_others(tiny_folder, picture, tmp_path, server):
    server.delay = 20.0
    planned, unplanned = jobs_of(picture, 3), jobs_of(picture, 2, plan=None)
    for number, job in enumerate(unplanned):
        job["id"] = f"hung{number}"
    choice = PlannerChoice("openai", base_url=f"{server.address}/v1", planner_timeout=1.0,
                           cache=False)  # fmt: skip
    options = Options(str(tiny_folder), device="cpu", planner=choice, batch_size=2)
    out = tmp_path / "out"
    batch = Batch(make_job_source([*unplanned, *planned], None, {}, out), out, options)
    results = {result.id: result for result in batch}
    assert {name for name, result in results.items() if not result.done} == {"hung0", "hung1"}
    assert "1 s" in results["hung0"].error or "in time" in results["hung0"].error


def test_batches_are_even():
    assert [balanced_batch_size(8, n) for n in (1, 7, 8, 9, 16, 17, 1000)] == [1, 7, 8, 5, 8, 6, 8]


def test_buckets_are_served_in_turn():
    buckets: Buckets[int] = Buckets()
    for number in range(5):
        buckets.add("a", number)
    buckets.add("b", 9)
    assert buckets.take("a", 2) == [0, 1]
    assert buckets.waiting_keys() == ["b", "a"]
    assert (len(buckets), buckets.count("a"), buckets.first("a")) == (4, 3, 2)
