"""The door to the network: where keys and pictures go, and how much comes back."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mllm_server import Server, good, whole
from planner_helpers import ASKERS, KEY, REQUEST, asker_of, planner_of

from sow.errors import PlannerError, UsageError
from sow.planners.mllm.asker import Asker, BadAnswer
from sow.planners.mllm.planner import StagedPlanner
from sow.planners.mllm.reading import objects_in
from sow.planners.mllm.transport import MAX_ANSWER_BYTES, check_address, run
from sow.planners.mllm.vendors.registry import make_asker
from sow.service.planning import PlannerChoice


class Silent(Asker):
    """Nobody is asked; what was answered is read."""

    vendor = "x"

    async def send(self, images, prompt, schema):
        raise AssertionError("nobody was to be asked")


@pytest.fixture
def other():
    """A second server, that nobody named."""
    running = Server()
    yield running
    running.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ASKERS)
def test_a_redirect_is_said_and_not_followed(server, other, name, status):
    server.reply = lambda asked: (status, {"error": {"message": "over there"}})
    server.headers = {"Location": f"{other.address}/v1/chat/completions"}
    with pytest.raises(PlannerError, match="is not followed") as caught:
        planner_of(name, server, seconds=60).plan(REQUEST)
    assert other.address.removeprefix("http://") in str(caught.value)
    assert other.asked == []
    assert len(server.asked) <= 2  # both first questions; neither is repeated


@pytest.mark.parametrize("location", [None, "http://[::1", "\x1b[31mred", "http://x:99999999/"])
def test_a_redirect_to_nowhere_is_one_line(server, location):
    server.reply = lambda asked: (307, {})
    server.headers = {"Location": location} if location else {}
    with pytest.raises(PlannerError, match="is not followed") as caught:
        planner_of("openai", server).plan(REQUEST)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ASKERS)
def test_an_endless_answer_is_cut_off(server, name):
    """64 MB are offered at once; nothing near that is ever held."""
    server.reply = lambda asked: (200, b'{"a": "' + b"x" * (64 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(PlannerError, match="longer than 4 MB"):
            StagedPlanner(asker_of(name, server, retries=0), seconds=60).plan(REQUEST)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    sent = 2 * 64 * 2**20  # the server's own copies live in this process too
    assert peak < 3 * sent + 8 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("name", ASKERS)
def test_a_packed_answer_is_not_unpacked(server, name):
    server.reply = lambda asked: (200, gzip.compress(b" " * 10**7))
    server.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(PlannerError, match="compressed"):
        StagedPlanner(asker_of(name, server, retries=0), seconds=60).plan(REQUEST)
    wanted = server.asked[0].headers
    assert wanted.get("Accept-Encoding", wanted.get("accept-encoding")) == "identity"


ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in KEY)


@pytest.mark.parametrize("name", ASKERS)
@pytest.mark.parametrize("spelt", [KEY, ESCAPED])
def test_a_key_that_comes_back_is_struck_out_of_the_plan(server, name, spelt):
    def reply(asked):
        text = good(asked)
        if asked.stage == "Recognition":
            return text.replace("round glasses", f"glasses {spelt}")
        return text.replace('"body"', f'"body {spelt}"').replace("umbrella", f"umbrella {spelt}")

    server.reply = reply
    plan = planner_of(name, server).plan(REQUEST)
    assert "glasses" in plan.prompt
    assert "secret" not in plan.to_json()


@pytest.mark.parametrize("stage", ["Recognition", "Position"])
@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_a_key_in_a_refusal_or_in_the_name_of_a_field_is_struck_out(server, name, stage):
    def reply(asked):
        if asked.stage == stage == "Recognition":
            refusal = {"refusal": f"no {KEY}"} if name == "openai" else {}
            return whole(name, None if refusal else "", **refusal)
        if asked.stage == stage:
            return json.dumps({"box": {"x": 1, "y": 1, "width": KEY, "height": 9}, KEY: 1})
        return good(asked)

    server.reply = reply
    plan = planner_of(name, server).plan(REQUEST)
    assert sum("by rules" in note for note in plan.notes) == 1
    assert "secret" not in plan.to_json()
    assert all("secret" not in asked.prompt for asked in server.asked)  # the repair shows it


PLAIN = "hush-0123456789-abcdefghijk"
SPELT = {
    "cut off": f"{PLAIN} " * 200, "in lines": "\n".join(PLAIN), "between": "\u200b".join(PLAIN),
    "in an address": "".join(f"%{ord(letter):02x}" for letter in PLAIN),
}  # fmt: skip


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("spelt", SPELT)
def test_a_key_in_an_error_is_struck_out_however_it_is_cut_or_broken(server, spelt, status):
    """Keys are as long as lines are short: 1000 characters of a server's words end inside one."""
    server.reply = lambda asked: (status, {"error": {"message": SPELT[spelt]}})
    asker = ASKERS["openai"]("m", PLAIN, server.address + "/v1", 0)
    with pytest.raises(PlannerError) as caught:
        StagedPlanner(asker).plan(REQUEST)
    assert "0123" not in (said := str(caught.value).replace(" ", ""))
    assert "hush" not in said
    assert "%68" not in said


def test_what_an_sdk_warns_of_does_not_reach_the_terminal(server, capfd, recwarn):
    body = {"promptFeedback": {"blockReason": f"\x1b[31mODD {KEY}"}}
    server.reply = lambda asked: body if asked.stage == "Recognition" else good(asked)
    plan = planner_of("gemini", server).plan(REQUEST)
    assert any("refused" in note for note in plan.notes)
    told = "".join(capfd.readouterr()) + "".join(str(w.message) for w in recwarn)
    assert "\x1b" not in told + plan.to_json()
    assert "secret" not in told + plan.to_json()


@pytest.mark.parametrize(
    ("environment", "base_url", "key"),
    [
        ({"OPENAI_API_KEY": KEY}, None, KEY),
        ({"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1/", KEY),
        ({"OPENAI_API_KEY": KEY}, "http://api.openai.com/v1", None),
        ({"OPENAI_API_KEY": KEY}, "https://api.openai.com.evil.example/v1", None),
        ({"OPENAI_API_KEY": KEY}, "https://evil.example/api.openai.com", None),
        ({"OPENAI_API_KEY": KEY}, "http://localhost:11434/v1", None),
        ({"OPENAI_API_KEY": KEY, "SOW_PLANNER_KEY": "own"}, "https://gate.example/v1", "own"),
        ({"OPENAI_API_KEY": KEY, "SOW_PLANNER_KEY": "own"}, "http://127.0.0.1:8000/v1", "own"),
        ({"OPENAI_API_KEY": KEY, "SOW_PLANNER_KEY": "own"}, None, KEY),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://gate.example/v1"}, None, KEY),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://gate.example/v1"}, None, None),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://a.example"}, "https://b.ai", None),
    ],
)  # fmt: skip
def test_a_key_is_shown_to_its_vendor_and_to_whom_the_user_names_beside_it(
    environment, base_url, key
):
    assert make_asker("openai", base_url=base_url, environment=environment)._key == key


def test_a_key_never_travels_in_the_clear():
    with pytest.raises(UsageError, match="unencrypted"):
        make_asker("openai", base_url="http://gate.example/v1",
                   environment={"SOW_PLANNER_KEY": KEY})  # fmt: skip


def test_a_local_server_gets_neither_key_nor_account(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Custom: {KEY}")
    asker = make_asker("openai", base_url=server.address + "/v1")
    StagedPlanner(asker).plan(REQUEST)
    assert all(KEY not in str(asked.headers) for asked in server.asked)


@pytest.mark.parametrize(
    "url",
    ["localhost", "http://", "http://[::1", "http://a:port/", "http://a:99999/", "http://a:0",
     "ftp://a", "http://a b/", "http://a\n.example/", "", "https:///v1", "http://" + "a" * 3000,
     "http://xn--\u0301/", "https://evil.example\\@api.openai.com/v1"],
)  # fmt: skip
def test_what_is_no_address_is_said(url):
    with pytest.raises(UsageError, match="not a valid address"):
        check_address(url)


def test_a_password_in_an_address_is_refused_without_being_said():
    with pytest.raises(UsageError, match="leave it out") as caught:
        make_asker("openai", base_url="https://me:s3cret@gate.example/v1", environment={})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://gate.example/v1?key=s3cret", "http://a/v1#s3cret",
                                 f"https://gate.example/{KEY}/v1",
                                 f"https://gate.example/{KEY.replace('-', '%2D')}"])  # fmt: skip
def test_a_key_in_an_address_is_refused_without_being_said(url):
    with pytest.raises(UsageError, match=r"base_url= contains a .*SOW_PLANNER_KEY") as caught:
        make_asker("openai", base_url=url, environment={"SOW_PLANNER_KEY": KEY})
    assert "s3cret" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_an_address_is_checked_also_where_nobody_is_asked():
    with pytest.raises(UsageError, match="a query"):
        PlannerChoice("offline", base_url="http://a/v1?key=s3cret").check()


@pytest.mark.parametrize("status", [302, 307, 399])
@pytest.mark.parametrize("name", ASKERS)
@pytest.mark.parametrize("spelt", [KEY, KEY.upper(), KEY[:9] + "\x7f" + KEY[9:]])
def test_a_key_in_a_redirect_is_struck_out(server, name, status, spelt):
    server.reply = lambda asked: (status, {})
    server.headers = {"Location": f"https://{spelt}/"}
    with pytest.raises(PlannerError) as caught:
        planner_of(name, server).plan(REQUEST)
    assert KEY.lower() not in str(caught.value).lower()


STRANGE = {
    "deep": "[" * 100_000,
    "a number": "5",
    "candidates": '{"candidates": 5}',
    "block": '{"promptFeedback": {"blockReason": 5}}',
    "finish": '{"candidates": [{"finishReason": 5}]}',
    "null": '{"error": null}',
    "list": '{"error": [1]}',
    "text": '["x"]',
    "escaped": '{"error":{"message":"' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '"}',
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", ASKERS)
def test_whatever_is_answered_over_http_is_one_line(server, name, kind):
    for status, charset in ((200, "utf-8"), (400, "rot13"), (500, "zip")):
        server.kind = f"application/json; charset={charset}"
        server.reply = lambda asked, status=status: (status, STRANGE[kind].encode())
        with pytest.raises(PlannerError) as caught:
            StagedPlanner(asker_of(name, server, retries=0), seconds=60).plan(REQUEST)
        said = str(caught.value)
        assert said.isprintable()
        assert "secret" not in said
        assert "\\u0073" not in said


def test_a_fence_with_millions_of_blanks_is_read_in_a_moment():
    """It was read by a pattern that took hours, in which neither a limit nor Ctrl-C was heard."""
    from sow.planners.mllm.answers import Position

    asker, started = Silent("m", None, "http://here"), time.process_time()
    with pytest.raises(BadAnswer):
        asker.parse('{"a":' + " " * 2_000_000 + "1}", Position)
    assert time.process_time() - started < 5


def test_a_list_inside_of_many_objects_is_not_read_once_for_each():
    started = time.process_time()
    assert list(objects_in('{"a":' * 900 + "[" + "1," * 100_000)) == []
    assert time.process_time() - started < 2


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text):
    for url in (text, f"http://{text}"):
        with suppress(UsageError):
            assert check_address(url).startswith(("http://", "https://"))


def test_looking_up_a_name_does_not_hold_a_plan_up(monkeypatch):
    """The plan has a second; the resolver answers only after the plan has failed."""
    failed, looked = threading.Event(), []

    def slow(*_args, **_named):
        looked.append(not failed.wait(60))
        raise OSError("nobody")

    asker = ASKERS["openai"]("m", KEY, "http://some.example/v1", 0)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(PlannerError, match="no plan within 1 seconds"):
        StagedPlanner(asker, seconds=1).plan(REQUEST)
    assert True not in looked
    failed.set()


def test_a_resolver_that_hangs_does_not_hold_the_program_up():
    """The process ends although a name is still being looked up, for ten minutes."""
    code = (
        "import asyncio, socket, time\n"
        "from sow.planners.mllm.transport import run\n"
        "socket.getaddrinfo = lambda *a, **k: time.sleep(600)\n"
        "async def look():\n"
        "    async with asyncio.timeout(0.5):\n"
        "        await asyncio.get_running_loop().getaddrinfo('some.example', 80)\n"
        "try:\n    run(look)\nexcept TimeoutError:\n    print('in time')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout == "in time\n"


def test_work_aside_gives_back_results_and_errors():
    async def aside():
        assert await asyncio.to_thread(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return "done"

    assert run(aside) == "done"


def test_no_json_is_a_bad_answer_without_the_key():
    from sow.planners.mllm.answers import Position

    asker = Silent("m", KEY, "http://here")
    for text in (f"no {KEY}", f'{{"{KEY}": 1}}', "[" * 10**6, "NaN", '"\\ud800"'):
        with pytest.raises(BadAnswer) as caught:
            asker.parse(text, Position)
        assert "secret" not in caught.value.text + caught.value.problem
