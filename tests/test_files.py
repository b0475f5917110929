"""Results are whole or not there, whatever ends the writer; what is read is a plain file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from sow.errors import OutputError, PlanError
from sow.plan.plan import Plan
from sow.utils import output_folder
from sow.utils.files import (
    STALE_SECONDS,
    check_output_path,
    read_regular,
    remove_stale,
    write_atomically,
    write_text,
)
from sow.utils.output_folder import OutputFolder

WRITERS = {
    "text": "write_text('x' * 10**6, Path('out'), force=True)",
    "picture": "write_png(Image.effect_noise((700, 700), 90), Path('out'), force=True)",
}
PREAMBLE = (
    "import os, resource, signal\n"
    "from pathlib import Path\n"
    "from PIL import Image\n"
    "from sow.utils.files import write_png, write_text\n"
)


def child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + code], cwd=folder, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_what_was_there(tmp_path, writer):
    """A limit on the size of files stands in for the disk; Python turns both into OSErrors."""
    (tmp_path / "out").write_text("mine")
    code = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"try:\n    {WRITERS[writer]}\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = child(code, tmp_path)
    assert done.stdout.startswith("OutputError 'out' cannot be written"), done.stdout + done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace", "os.fdopen"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_killed_writer_leaves_what_was_there(tmp_path, writer, moment):
    """Killed before the file is synced, before it is renamed, before anything is on the disk."""
    (tmp_path / "out").write_text("mine")
    owner, _, name = moment.partition(".")
    code = f"{owner}.{name} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
    assert child(code + WRITERS[writer], tmp_path).returncode == -signal.SIGKILL
    assert (tmp_path / "out").read_text() == "mine"
    left = [file for file in tmp_path.iterdir() if file.name != "out"]
    assert len(left) <= 1
    remove_stale(tmp_path)
    assert all(file.exists() for file in left)  # it could still be somebody's
    long_ago = time.time() - STALE_SECONDS - 60
    for file in left:
        os.utime(file, (long_ago, long_ago))
    (tmp_path / ".sow-notes.tmp").touch()
    os.utime(tmp_path / ".sow-notes.tmp", (long_ago, long_ago))
    remove_stale(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".sow-notes.tmp", "out"]


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path):
    def write(file: BinaryIO) -> None:
        file.write(b"new")
        (tmp_path / "out").write_text("mine")

    with pytest.raises(OutputError, match="exists"):
        write_atomically(write, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "mine"


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path):
    name = "x" * 251 + ".png"
    write_text("hello", tmp_path / name)
    assert (tmp_path / name).read_text() == "hello"
    with pytest.raises(OutputError, match="cannot be written"):
        check_output_path(tmp_path / f"x{name}")


def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "x")
    for path, force in ((tmp_path / "nowhere", False), (Path("/dev/null"), True),
                        (tmp_path / "a\0b", True), (tmp_path, True)):  # fmt: skip
        with pytest.raises(OutputError):
            check_output_path(path, force)


def test_only_plain_files_of_a_sane_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * 2000)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "folder", tmp_path / "gone"):
        with pytest.raises(OSError, match=r"file|folder"):
            read_regular(path)
        with pytest.raises(PlanError, match="cannot read the plan"):
            Plan.read(path)
    with pytest.raises(OSError, match="larger"):
        read_regular(tmp_path / "large", 1999)
    assert len(read_regular(tmp_path / "large", 2000)) == 2000


@pytest.fixture(params=[True, False], ids=["handles", "checks"])
def held(request, tmp_path, monkeypatch):
    """A folder that is held open, or whose parts are checked where the system has no handles."""
    if request.param and not output_folder.HAS_HANDLES:
        pytest.skip("no handles")
    monkeypatch.setattr(output_folder, "HAS_HANDLES", request.param)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/x").write_bytes(b"mine")
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "out/file").write_bytes(b"a file")
    (tmp_path / "out/link").symlink_to(tmp_path / "home")
    with OutputFolder(tmp_path / "out") as folder:
        yield folder
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["x"]
    assert (tmp_path / "home/x").read_bytes() == b"mine"


def write(held, name, content=b"new", replace=True):
    held.write(name, lambda file: file.write(content), replace=replace)


def test_nothing_is_reached_through_a_link(held, tmp_path):
    for use in (
        lambda: write(held, "link/x"),
        lambda: held.make_folder("link/sub"),
        lambda: held.remove("link/x"),
        lambda: held.replace("file", "link/x"),
        lambda: held.rename("link/x", "mine"),
        lambda: held.set_aside("link/x", "sub"),
        lambda: held.set_aside("file", "link"),
        lambda: held.open("link/x"),
        lambda: held.entries("link"),
        lambda: held.stat("link/x"),
    ):
        with pytest.raises(OutputError, match=r"'link' in .*out' is a link, not a folder"):
            use()
    write(held, "link")
    assert (tmp_path / "out/link").read_bytes() == b"new"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../home/x", "/x", "sub/../../home/x", "a//b", "\0"]
)
def test_names_do_not_leave_the_folder(held, name):
    for use in (lambda: write(held, name), lambda: held.remove(name), lambda: held.open(name),
                lambda: held.replace("file", name), lambda: held.rename(name, "mine")):  # fmt: skip
        with pytest.raises(OutputError, match="is not a name inside the folder"):
            use()


def test_a_name_that_is_taken_is_not_taken_again(held, tmp_path, monkeypatch):
    for move in ("hard links", "none"):
        write(held, "new", move.encode(), replace=False)
        with pytest.raises(FileExistsError):
            write(held, "new", b"again", replace=False)
        with pytest.raises(FileExistsError):
            held.rename("file", "new")
        assert (tmp_path / "out/new").read_bytes() == move.encode()
        assert held.set_aside("new", "old") == ("old/new" if move == "hard links" else "old/new-1")
        monkeypatch.setattr(output_folder, "_link", no_link)
    (tmp_path / "out/folder.d/a").mkdir(parents=True)
    (tmp_path / "out/old/folder.d").mkdir()
    assert held.set_aside("folder.d", "old") == "old/folder-1.d"
    assert (tmp_path / "out/old/folder-1.d/a").is_dir()
    assert held.set_aside("gone", "old") is None
    with pytest.raises(FileNotFoundError):
        held.rename("gone", "new")
    assert sorted(held.entries()) == ["file", "link", "old", "sub"]


def no_link(*places):
    raise OSError("no hard links")


def test_a_temporary_file_is_gone_unless_it_is_placed(held, tmp_path):
    with held.temporary("sub") as made:
        assert sorted(held.entries("sub")) == [made.name.partition("/")[2]]
    with pytest.raises(ZeroDivisionError), held.temporary("sub") as made:
        raise ZeroDivisionError
    with held.temporary("sub") as made:
        output_folder.remove_unfinished()
    assert held.entries("sub") == {}
    for name in (".sow-0123456789abcdef.tmp", ".sow-mine.tmp"):
        (tmp_path / "out/sub" / name).touch()
        os.utime(tmp_path / "out/sub" / name, (0, 0))
    held.remove_stale("sub")
    held.remove_stale("nowhere")
    assert list(held.entries("sub")) == [".sow-mine.tmp"]


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("gone")
    for name in ("gone", "file", "nowhere", "a\0b"):
        with pytest.raises(OutputError, match="cannot be used"):
            OutputFolder(tmp_path / name)
    for name in ("file", "nowhere"):
        with pytest.raises(OutputError, match="cannot be used"):
            OutputFolder(tmp_path / name, create=True)
