"""What is asked for elsewhere: manifests, addresses, inputs, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from far import Place, all_of, batch, forget_connections, jobs, typed
from far_fixtures import face, far, machine  # noqa: F401

from sow.batch.ledger.admission import BadManifest
from sow.batch.manifest import input_files
from sow.batch.manifest.input_checks import InputFileChecker
from sow.batch.manifest.job import TV2IJob
from sow.batch.open_ledger import read_ledger
from sow.batch.remote.ledger import working_folder
from sow.errors import SowError, UsageError
from sow.storage.addresses import check_address, check_folder_address, is_address, join_address


def test_a_problem_of_each_kind_is_told_with_its_line(far, tiny_folder):
    manifest = far.manifest(
        *jobs(1), {**jobs(1)[0], "id": "gone", "image": "faces/gone.png"},
        {**jobs(1)[0], "id": "up", "image": "../../../x.png"},
        {**jobs(1)[0], "id": "rooted", "image": "/etc/face.png"},
        {**jobs(1)[0], "id": "chain", "image": "zip://a.png::memory://b.zip"},
        {**jobs(1)[0], "id": "whole", "image": "memory://bucket/work/faces/face.png"},
    )  # fmt: skip
    with pytest.raises(BadManifest) as caught:
        batch(manifest, f"{far.address}/out", tiny_folder)
    told = dict(caught.value.problems)
    assert list(told) == [2, 3, 4, 5]
    for line, said in ((2, "there is no image 'faces/gone.png'"), (3, "leaves memory://"),
                       (4, "path on one machine"), (5, "chain")):  # fmt: skip
        assert said in told[line]
    assert far.names() == set()


def test_a_large_manifest_is_asked_about_with_few_questions(far, monkeypatch):
    from sow.storage.storage import Storage

    asked = []
    real = Storage.size_of
    monkeypatch.setattr(
        Storage, "size_of", lambda self, name: (asked.append(name), real(self, name))[1]
    )
    lines = [(n, TV2IJob.parse(job)) for n, job in enumerate(jobs(2500), 1)]
    checker = InputFileChecker(far.address, lambda job: job.id != "j7")
    for _, job in checker.prefetched(lines):
        assert job.id == "j7" or checker.find_problem(job) is None
    checker.close()
    assert asked == ["face.png"]


def test_a_picture_that_many_share_is_fetched_once_and_gone_at_the_end(far, monkeypatch):
    from sow.storage.storage import Storage

    fetched = []
    real = Storage.download
    monkeypatch.setattr(
        Storage, "download", lambda self, *words: (fetched.append(words[0]), real(self, *words))[1]
    )
    monkeypatch.setattr(input_files, "MAX_IDLE_FILES", 1)
    cache = input_files.InputFileCache()
    for job in jobs(3):
        with cache.files(TV2IJob.parse(job), far.address) as files:
            assert files["image"].name == "face.png"
            assert files["image"].parents[1].stat().st_mode & 0o077 == 0
    assert fetched == ["face.png"]
    far.put("faces/other.png", b"2")
    other = TV2IJob.parse({**jobs(1)[0], "image": "faces/other.png"})
    with cache.files(other, far.address) as more:
        pass
    assert not files["image"].exists()  # room was made
    cache.close()
    assert not more["image"].exists()
    assert not more["image"].parents[1].exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("simplecache::s3://b/x", "chain"),
        ("s3://name:hush@b/x", "or a password"),
        ("https://host/x.png?X-Amz-Signature=hush", "may hold a key"),
        ("abfs://container/x.png?sv=2026-01-01&sig=hush", "may hold a key"),
        ("az://container/x.png?api_key=hush", "may hold a key"),
        ("s3://b/x\x1b[2J", "not printable"),
        ("zip://x", "only a layer"),
        ("s3://", "is not an address"),
    ],
)
def test_addresses_that_are_refused(text, says):
    assert is_address(text)
    with pytest.raises(UsageError, match=says) as caught:
        check_address(text)
    assert "hush" not in str(caught.value)


def test_what_is_an_address():
    from pathlib import Path

    for text in ("C:\\x.jsonl", "C:/x", "jobs.jsonl", "a/b:c", "x::y"):
        assert not is_address(text)
    with pytest.raises(UsageError, match="removes a slash"):
        is_address(Path("s3://bucket/x"))
    assert join_address("s3://b/a/c", "../d e.png") == "s3://b/a/d e.png"
    for folder in ("s3://b/*", "s3://b/../x", "s3://b/x?versionId=1"):
        with pytest.raises(UsageError):
            check_folder_address(folder)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nothing://x/jobs.jsonl", "--out", "out"), 2, "nothing:// is an unknown storage"),
        (("gs://x/jobs.jsonl", "--out", "out"), 2, "pip install gcsfs"),
        (("memory://x/jobs.jsonl", "--out", "out"), 2, "there is no 'memory://x/jobs.jsonl'"),
        (("memory://x/faces", "--out", "out"), 2, "is not a manifest"),
        (("a::memory://x/j.jsonl", "--out", "out"), 2, "chain"),
        (("status", "memory://x/out"), 6, "no batch has run in 'memory://x/out'"),
        (("export", "memory://x/out", "--to", "parquet", "--out", "p"), 2, "copy it here first"),
    ],
)
def test_stated_answers_elsewhere(far, tmp_path, monkeypatch, words, code, says):
    monkeypatch.chdir(tmp_path)
    ended, said = typed("batch", *words)
    assert says in said
    assert ended == code
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_folder_of_this_machine_by_its_address(machine, face, tiny_folder, tmp_path):
    forget_connections()
    far = Place(f"file://{tmp_path}/far")
    (tmp_path / "far/faces").mkdir(parents=True)
    far.put("faces/face.png", face.read_bytes())
    assert len(all_of(far.manifest(*jobs(2)), f"{far.address}/out", tiny_folder)) == 2
    far.remove("out/j0.png")
    assert len(all_of(far.manifest(*jobs(2)), f"{far.address}/out", tiny_folder)) == 1
    assert len(far.pictures()) == 2
    assert not list((tmp_path / "far/out").rglob("*.tmp"))


def test_what_is_here_needs_no_fsspec():
    code = (
        "import sys, sow, sow.batch.run_batch, sow.batch.sources, sow.cli.batch; "
        "from sow.batch.sources import make_job_source; "
        "source = make_job_source([{'image': 'x.png', 'prompt': 'a'}], None, {}, 'out'); "
        "list(source.jobs()); "
        "print([name for name in ('s3fs', 'botocore', 'sow.storage.storage') "
        "if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_working_folders_are_private(far, tiny_folder):
    all_of(far.manifest(*jobs(1)), f"{far.address}/out", tiny_folder)
    assert working_folder(f"{far.address}/out").stat().st_mode & 0o077 == 0


def test_nothing_is_an_answer_of_a_storage_that_is_not_asked(far):
    with pytest.raises(SowError, match="no batch has run"), read_ledger("memory://bucket/none"):
        pass
