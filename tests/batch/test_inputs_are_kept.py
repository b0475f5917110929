"""What a user has is kept: inputs are never replaced, and other files are set aside."""

from __future__ import annotations

import json
import os
from contextlib import closing

import pytest
from far import all_of, batch, forget_connections, jobs
from far_fixtures import face, far, machine  # noqa: F401
from memory import peak_of
from test_ledger import OPTIONS, admit_jobs, finish, job, make_job_source
from test_run import batch_of, hashes, jobs_of, picture  # noqa: F401

from sow.batch.ledger.admission import admit
from sow.batch.ledger.ledger import Ledger
from sow.batch.run_batch import run_batch
from sow.batch.runners.publishing import write_metadata
from sow.batch.sources import make_job_source as source_of
from sow.errors import UsageError
from sow.storage.identity import identity_of

JOBS = 16
"""More than a runner finishes while one result is awaited, on a busy machine too."""


@pytest.fixture
def folder(tmp_path):
    """Results lie where the pictures are."""
    (tmp_path / "a.png").write_bytes(b"mine")
    (tmp_path / "face.png").write_bytes(b"a face")
    return tmp_path


@pytest.fixture
def ledger(folder):
    opened = Ledger(folder)
    yield opened
    opened.close()


def refused(ledger, *lines, **more):
    """Check that jobs beside their pictures are refused in one line, and that nothing happened."""
    before = {path: path.read_bytes() for path in ledger.folder.iterdir() if path.is_file()}
    with pytest.raises(UsageError) as caught:
        admit(ledger, make_job_source(lines, ledger.folder), OPTIONS, force=True, **more)
    assert caught.value.hint == "give another out="
    assert "\n" not in str(caught.value)
    assert ledger.counts()["waiting"] == 0
    assert {path: path.read_bytes() for path in before} == before
    return caught.value.what


@pytest.mark.parametrize("field", ["image", "mask", "plan", "graph"])
def test_a_result_never_replaces_an_input(ledger, field):
    told = refused(ledger, job("b"), job("a", **{field: "a.png"}), job("c"))
    assert told.startswith("'a.png' of job 'a' would replace the input ")


def test_of_whatever_job_and_line(ledger):
    assert "of job 'a'" in refused(ledger, job("b", image="a.png"), job("a"))
    assert "of job 'a'" in refused(ledger, job("a"), job("b", image="a.png"))
    (ledger.folder / "a@7.png").write_bytes(b"mine")
    assert "'a@7.png' of job 'a'" in refused(
        ledger, job("a", seed=6, count=3), job("b", image="a@7.png")
    )


def test_invalid_lines_do_not_matter(ledger):
    assert "of job 'a'" in refused(ledger, job("a", image="a.png"), job("../x"), skip_bad=True)


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_files_are_compared_and_not_names(ledger):
    (ledger.folder / "faces").mkdir()
    (ledger.folder / "faces/b.png").hardlink_to(ledger.folder / "a.png")
    (ledger.folder / "c.png").symlink_to("face.png")
    assert "of job 'a'" in refused(ledger, job("a", image="faces/../faces/b.png"))
    assert "of job 'c'" in refused(ledger, job("c", image="face.png"))
    assert "of job 'a'" in refused(ledger, job("a", image=f"file://{ledger.folder}/a.png"))


def test_pictures_of_others_and_other_names_are_no_obstacle(ledger):
    lines = [job("b"), job("A.b"), job("c", image="a.png"), job("face2"), job("a", count=2, seed=1)]
    assert admit(ledger, make_job_source(lines, ledger.folder), OPTIONS).new == 5


def test_a_result_that_is_the_picture_of_a_new_job_is_not_made_again(ledger):
    lines = [job("b"), job("c")]
    admit(ledger, make_job_source(lines, ledger.folder), OPTIONS)
    for claimed in ledger.claim(9):
        finish(ledger, claimed)
    source = make_job_source([*lines, job("d", image="b.png")], ledger.folder)
    with pytest.raises(UsageError, match=r"'b\.png' of job 'b' would replace the input"):
        admit(ledger, source, OPTIONS)


def test_a_list_that_is_an_input_stays_where_it_is(ledger):
    (ledger.folder / "metadata.jsonl").write_text("mine")
    told = refused(ledger, job("b", plan="metadata.jsonl"))
    assert told.startswith("'metadata.jsonl' would replace the input ")


def test_the_folder_of_a_batch_is_no_place_for_inputs(ledger):
    (ledger.folder / ".sow/thumbs").mkdir(parents=True)
    (ledger.folder / ".sow/thumbs/b.webp").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is in the batch's own folder"):
        admit(ledger, make_job_source([job("b", image=".sow/thumbs/b.webp")], ledger.folder),
              OPTIONS)  # fmt: skip


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_file_of_prompts_and_a_folder_of_pictures(folder, machine, form):
    (folder / "p.png").write_text("a man\n")  # prompts, whatever their name
    (folder / "faces").mkdir()
    (folder / "faces/x.png").hardlink_to(folder / "face.png")
    out = form.format(folder)
    defaults = {"id": "p"}
    with pytest.raises(UsageError, match=r"'p\.png' of job 'p' would replace the input .*p\.png"):
        run_batch(str(folder / "faces"), out, prompts_file=str(folder / "p.png"),
                  defaults=defaults, model="figures", force=True)  # fmt: skip
    assert (folder / "p.png").read_text() == "a man\n"


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://{}/."])
def test_a_batch_beside_its_pictures(folder, machine, form):
    forget_connections()
    (folder / "jobs.jsonl").write_text(json.dumps(job("a", image="a.png")))
    for manifest in (folder / "jobs.jsonl", f"file://{folder}/jobs.jsonl"):
        with pytest.raises(UsageError, match=r"'a\.png' of job 'a' would replace the input"):
            run_batch(manifest, form.format(folder), model="figures", force=True)
    assert (folder / "a.png").read_bytes() == b"mine"


def test_in_storage_addresses_are_compared(far, tiny_folder):
    faces, content = f"{far.address}/faces", far.read("faces/face.png")
    lines = [one | {"id": "face", "image": "face.png"} for one in jobs(1)]
    manifest = far.manifest(*lines, name="faces/jobs.jsonl")
    for out in (faces, f"{faces}/", faces.replace("memory", "MEMORY")):
        with pytest.raises(UsageError, match=r"'face\.png' of job 'face' would replace the input"):
            batch(manifest, out, tiny_folder, force=True)
    assert far.names("faces") == {"face.png", "jobs.jsonl"}
    assert far.read("faces/face.png") == content
    assert all_of(manifest, f"{far.address}/out", tiny_folder)["face"].done


def test_what_identifies_a_file(tmp_path):
    (tmp_path / "x").touch()
    assert identity_of(tmp_path / "x") == identity_of(f"file://{tmp_path}/x") is not None
    assert identity_of(tmp_path / "y") is identity_of("\0") is None
    assert (
        identity_of("memory://b/x") == identity_of("memory://b/x/") != identity_of("memory://c/x")
    )


def admit_many_inputs(folder):
    for number in range(3000):
        (folder / f"input{number}.png").touch()
    lines = (job(f"j{n}", image=f"input{n % 3000}.png") for n in range(20_000))
    with closing(Ledger(folder)) as ledger:
        admit(ledger, make_job_source(lines, ledger.folder), OPTIONS)
        assert ledger.counts()["waiting"] == 20_000


def test_memory_does_not_grow_with_the_number_of_inputs(tmp_path):
    assert peak_of(admit_many_inputs, tmp_path) < 2 * 2**20


def test_a_file_put_there_meanwhile_is_set_aside(ledger, folder):
    told = []
    ledger.report = lambda kind, line: told.append((kind, line))
    admit(ledger, make_job_source([job("b"), job("c")], folder), OPTIONS)
    (folder / "b.png").write_bytes(b"put there meanwhile")
    for claimed in ledger.claim(9):
        assert finish(ledger, claimed)
    assert (folder / "b.png").read_bytes() == (folder / "c.png").read_bytes() == b"a picture"
    assert (folder / ".sow/replaced/b.png").read_bytes() == b"put there meanwhile"
    note = "another file had the name b.png: it is .sow/replaced/b.png now"
    assert told == [("file", note)]
    assert [one.get("notes") for one in ledger.picture_metadata()] == [[note], None]
    assert [path.name for path in (folder / ".sow").glob("*.tmp")] == []


def test_with_force_a_foreign_file_is_set_aside_too(ledger, folder):
    admit_jobs(ledger, force=True, *[job("a", image=str(folder / "face.png"))])  # noqa: B026
    (claimed,) = ledger.claim(1)
    assert finish(ledger, claimed)
    assert (folder / ".sow/replaced/a.png").read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_a_link_put_there_meanwhile_is_set_aside(ledger, folder):
    admit(ledger, make_job_source([job("b")], folder), OPTIONS)
    (folder / "b.png").symlink_to(folder / "face.png")
    (claimed,) = ledger.claim(1)
    assert finish(ledger, claimed)
    assert (folder / "face.png").read_bytes() == b"a face"
    assert (folder / ".sow/replaced/b.png").is_symlink()


def test_a_picture_that_was_written_and_not_recorded_is_nothing_foreign(ledger, folder):
    admit(ledger, make_job_source([job("b")], folder), OPTIONS)
    (folder / "b.png").write_bytes(b"a picture")  # by a runner that was killed then
    (claimed,) = ledger.claim(1)
    assert finish(ledger, claimed)
    assert not (folder / ".sow/replaced").exists()
    assert [one.get("notes") for one in ledger.picture_metadata()] == [None]


def test_resuming_sets_aside_what_was_put_there(batch_of, picture, tmp_path):
    lines = jobs_of(picture, JOBS)
    results = iter(batch_of(lines, size=1))
    next(results)
    results.close()
    (missing, *_) = {f"j{n}.png" for n in range(JOBS)} - hashes(tmp_path / "out").keys()
    (tmp_path / "out" / missing).write_bytes(b"mine")
    told = []
    again = batch_of(lines, size=1, report=lambda kind, line: told.append(line))
    assert all(result.done for result in again)
    assert len(hashes(tmp_path / "out")) == JOBS
    assert (tmp_path / "out/.sow/replaced" / missing).read_bytes() == b"mine"
    note = f"another file had the name {missing}: it is .sow/replaced/{missing} now"
    assert note in told
    assert note in (tmp_path / "out/metadata.jsonl").read_text()


def test_resuming_in_storage_sets_aside_too(far, tiny_folder):
    manifest, out = far.manifest(*jobs(JOBS)), f"{far.address}/out"
    results = iter(batch(manifest, out, tiny_folder, size=1))
    next(results)
    results.close()
    (missing, *_) = sorted({f"j{n}.png" for n in range(JOBS)} - far.pictures().keys())
    far.put(f"out/{missing}", b"mine")
    assert all(result.done for result in all_of(manifest, out, tiny_folder).values())
    assert len(far.pictures()) == JOBS
    assert far.read(f"out/.sow/replaced/{missing}") == b"mine"
    assert b"another file had the name" in far.read("out/metadata.jsonl")


def test_sources_know_the_files_that_list_their_jobs(folder):
    (folder / "jobs.jsonl").write_text(json.dumps(job("a")))
    (folder / "prompts.txt").write_text("a man\n")
    listed = source_of(folder / "jobs.jsonl", None, {}, folder / "out")
    paired = source_of(folder, folder / "prompts.txt", {}, folder / "out")
    assert listed.inputs == (str(folder / "jobs.jsonl"),)
    assert paired.inputs == (str(folder / "prompts.txt"),)


def changed(ledger, folder):
    """A batch with the picture a.png, whose job is then changed, which archives that picture."""
    (folder / "a.png").unlink()
    admit(ledger, make_job_source([job("a"), job("b")], folder), OPTIONS)
    for claimed in ledger.claim(9):
        finish(ledger, claimed)
    return make_job_source([job("a", count=2, seed=5), job("c", image="a.png")], folder)


def test_an_old_result_that_is_an_input_now_is_not_archived(ledger, folder):
    source = changed(ledger, folder)
    with pytest.raises(UsageError, match=r"'a\.png', an old picture of job 'a', would be archived"):
        admit(ledger, source, OPTIONS)
    assert (folder / "a.png").read_bytes() == b"a picture"
    with ledger.transaction() as database:  # as after a run that was killed before archiving
        database.execute("INSERT INTO retired VALUES ('b.png')")
    with pytest.raises(UsageError, match=r"'b\.png', an old picture of job 'b'"):
        admit(ledger, make_job_source([job("c", image="b.png")], folder), OPTIONS)


def test_an_old_result_that_is_an_input_now_is_not_archived_by_force(ledger, folder):
    changed(ledger, folder)
    lines = [job("a", count=2, seed=5), job("b"), job("c", image="b.png")]
    with pytest.raises(UsageError, match=r"'b\.png' of job 'b' would replace the input"):
        admit(ledger, make_job_source(lines, folder), {"model": "other"}, force=True)
    assert (folder / "b.png").read_bytes() == b"a picture"


def test_a_list_that_was_edited_is_set_aside(ledger, folder):
    told = []
    ledger.report = lambda kind, line: told.append((kind, line))
    admit(ledger, make_job_source([job("b")], folder), OPTIONS)
    write_metadata(ledger)
    (claimed,) = ledger.claim(9)
    finish(ledger, claimed)
    write_metadata(ledger)
    write_metadata(ledger)
    assert told == []
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "mine.png"}\n')
    edited = (folder / "metadata.jsonl").read_bytes()
    write_metadata(ledger)
    moved = ".sow/replaced/metadata.jsonl"
    assert told == [("file", f"there was another metadata.jsonl: it is {moved} now")]
    assert (folder / moved).read_bytes() == edited
    assert "mine.png" not in (folder / "metadata.jsonl").read_text()


def test_a_list_of_another_runner_is_not_taken_for_an_edited_one(ledger, folder, monkeypatch):
    told, read = [], ledger.store.digest_of
    ledger.report = lambda kind, line: told.append((kind, line))
    admit(ledger, make_job_source([job("b")], folder), OPTIONS)
    write_metadata(ledger)

    def read_late(name):
        monkeypatch.setattr(ledger.store, "digest_of", read)
        with closing(Ledger(folder)) as other:
            (claimed,) = other.claim(9)
            finish(other, claimed)
            write_metadata(other)
        return read(name)

    monkeypatch.setattr(ledger.store, "digest_of", read_late)
    write_metadata(ledger)
    assert told == []
