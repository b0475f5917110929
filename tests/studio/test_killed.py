"""How `sow studio` ends: killed at any moment, interrupted, or not started at all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from commands import environment
from conftest import EXAMPLES

from sow.pictures.recipe import read_recipe

gradio_client = pytest.importorskip("gradio_client", reason="the extra studio is not installed")


@contextlib.contextmanager
def started(folder, *words):
    """The command in a process of its own, and the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from sow.cli.entry import run; run()", "studio",
         "--model", "figures", "--port", "0", "--json", *words],
        cwd=folder, env={**os.environ, **environment({"TMPDIR": str(folder)})}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        yield process, json.loads(text)["url"]
    finally:
        process.kill()
        process.communicate()


def test_a_killed_server_leaves_no_half_written_picture(tmp_path):
    face = gradio_client.handle_file(EXAMPLES / "drawn-beard.png")
    with started(tmp_path) as (process, url):
        client = gradio_client.Client(url, download_files=tmp_path / "got", verbose=False)
        asked = {"image": face, "prompt": "a man", "preset": "swift-normal", "num": 8}
        client.submit(**asked, api_name="/generate")
        for _ in range(6000):
            if list((tmp_path / "studio").glob("*.png")):
                break
            time.sleep(0.01)
        process.kill()  # while it writes the second
        process.wait()
        client.close()
    files = list((tmp_path / "studio").glob("*.png"))
    assert files
    for file in files:
        read_recipe(file)  # it is whole


def test_an_interrupt_ends_it_in_good_order_with_one_line(tmp_path):
    with started(tmp_path) as (process, _):
        assert list(tmp_path.glob("sow-studio-*"))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-2:] == ["Ctrl-C ends the page", "sow: interrupted"]
    assert list(tmp_path.glob("sow-studio-*")) == []


AT_ANY_MOMENT = """
import os, random, signal, threading, time
from sow.cli.studio import _interrupts

def interrupt():
    time.sleep(random.random() * 1e-4)
    os.kill(os.getpid(), signal.SIGINT)

for _ in range(2000):
    interrupted = _interrupts()
    threading.Thread(target=interrupt).start()
    interrupted.get()
print("all heard")
"""


def test_an_interrupt_is_heard_at_any_moment():
    done = subprocess.run(
        [sys.executable, "-c", AT_ANY_MOMENT], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "all heard\n", done.stderr


def test_what_keeps_it_from_starting_is_one_line(run_sow):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_sow("studio", "--model", "figures", "--port", port)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"sow: cannot listen on port {port} of 127.0.0.1")
    done = run_sow("studio", "--model", "figures", "--host", "0.0.0.0")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("sow: at 0.0.0.0 others can use this machine; add --auth")


def test_without_gradio_it_says_what_to_install(run_sow, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sow.studio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    done = run_sow("studio", "--model", "figures")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "sow: sow studio needs Gradio; run pip install 'sow[studio]'"
    ]
