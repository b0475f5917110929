"""Results folders of strangers: nothing outside of them is written, moved, removed or believed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from contextlib import closing, suppress
from stat import S_ISREG

import pytest
from far import forget_connections
from test_ledger import OPTIONS, admit_jobs, job, make_job_source
from test_remote_hostile import OUTSIDE

from sow.batch.export.export import export
from sow.batch.gallery.gallery import ASSETS
from sow.batch.ledger import checks, schema
from sow.batch.ledger.admission import admit
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.schema import OWN_FOLDER, ledger_path
from sow.batch.open_ledger import open_ledger, read_ledger
from sow.batch.runners.publishing import write_metadata, write_page
from sow.errors import OutputError, SowError
from sow.storage.storage import Storage

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights")
TOLD = {"prompt": "a man", "seconds": 1.0, "notes": [], "box": None}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def home(tmp_path):
    """What the user has outside of the results."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "precious.png").write_bytes(b"mine")
    for name in (".sow-0123456789abcdef.tmp", "entries-0009.js", "runner-1.lock", "begin.lock"):
        (folder / name).write_bytes(b"mine")
        os.utime(folder / name, (0, 0))
    return folder


def finished(folder, *ids):
    """Record these jobs as done, and one more as waiting, in a results folder."""
    folder.mkdir(exist_ok=True)
    with closing(Ledger(folder)) as ledger:
        admit_jobs(ledger, *(job(name, seed=n) for n, name in enumerate((*ids, "last"))))
        for claimed in ledger.claim(len(ids)):
            record(ledger, claimed, b"a picture")
    return folder


@pytest.fixture
def received(tmp_path):
    """A results folder as it comes out of an archive."""
    (tmp_path / "face.png").touch()
    shutil.copytree(finished(tmp_path / "sent", "j0", "j1"), tmp_path / "out")
    return tmp_path / "out"


def contents(folder):
    """All files of a folder with what they hold; links as such."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if S_ISREG(path.lstat().st_mode) else None
        for path in folder.rglob("*")
    }


def everything(folder):
    """What the commands do with a results folder, short of drawing."""
    with read_ledger(folder) as ledger:
        ledger.counts(), list(ledger.failures())
        write_metadata(ledger)
        write_page(ledger, "out")
    with closing(open_ledger(folder)) as ledger:
        lines = [job("j0", seed=0, prompt="another"), job("j1", seed=1)]
        admit(ledger, make_job_source(lines, folder.parent), OPTIONS, force=True)
        ledger.retry_failed()
        for name in ("", OWN_FOLDER, f"{OWN_FOLDER}/thumbs", ASSETS):
            ledger.outputs.remove_stale(name)
        for claimed in ledger.claim(9):
            record(ledger, claimed, b"another picture")
        write_page(ledger, "out")


def record(ledger, claimed, picture):
    (seed,) = claimed.seeds
    name = claimed.file_of(seed)
    told = {**TOLD, "file_name": name, "id": claimed.job.id, "seed": seed}
    files = {f"{OWN_FOLDER}/thumbs/{claimed.job.id}.webp": b"small", name: picture}
    assert ledger.record(claimed, seed, files, told, 1.0)


def refused(folder, home):
    """Check that every use of a folder ends in one line, with all that is outside as it was."""
    before = contents(home)
    for use in (everything, lambda folder: open_ledger(folder).close()):
        with pytest.raises(SowError) as caught:
            use(folder)
        assert "\n" not in str(caught.value)
    assert contents(home) == before
    return caught.value.what


def test_an_honest_folder_goes_on_elsewhere(received):
    everything(received)
    assert (received / "j0.png").read_bytes() == b"another picture"
    assert (received / ".sow/replaced/j0.png").read_bytes() == b"a picture"
    assert (received / ".sow/thumbs/j0.webp").read_bytes() == b"small"


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_ledger_that_lies_is_refused_in_one_line(received, home, kind):
    before = {name: content for name, content in contents(received).items() if "ledger" not in name}
    with closing(sqlite3.connect(ledger_path(received))) as database:
        database.executescript(OUTSIDE[kind])
    told = refused(received, home)
    assert str(received) in told
    after = contents(received)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize(
    "spoilt",
    ["'$.unet_samples', 'x'", "'$.unet_calls', -1", "'$.seconds', -1", "'$.notes[0]', 1",
     f"'$.seconds', json('1{'0' * 400}')", f"'$.unet_calls', json('1{'0' * 400}')"],
)  # fmt: skip
def test_what_reports_are_made_of_is_checked(received, home, spoilt):
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute(f"UPDATE pictures SET told = json_set(told, {spoilt})")
    assert "the metadata of a picture" in refused(received, home)


@pytest.mark.parametrize(
    ("spoilt", "what"),
    [
        ("UPDATE jobs SET pass = pass + 1", "a job"),  # the next manifest would carry them out
        ("UPDATE jobs SET attempts = 9223372036854775807", "a job"),
        ("UPDATE sqlite_sequence SET seq = 9223372036854775807", "a runner"),
        ("UPDATE sqlite_sequence SET seq = 'x'", "a runner"),
        ("INSERT INTO runners VALUES (-1, 'x', 0)", "a runner"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
         "INSERT INTO runners SELECT i, 'x', 1e300 FROM n", "a runner"),
    ],
)  # fmt: skip
def test_numbers_that_no_batch_would_write_are_refused(received, home, spoilt, what):
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute(spoilt)
    assert f"({what} is invalid)" in refused(received, home)


def test_a_lone_surrogate_is_listed(received):
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute(r"UPDATE pictures SET told = replace(told, 'a man', '\ud800')")
    everything(received)
    assert r'"\ud800"' in (received / "metadata.jsonl").read_text()


def test_no_ledger_moves_or_replaces_what_is_outside(received, home, monkeypatch):
    """Even one that was believed: the folder is held open, and names cannot leave it."""
    for spoilt in ("../home/precious.png", str(home / "precious.png"), "a/../../home/precious.png"):
        with closing(Ledger(received)) as ledger:
            with ledger.transaction() as database:
                database.execute("INSERT INTO retired VALUES (?)", (spoilt,))
            with pytest.raises(OutputError, match="is not a name inside the folder"):
                ledger.archive_retired()
            with ledger.transaction() as database:
                database.execute("DELETE FROM retired")
            with pytest.raises(OutputError, match="is not a name inside the folder"), \
                    ledger.store.staged({spoilt: b"theirs"}) as commit:  # fmt: skip
                commit()
    assert (home / "precious.png").read_bytes() == b"mine"


def test_a_ledger_cannot_say_that_its_manifest_is_known(received):
    """Its jobs that the manifest does not have are never carried out."""
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute("UPDATE meta SET value = 'known' WHERE name = 'manifest'")
        database.execute("INSERT OR REPLACE INTO meta VALUES ('manifest', 'known')")
    with closing(Ledger(received)) as ledger:
        assert ledger.get_meta("manifest") is None
        ledger.set_meta("manifest", "known")
    with closing(Ledger(received)) as ledger:  # this user's own claim is believed
        assert ledger.get_meta("manifest") == "known"


def test_a_ledger_is_checked_once_where_it_lies(received, tmp_path, monkeypatch):
    checked = []
    real = checks.check_integrity
    monkeypatch.setattr(checks, "check_integrity", lambda base: (checked.append(1), real(base)))
    for _ in range(3):
        Ledger(received).close()
    assert len(checked) == 1
    shutil.copytree(received, tmp_path / "again")
    Ledger(tmp_path / "again").close()
    assert len(checked) == 2
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute("UPDATE meta SET value = ? WHERE name = 'checked'", ("0" * 32,))
    Ledger(received).close()
    assert len(checked) == 3


def test_without_a_cache_folder_every_opening_checks(received, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "file/cache"))
    Ledger(received).close()
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute("INSERT INTO retired VALUES ('../x.png')")
    with pytest.raises(OutputError, match="the name of a picture is invalid"):
        Ledger(received)


def test_a_ledger_that_is_locked_is_not_called_damaged(received, monkeypatch):
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", 0.1)
    with closing(sqlite3.connect(ledger_path(received), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="was locked for"):
            Ledger(received)
    Ledger(received).close()


def test_a_row_without_end_is_refused(received, home):
    with closing(sqlite3.connect(ledger_path(received))) as database, database:
        database.execute("UPDATE jobs SET error = CAST(zeroblob(20000000) AS TEXT)")
    refused(received, home)


def test_a_journal_cannot_delete_a_file(received, home):
    """SQLite deletes the file that a journal names as the journal of several databases."""
    name, magic = os.fsencode(home / "precious.png"), bytes.fromhex("d9d505f920a163d7")
    header = (magic + struct.pack(">5I", 0, 0, 9, 512, 4096)).ljust(512, b"\0")
    tail = struct.pack(">I", 2**30 // 4096 + 1) + name + struct.pack(">2I", len(name), sum(name))
    ledger_path(received).with_name("ledger.sqlite-journal").write_bytes(header + tail + magic)
    assert "journal" in refused(received, home)


PARTS = (".sow", ".sow/thumbs", ".sow/replaced", ASSETS, ".sow/ledger.sqlite", ".sow/begin.lock",
         ".sow/runner-1.lock", ".sow/ledger.sqlite-wal")  # fmt: skip


def make_pipe(path, home):
    os.mkfifo(path)


KINDS = {
    "folder": lambda path, home: path.symlink_to(home),
    "relative": lambda path, home: path.symlink_to(os.path.relpath(home, path.parent)),
    "file": lambda path, home: path.symlink_to(home / "precious.png"),
    "nowhere": lambda path, home: path.symlink_to(home / "new"),
    "itself": lambda path, home: path.symlink_to(path.name),
    "device": lambda path, home: path.symlink_to("/dev/zero"),
    "pipe": make_pipe,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_leads_elsewhere_is_refused(received, home, part, kind):
    path = received / part
    if part == ".sow" and kind in ("folder", "relative"):
        shutil.copytree(path, home, dirs_exist_ok=True)  # a ledger that could be used
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    KINDS[kind](path, home)
    told = refused(received, home)
    if part != ".sow" and kind != "pipe":
        assert told.startswith(f"'{part}' in '{received}' is a link"), told


def test_a_ledger_with_another_name_is_refused(received, home):
    """It would be changed there too: an empty file would be filled, a copy's ledger go on."""
    ledger_path(received).unlink()
    (home / "empty").touch()
    ledger_path(received).hardlink_to(home / "empty")
    assert "another name elsewhere" in refused(received, home)


@pytest.mark.parametrize("name", ["j0.png", "j1.png", "last.png", "metadata.jsonl", "index.html"])
def test_a_result_that_is_a_link_is_not_written_through(received, home, name):
    before = contents(home)
    (received / name).unlink(missing_ok=True)
    (received / name).symlink_to(home / "precious.png")
    with suppress(OutputError):  # index.html is not a page of a batch
        everything(received)
    assert contents(home) == before


def test_a_result_that_is_a_link_is_not_exported(received, home):
    (received / "j1.png").unlink()
    (received / "j1.png").symlink_to(home / "precious.png")
    everything(received)
    with pytest.raises(OutputError, match="outside the folder"):
        export(received, "webdataset", received.parent / "shards")


def test_chunks_of_the_page_are_not_written_through_links(received, home):
    (received / ASSETS).mkdir(parents=True)
    (received / ASSETS / "entries-0000.js").symlink_to(home / "precious.png")
    everything(received)
    assert (home / "precious.png").read_bytes() == b"mine"
    assert not (received / ASSETS / "entries-0000.js").is_symlink()


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "face.png").touch()
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    everything(finished(tmp_path / "out", "j0", "j1"))
    assert (tmp_path / "disk/j0.png").read_bytes() == b"another picture"
    assert (tmp_path / "out/index.html").is_file()


def test_results_that_are_links_of_the_user_stay(received, tmp_path):
    (received / "j1.png").rename(tmp_path / "moved.png")
    (received / "j1.png").symlink_to(tmp_path / "moved.png")
    everything(received)
    assert (received / "j1.png").is_symlink()


@pytest.mark.parametrize("part", [".sow", ".sow/incoming", ".sow/thumbs", ASSETS, ".sow/owner.json",
                                  "x.png"])  # fmt: skip
def test_a_local_address_is_held_open_too(tmp_path, home, part):
    forget_connections()
    before = contents(home)
    (tmp_path / "far" / part).parent.mkdir(parents=True)
    (tmp_path / "far" / part).symlink_to(home / "precious.png" if "." in part[1:] else home)
    storage = Storage(f"file://{tmp_path}/far")
    for use in (
        lambda: storage.put(".sow/owner.json", b"{}"),
        lambda: storage.put(".sow/thumbs/x.webp", b"small"),
        lambda: storage.put("x.png", b"picture"),
        lambda: storage.put_file(home / "begin.lock", f"{ASSETS}/entries-0009.js"),
        lambda: storage.move("x.png", ".sow/thumbs/precious.png"),
        lambda: storage.remove(f"{ASSETS}/entries-0009.js"),
        lambda: storage.remove("../home/precious.png"),
        lambda: storage.move("../home/precious.png", "x"),
        lambda: storage.put("../home/precious.png", b"theirs"),
    ):
        with suppress(SowError):
            use()
    assert contents(home) == before


def test_results_of_many_runners_do_not_disturb_the_check(received):
    """Files that are being written have two names for a moment."""
    path = received / ".sow/.sow-0123456789abcdef.tmp"
    path.write_bytes(b"being written")
    (received / "j5.png").hardlink_to(path)
    Ledger(received).close()
