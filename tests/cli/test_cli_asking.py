"""What the command line asks back, and how it ends: consent, cost, interrupts, closed pipes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from commands import NO_KEYS
from conftest import EXAMPLES, hear_interrupts

FACE = EXAMPLES / "drawn-beard.png"
RUN = "from sow.cli.entry import run; run()"
PLAN = ("plan", "--model", "figures", "--face", FACE, "--prompt", "a man", "--no-draw")


@pytest.fixture
def env(tmp_path, server):
    """A key, and the server that the environment names beside it."""
    return {
        "OPENAI_API_KEY": "sk-very-secret-1234567890",
        "OPENAI_BASE_URL": server.address + "/v1",
        "SOW_CACHE": str(tmp_path / "cache"),
        "SOW_CONFIG": str(tmp_path / "config"),
    }


def at_a_terminal(code: str, folder, env, types: str):
    """Runs Python whose input and messages are a terminal; exit code, result, what was said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdin=theirs, stderr=theirs,
        stdout=subprocess.PIPE, env={**os.environ, **NO_KEYS, "COLUMNS": "200", **env},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, types.encode())
    said = b""
    while True:
        try:
            some = os.read(ours, 4096)
        except OSError:  # the terminal's other side is closed
            break
        if not some:
            break
        said += some
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    return process.returncode, out.decode().strip(), said.decode()


def test_a_picture_is_sent_when_it_was_agreed_to(tmp_path, server, env):
    code = f"import sys; sys.argv[1:] = {[*map(str, PLAN)]}; {RUN}"
    ended, out, said = at_a_terminal(code, tmp_path, env, "y\n")
    assert ended == 0, said
    assert "would be sent to 127.0.0.1" in said
    assert json.loads(out)["planner"].startswith("openai")
    assert server.asked != []
    assert "secret" not in said + out + (tmp_path / "config" / "consent.json").read_text()


ASK = "from sow.cli.consent import ask_consent; print(ask_consent({!r}, 'some.example'))"


@pytest.mark.parametrize(("types", "agreed"), [("y\n", "True"), ("n\n", "False"), ("\n", "False")])
def test_the_answer_is_remembered_for_whom_it_was_given(tmp_path, env, types, agreed):
    _, out, said = at_a_terminal(ASK.format("openai"), tmp_path, env, types)
    assert (out, "Send them" in said) == (agreed, True)
    _, out, said = at_a_terminal(ASK.format("openai"), tmp_path, env, "")
    assert (out, said) == (agreed, "")
    _, out, said = at_a_terminal(ASK.format("gemini"), tmp_path, env, "n\n")
    assert (out, "Send them" in said) == ("False", True)


def test_an_answer_that_cannot_be_remembered_is_one(tmp_path, env):
    (tmp_path / "config").write_text("in the way")
    _, out, said = at_a_terminal(ASK.format("openai"), tmp_path, env, "y\n")
    assert out == "True"
    assert "could not be saved" in said


def test_a_script_has_to_name_its_planner(run_sow, server, env, tmp_path):
    """Whatever was once agreed to at a terminal."""
    host = server.address.removeprefix("http://")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "consent.json").write_text(json.dumps({f"openai at {host}": True}))
    done = run_sow(*PLAN, env=env)
    assert done.returncode == 0, done.stderr
    assert "nothing is sent to openai unless it is named" in done.stderr
    assert server.asked == []


@pytest.mark.parametrize(("types", "agreed"), [("y\n", "True True"), ("n\n", "False False")])
def test_what_costs_a_fortune_is_asked_about(tmp_path, types, agreed):
    """Once where it is agreed to; `--yes` is never asked."""
    code = (
        "from sow.cli.consent import confirm_once; "
        "a = confirm_once({}); print(a('dear'), a('dearer'))"
    )
    _, out, said = at_a_terminal(code.format(False), tmp_path, {}, types * 2)
    assert out == agreed
    assert said.count("Go on?") == (1 if "y" in types else 2)
    _, out, said = at_a_terminal(code.format(True), tmp_path, {}, "")
    assert (out, said) == ("True True", "")


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.4, 1.0, 2.5])
def test_an_interrupt_ends_at_once_whatever_is_being_imported(tmp_path, moment):
    code = "import sys; from sow.cli.entry import run; print('go', file=sys.stderr, flush=True);"
    words = ["generate", "--model", "figures", "--face", str(FACE), "--prompt", "a man", "--out",
             "x.png", "--set", "cycles=500"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code} run()", *words], cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**os.environ, **NO_KEYS},
        preexec_fn=hear_interrupts,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "go\n"
    time.sleep(0.05 + moment)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert rest.splitlines()[-1] == "sow: interrupted"
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("settings", "--json", "--model", "figures"), ("settings", "--model", "figures"), ("--help",)],
)
def test_a_reader_that_goes_away_is_no_failure(tmp_path, words):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *words], cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**os.environ, **NO_KEYS},
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert said == ""


@pytest.mark.parametrize(
    ("shell", "ends"),
    [("{} settings --json > /dev/full", 6), ("{} --version >&-", 0), ("{} settings <&-", 0),
     ("{} nonsense 2>&-", 2), ("{} nonsense 2>/dev/full", 2)],
)  # fmt: skip
def test_closed_and_full_streams_are_no_tracebacks(tmp_path, shell, ends):
    done = subprocess.run(
        ["bash", "-c", shell.format(f"{sys.executable} -m sow")], cwd=tmp_path, text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == ends, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
