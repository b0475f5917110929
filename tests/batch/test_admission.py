"""Manifests on their way into the ledger: every line is checked, or nothing runs."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest
from memory import peak_of
from test_ledger import (  # noqa: F401  # the fixtures too
    OPTIONS,
    admit_jobs,
    finish,
    folder,
    job,
    ledger,
    make_job_source,
)

from sow.batch.ledger.admission import BadManifest, admit
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.manifest_check import JobSource
from sow.batch.ledger.private_paths import absolute_folder, public_name, relative_folder
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import parse_jobs
from sow.errors import OutputError, UsageError
from sow.storage.addresses import local_file_name
from sow.utils.files import is_device_name


def test_all_problems_are_reported_at_once_and_nothing_is_admitted(ledger):
    lines = [job("a"), job("../../x"), job("a"), job("A"), job("b", image="gone.png"),
             job("c", box=[1, 2]), {"id": "d"}, job("nul"), job("x" * 101), 7]  # fmt: skip
    with pytest.raises(BadManifest) as told:
        admit_jobs(ledger, *lines)
    problems = dict(told.value.problems)
    assert sorted(problems) == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert problems[3] == "duplicate id 'a': line 1 has it"
    assert problems[4] == "duplicate id 'A': line 1 has it as 'a' (ids ignore case)"
    assert "no image 'gone.png'" in problems[5]
    assert ledger.counts()["waiting"] == 0
    assert ledger.claim(9) == []


def test_invalid_lines_can_be_skipped(ledger):
    found = admit_jobs(ledger, job("a"), job("../../x"), job("b"), skip_bad=True)
    assert (found.lines, found.num_problems) == (2, 1)
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["a", "b"]


def test_finished_jobs_stay_done_and_changed_ones_are_redone(ledger, folder):
    admit_jobs(ledger, job("a"), job("b"), job("c"))
    for claimed in ledger.claim(9):
        finish(ledger, claimed)
    (folder / "b.png").write_text("the first")
    found = admit_jobs(ledger, job("c"), job("b", prompt="a woman"), job("d"), job("a"))
    assert (found.new, found.changed) == (1, 1)
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["b", "d"]
    aside = folder / ".sow" / "replaced" / "b.png"
    assert aside.read_text() == "the first"
    assert not (folder / "b.png").exists()


def test_an_interrupted_archiving_is_completed_before_the_new_picture(ledger, folder):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    finish(ledger, claimed)
    (folder / "a.png").write_text("the first")
    archive_retired = ledger.archive_retired
    ledger.archive_retired = lambda: None  # killed before it
    admit_jobs(ledger, job("a", prompt="a woman"))
    ledger.archive_retired = archive_retired
    (changed,) = ledger.claim(1)
    finish(ledger, changed)
    assert (folder / ".sow/replaced/a.png").read_text() == "the first"
    (folder / "a.png").write_text("the second")
    admit_jobs(ledger, job("a", prompt="a woman"), job("b"))
    assert (folder / "a.png").read_text() == "the second"
    admit_jobs(ledger, job("a", prompt="an old woman"))
    aside = {path.read_text() for path in (folder / ".sow/replaced").iterdir()}
    assert aside == {"the first", "the second"}


@pytest.mark.parametrize("name", ["metadata.jsonl", "index.html"])
def test_foreign_lists_and_pages_are_not_replaced(ledger, folder, name):
    (folder / name).write_text("mine")
    with pytest.raises(OutputError, match=f"has a file {name} that is not from a batch"):
        admit_jobs(ledger, job("a"))
    admit_jobs(ledger, job("a"), force=True)
    assert (folder / ".sow/replaced" / name).read_text() == "mine"


def test_a_changed_job_does_not_replace_foreign_files(ledger, folder):
    admit_jobs(ledger, job("a", seed=5))
    (folder / "a@5.png").write_text("mine")
    with pytest.raises(BadManifest, match="exists and is not from this batch"):
        admit_jobs(ledger, job("a", seed=5, count=2))


def test_a_file_name_that_is_too_long_is_a_problem_of_its_line(ledger):
    with pytest.raises(BadManifest, match="there is no image 'xxx"):
        admit_jobs(ledger, job("a", image="x" * 5000))


def test_a_typo_in_an_option_does_not_block_a_folder(ledger, folder):
    admit(ledger, make_job_source([job("a")], folder.parent), {"model": "typo"})
    admit(ledger, make_job_source([job("a")], folder.parent), OPTIONS)
    assert len(ledger.claim(9)) == 1


def test_jobs_removed_from_the_manifest_are_not_run(ledger):
    admit_jobs(ledger, job("a"), job("b"))
    admit_jobs(ledger, job("b"))
    assert [claimed.job.id for claimed in ledger.claim(9)] == ["b"]


def test_the_same_manifest_is_not_read_twice(ledger, folder):
    read = []

    def jobs():
        read.append(1)
        return parse_jobs([job("a")])

    source = JobSource(jobs, str(folder.parent), "jobs.jsonl", "its hash")
    admit(ledger, source, OPTIONS)
    assert admit(ledger, source, OPTIONS).lines == 1
    assert read == [1]


def test_a_folder_has_one_set_of_options(ledger, folder):
    admit_jobs(ledger, job("a"))
    (claimed,) = ledger.claim(1)
    finish(ledger, claimed)
    other = make_job_source([job("a")], folder.parent)
    ledger.options = None  # another run
    with pytest.raises(OutputError, match="made with model=figures"):
        admit(ledger, other, {"model": "sd2.1"})
    assert admit(ledger, other, {"model": "sd2.1"}, force=True).changed == 1
    assert len(ledger.claim(9)) == 1


def test_existing_files_are_not_replaced(ledger, folder):
    (folder / "a.png").write_text("mine")
    with pytest.raises(BadManifest, match=r"a\.png exists and is not"):
        admit_jobs(ledger, job("a"), job("b"))
    assert admit_jobs(ledger, job("a"), job("b"), force=True).new == 2


def test_an_empty_manifest_is_an_error(ledger):
    with pytest.raises(UsageError, match="no jobs"):
        admit_jobs(ledger)


def admit_many_lines(folder):
    (folder / "face.png").touch()
    lines = (job(f"j{n}") for n in range(20_000))
    with closing(Ledger(folder / "out")) as ledger:
        admit(ledger, make_job_source(lines, folder), OPTIONS)
        assert ledger.counts()["waiting"] == 20_000


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path):
    assert peak_of(admit_many_lines, tmp_path) < 2 * 2**20


def test_file_names_of_jobs_are_unique():
    ids = ["a", "a.1", "a-1", "A b"]
    made = [TV2IJob.parse(job(name, count=count, seed=1)) for name in ids for count in (1, 2)]
    names = [file.lower() for one in made for file in one.files]
    assert len(set(names)) == len(names)


def test_seeds_follow_from_ids():
    one, other = (TV2IJob.parse(job(name)) for name in ("a", "b"))
    assert one.seeds == TV2IJob.parse(job("a", prompt="a woman")).seeds != other.seeds


@pytest.mark.parametrize("field", ["image", "picture", "face"])
def test_the_image_field_has_three_names(field):
    said = {"prompt": "a man", field: "x.png"}
    assert TV2IJob.parse(said).image == "x.png"


@pytest.mark.parametrize("name", ["con", "Con .x", "aux.", "nul  .tar.gz", "COM0", "lpt9.a b"])
def test_names_of_devices_are_refused(ledger, name):
    """Windows ignores blanks before the first dot, and all that comes after it."""
    with pytest.raises(BadManifest, match="on Windows"):
        admit_jobs(ledger, job(name))


@pytest.mark.parametrize("name", ["console", "con-1", "com10", "a.con", "con @7.png"])
def test_names_that_only_look_like_devices_are_allowed(name):
    assert not is_device_name(name)


@pytest.mark.parametrize("name", ["COM¹", "lpt³ .png", "CONIN$", "conout$.txt", "nul:x"])
def test_devices_have_more_names_than_ids_can_have(name):
    assert is_device_name(name)
    assert not is_device_name(local_file_name(f"s3://bucket/{name}"))


# ---- What is nobody else's business.


def everything_in(ledger) -> str:
    return repr([ledger.fetch_all(f"SELECT * FROM {table}") for table in ("meta", "jobs")])


def test_a_ledger_has_no_path_of_this_machine(ledger, folder, tmp_path):
    options = {"model": str(tmp_path / "models" / "mine"), "prompts": str(tmp_path / "questions"),
               "config": None, "base_url": "http://localhost:8000/v1"}  # fmt: skip
    source = make_job_source([job("a"), job("b")], tmp_path)
    admit(ledger, source, options)
    first, second = ledger.claim(9)
    assert first.folder == str(tmp_path.resolve())
    with ledger.input_files(first) as files:
        assert files["image"].is_file()
    ledger.fail(first, f"'{tmp_path / 'face.png'}' is no picture, says /usr/lib/python/x.py")
    ledger.fail(second, f"{tmp_path}/other/face.png, s3://bucket/faces/face.png, and/or 1/2")
    reasons = [failure.reason for failure in ledger.failures()]
    assert reasons == ["'face.png' is no picture, says …/x.py",
                       "other/face.png, s3://bucket/faces/face.png, and/or 1/2"]  # fmt: skip
    assert str(tmp_path) not in everything_in(ledger)
    assert json.loads(ledger.get_meta("options"))["model"] == "mine"
    finish(ledger, first)
    assert admit(ledger, source, options).changed == 0  # the same options
    other = {**options, "prompts": str(tmp_path / "other" / "questions")}
    with ledger.transaction() as database:
        database.execute("INSERT INTO pictures VALUES ('a.png', 'a', 1, '', '{}')")
    with pytest.raises(OutputError, match=r"were made with prompts=questions \("):
        admit(ledger, source, other)


def test_a_job_with_added_weights_fails_without_their_folder(ledger, tmp_path):
    (tmp_path / "style.safetensors").touch()
    lines = [job("a", lora=f"{tmp_path}/style.safetensors:0.5", embedding=["style.safetensors"])]
    admit(ledger, make_job_source(lines, tmp_path), OPTIONS)
    (claimed,) = ledger.claim(1)
    assert ledger.fail(claimed, f"'{tmp_path}/style.safetensors' is no LoRA")
    (failure,) = ledger.failures()
    assert failure.reason == "'style.safetensors' is no LoRA"


def test_what_older_versions_kept_is_taken_out(ledger, folder, tmp_path):
    options = {"model": str(tmp_path / "mine"), "base_url": "http://localhost:8000/v1"}
    source = make_job_source([job("a")], tmp_path)
    source = replace(source, fingerprint="of the manifest")
    admit(ledger, source, options)
    old = {**options, "base_url": "http://me:s3cret@localhost:8000/v1?key=s3cret"}
    with ledger.transaction() as database:
        database.execute("UPDATE meta SET value = ? WHERE name = 'options'", (json.dumps(old),))
        database.execute("UPDATE jobs SET folder = ?", (str(tmp_path),))
    ledger.options = None
    assert [claimed.folder for claimed in ledger.claim(1)] == [str(tmp_path)]
    assert not ledger.others_running()
    assert admit(ledger, source, options).changed == 0
    assert "s3cret" not in everything_in(ledger)
    assert str(tmp_path) not in everything_in(ledger)
    assert [claimed.folder for claimed in ledger.claim(1)] == [str(tmp_path.resolve())]


def test_results_that_were_moved_go_on_with_the_same_manifest(folder, tmp_path):
    source = replace(make_job_source([job("a"), job("b")], tmp_path), fingerprint="the same")
    with closing(Ledger(folder)) as ledger:
        admit(ledger, source, OPTIONS)
    (tmp_path / "far" / "away").mkdir(parents=True)
    folder.rename(tmp_path / "far" / "away" / "out")
    with closing(Ledger(tmp_path / "far" / "away" / "out")) as ledger:
        admit(ledger, source, OPTIONS)
        (claimed, _) = ledger.claim(9)
        assert claimed.folder == str(tmp_path.resolve())
        with ledger.input_files(claimed) as files:
            assert files["image"].is_file()


def test_a_manifest_is_found_where_links_lead(ledger, folder, tmp_path):
    """`..` after a link is not the folder of the link."""
    far = tmp_path / "far" / "away"
    far.mkdir(parents=True)
    (tmp_path / "link").symlink_to(far)
    stored = relative_folder(str(tmp_path), tmp_path / "link")
    assert stored == "../.."
    assert absolute_folder(stored, tmp_path / "link") == str(tmp_path.resolve())
    assert absolute_folder("s3://b/c", tmp_path) == relative_folder("s3://b/c", tmp_path)


@pytest.mark.parametrize(("name", "shown"), [
    ("/home/ada/x.png", "x.png"), ("~/x.png", "x.png"), ("C:\\Ada\\x.png", "x.png"),
    ("faces/x.png", "faces/x.png"), ("s3://b/x.png", "s3://b/x.png"), ("\\\\host\\x", "x"),
    ("/x/", "x"), ("../x.png", "../x.png"),
])  # fmt: skip
def test_a_name_is_shown_without_the_folders_of_this_machine(name, shown):
    assert public_name(name) == shown
