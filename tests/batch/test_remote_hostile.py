"""What lies in somebody else's bucket: snapshots that lie, objects without an end, owners of noise.

Whatever it is ends in one line, and nothing is written or read outside.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing, contextmanager

import fsspec
import pytest
from far import Place, batch, forget_connections, jobs
from far_fixtures import face, far, machine  # noqa: F401
from fsspec import AbstractFileSystem

from sow.batch.ledger.schema import TABLES, layout
from sow.batch.manifest.input_checks import InputFileChecker
from sow.batch.manifest.input_files import InputFileCache
from sow.batch.manifest.job import TV2IJob
from sow.batch.open_ledger import read_ledger
from sow.batch.remote import snapshots
from sow.errors import OutputError, PictureError, SowError
from sow.storage import storage
from sow.storage.storage import storage_of

TOLD = {"prompt": "a", "seconds": 1.0, "notes": []}
OUTSIDE = {
    "a picture outside": "UPDATE pictures SET file = '../../evil.png' WHERE seed = 1",
    "a picture told outside": (
        "UPDATE pictures SET told = json_set(told, '$.file_name', '/etc/x.png') WHERE seed = 1"
    ),
    "a name outside told of": "UPDATE pictures SET told = json_set(told, '$.id', '../x')",
    "told as a list": "UPDATE pictures SET told = '[]'",
    "told as no JSON": "UPDATE pictures SET told = '{'",
    "notes of numbers": "UPDATE pictures SET told = json_set(told, '$.notes', 5)",
    "a picture of nobody": "UPDATE pictures SET job = 'nobody' WHERE seed = 1",
    "an id outside": "UPDATE jobs SET id = '../j1' WHERE id = 'j1'",
    "a job under another id": "UPDATE jobs SET job = (SELECT job FROM jobs WHERE id = 'j0')",
    "a job that is none": "UPDATE jobs SET job = '{}' WHERE id = 'j1'",
    "another job by its digest": (
        "UPDATE jobs SET job = json_set(job, '$.image', '/etc/passwd') WHERE id = 'j1'"
    ),
    "a file put aside outside": "INSERT INTO retired VALUES ('../../evil.png')",
    "a file put aside of ours": "INSERT INTO retired VALUES ('.sow/ledger.sqlite')",
    "options that are none": "UPDATE meta SET value = '[' WHERE name = 'options'",
    "a table more": "CREATE TABLE more (x)",
    "a trigger more": (
        "CREATE TRIGGER more AFTER INSERT ON jobs BEGIN UPDATE jobs SET state = 'done'; END"
    ),
    "a view": "ALTER TABLE retired RENAME TO old; CREATE VIEW retired AS SELECT file FROM old",
    "another program's": "PRAGMA application_id = 1",
    "a newer one": "PRAGMA user_version = 99",
}


@pytest.fixture
def finished(far, tiny_folder, tmp_path):
    """A batch that has ended, its snapshot spoilt as told, and the next machine that meets it."""
    manifest, out = far.manifest(*jobs(2)), f"{far.address}/out"
    list(batch(manifest, out, tiny_folder))

    def spoilt(statements):
        file = tmp_path / "snapshot.sqlite"
        file.write_bytes(far.read("out/.sow/ledger.sqlite"))
        with closing(sqlite3.connect(file)) as database:
            database.executescript(statements)
        far.put("out/.sow/ledger.sqlite", file.read_bytes())
        return manifest, out

    return spoilt


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_snapshot_that_lies_is_refused_in_one_line(
    finished, far, machine, tiny_folder, tmp_path, kind
):  # fmt: skip
    manifest, out = finished(OUTSIDE[kind])
    machine("second")
    before = far.names("")
    for look in (lambda: batch(manifest, out, tiny_folder), lambda: read_ledger(out).__enter__()):
        with pytest.raises(OutputError, match=r"ledger in 'memory://.*'") as caught:
            look()
        assert "\n" not in str(caught.value)
    assert far.names("") == before  # not even a lease is left
    assert not list(tmp_path.rglob("evil*"))


def test_a_snapshot_cannot_say_that_its_manifest_is_known(finished, machine, tiny_folder):
    """It is checked anew: jobs that it has and the manifest has not are never carried out."""
    extra = TV2IJob.parse({"id": "extra", "image": "/etc/passwd", "prompt": "a"})
    manifest, out = finished(
        "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state) SELECT 'extra', "
        f"9, '/', '{extra.as_json()}', '{extra.digest}', 1, pass, 'waiting' FROM jobs LIMIT 1"
    )
    machine("second")
    again = batch(manifest, out, tiny_folder)
    assert again.admission.lines == 2
    assert list(again) == []


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_noise_for_a_snapshot(far, machine, tiny_folder, content):
    far.put("out/.sow/ledger.sqlite", content)
    with pytest.raises(OutputError, match="is damaged, or not a ledger"):
        batch(far.manifest(*jobs(1)), f"{far.address}/out", tiny_folder)


def test_a_ledger_of_our_layout_is_what_is_expected(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a")) as database:
        database.executescript(TABLES)
        database.execute("VACUUM INTO ?", (str(tmp_path / "b"),))
        with closing(sqlite3.connect(tmp_path / "b")) as copy:
            assert layout(copy) == layout(database)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"time": "soon"}', b'{"time": NaN}'])
def test_noise_for_an_owner_is_nobody(far, tiny_folder, content):
    far.put("out/.sow/owner.json", content)
    assert len(list(batch(far.manifest(*jobs(1)), f"{far.address}/out", tiny_folder))) == 1


def test_an_owner_is_quoted_in_one_printable_line(far, tiny_folder):
    owner = {"host": "\x1b[2J" + "x" * 5000, "token": "t", "time": 1e18}
    far.put("out/.sow/owner.json", json.dumps(owner).encode())
    with pytest.raises(OutputError, match="is in use by") as caught:
        batch(far.manifest(*jobs(1)), f"{far.address}/out", tiny_folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200


class Endless(AbstractFileSystem):
    """Objects of a gigabyte, and one that says that it is small and never ends."""

    protocol = "endless"
    opened: list[str] = []  # noqa: RUF012

    def info(self, path, **more):
        size = 10 if path.endswith("liar.png") else 2**30
        return {"name": path, "type": "file", "size": size}

    def open(self, path, *words, **more):
        self.opened.append(path)
        return Stream()


class Stream:
    given = 0

    def read(self, number):
        Stream.given += number
        return b"\0" * number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@contextmanager
def files_here(job, folder):
    with closing(InputFileCache()) as cache, cache.files(job, folder) as files:
        yield files


@pytest.fixture
def endless(monkeypatch):
    fsspec.register_implementation("endless", Endless, clobber=True)
    forget_connections()
    Endless.opened.clear()
    Stream.given = 0
    return "endless://host/folder"


def test_what_is_too_large_is_refused_without_being_read(endless):
    job = TV2IJob.parse({"image": "huge.png", "prompt": "a"})
    with pytest.raises(PictureError, match="larger than 256 MB"), files_here(job, endless):
        pass
    checker = InputFileChecker(endless, lambda job: True)
    for line in checker.prefetched([(1, job)]):
        assert "larger than 256 MB" in checker.find_problem(line[1])
    checker.close()
    assert Endless.opened == []


def test_a_size_is_not_believed(endless, tmp_path):
    place, name = storage_of(f"{endless}/liar.png", PictureError)
    with pytest.raises(PictureError, match="larger than 8 MB"):
        place.download(name, 8 * 2**20, tmp_path / "here")
    assert Stream.given <= 8 * 2**20 + storage.CHUNK_BYTES
    job = TV2IJob.parse({"image": "a.png", "plan": "liar.png", "prompt": "a"})
    with pytest.raises(SowError, match="larger than"), files_here(job, endless):
        pass


def test_a_snapshot_is_bounded(far, machine, tiny_folder, monkeypatch):
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOT_BYTES", 1000)
    far.put("out/.sow/ledger.sqlite", b"x" * 2000)
    with pytest.raises(OutputError, match="is larger than"):
        batch(far.manifest(*jobs(1)), f"{far.address}/out", tiny_folder)


def test_names_that_are_no_names_here(machine, far):
    """Whatever an object is called, it lies in the private folder."""
    from sow.storage.addresses import local_file_name

    for address in ("memory://b/..", "memory://b/a\\..\\x.png", "memory://b/c:d.png",
                    f"memory://b/{'ä' * 300}.png"):  # fmt: skip
        name = local_file_name(address)
        assert "/" not in name and "\\" not in name and name not in ("", ".", "..")  # noqa: PT018
        assert len(name.encode()) < 200
    place = Place("memory://b")
    place.put("we [1] *.png", b"12")
    job = TV2IJob.parse({"image": "we [1] *.png", "prompt": "a"})
    with files_here(job, "memory://b") as files:
        assert files["image"].read_bytes() == b"12"
        home = files["image"].parents[1]
    assert not home.exists()
    shutil.rmtree(home, ignore_errors=True)
