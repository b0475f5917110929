"""Which thread computes: pictures in one, plans in threads that end."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sow.errors import UsageError
from sow.studio.maker import Maker, aside

HELPERS = """
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import sow, torch
from sow.studio.session import Session
from sow.studio.studio import Studio, Wish

torch.set_num_threads(2)
studio = Studio(sow.Service("figures", device="cpu"), Path("out"))

def event():
    session = Session("a page")
    studio.bring(session, Path(sys.argv[1]).read_bytes(), "a.png")
    studio.plan(session, Wish())
    assert session.faces

def threads():
    counts = []
    for _ in range(30):  # those that end are there for a moment
        time.sleep(0.1)
        counts.append(len(os.listdir("/proc/self/task")))
    return min(counts)

pages = [ThreadPoolExecutor(1) for _ in range(3)]
pages[0].submit(event).result()
before = threads()
for page in pages[1:]:
    page.submit(event).result()
print(threads() - before)
"""
"""Prints how many threads two further events leave, each in a thread that stays."""


def test_one_thread_does_everything_in_turn():
    maker, seen = Maker(), []
    threads = [
        threading.Thread(target=lambda: seen.append(maker.do(threading.get_ident)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 5
    assert len(set(seen)) == 1
    assert seen[0] not in {thread.ident for thread in threads}


@pytest.mark.parametrize("do", [Maker().do, aside])
def test_what_is_raised_is_raised(do):
    def fail():
        raise UsageError("it is wrong", "mend it")

    with pytest.raises(UsageError, match="it is wrong"):
        do(fail)
    assert do(lambda: 3) == 3


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted on Linux")
def test_plans_leave_no_helpers_of_openmp(faces, tmp_path):
    """Else pictures of small models take half as long again, for as long as the page is open."""
    faces["drawn-beard"].save(tmp_path / "face.png")
    command = [sys.executable, "-c", HELPERS, str(tmp_path / "face.png")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "2\n", done.stderr
