"""What a multimodal planner does with bad answers, refusals and servers that fail."""

from __future__ import annotations

import dataclasses
import io
import threading

import pytest
from mllm_server import good, whole
from PIL import Image, ImageDraw
from planner_helpers import ASKERS, KEY, PICTURE, REQUEST, asker_of, planner_of

from sow.errors import PlannerError
from sow.planners.mllm.planner import StagedPlanner
from sow.planners.mllm.vendors.openai import OpenAIAsker
from sow.planners.offline.planner import OfflinePlanner

BROKEN = {
    "no json": "I would say, on the left.",
    "half of it": '{"box": {"x": 1, "y"',
    "wrong types": '{"box": "left"}',
    "missing": "{}",
    "cut off in a number": '{"box": {"x": 100, "y": 100, "width": 200, "height": 2',
    "not a number": '{"box": {"x": NaN, "y": 1, "width": 200, "height": 200}}',
    "infinite": '{"box": {"x": 1e999, "y": 1, "width": 200, "height": 200}}',
    "a list": "[[1, 2, 3, 4]]",
    "deep": "[" * 5000,
    "empty object": '{"box": {}}',
}


@pytest.mark.parametrize("name", ["openai", "gemini"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_answer_is_shown_to_the_model_and_then_replaced_by_rules(server, name, kind):
    server.reply = lambda asked: BROKEN[kind] if asked.stage == "Position" else good(asked)
    plan = planner_of(name, server).plan(REQUEST)
    places = [asked for asked in server.asked if asked.stage == "Position"]
    assert len(places) == 2
    if (kind, name) != ("deep", "gemini"):  # that client gives up before it hands the text over
        assert BROKEN[kind][:50] in places[1].prompt
    assert "What is wrong with it" in places[1].prompt
    assert any(note.startswith("position: planned by rules") for note in plan.notes)
    assert plan.prompt.endswith("dark skin")


def test_a_mended_answer_is_taken(server):
    def reply(asked):
        spoilt = asked.stage == "Position" and "Your last answer" not in asked.prompt
        return "no idea" if spoilt else good(asked)

    server.reply = reply
    plan = planner_of("openai", server).plan(REQUEST)
    assert len(server.asked) == 4
    assert not any("by rules" in note for note in plan.notes)


def refusals(vendor: str):
    if vendor == "openai":
        return {
            "refusal": whole("openai", None, refusal="I cannot help with that."),
            "filter": whole("openai", "", "content_filter"),
        }
    return {
        "blocked": {"promptFeedback": {"blockReason": "SAFETY"}},
        "no candidates": {"candidates": []},
        "safety": whole("gemini", "", "safety"),
        "empty": {"candidates": [{"finishReason": "STOP", "index": 0}]},
    }


@pytest.mark.parametrize("name", ASKERS)
def test_a_refusal_is_not_asked_again_and_said(server, name):
    vendor = "openai" if name == "openai" else "gemini"
    for kind, body in refusals(vendor).items():
        server.asked.clear()
        server.reply = lambda asked, body=body: (
            body if asked.stage == "Recognition" else good(asked)
        )
        plan = planner_of(name, server).plan(REQUEST)
        assert plan.prompt == REQUEST.prompt, kind
        assert any(note.startswith("recognition: planned by rules") for note in plan.notes), kind
        assert len(server.asked) == 3, kind


@pytest.mark.parametrize("body", [whole("openai", None), {**whole("openai", ""), "choices": []}])
def test_an_empty_answer_is_no_refusal_and_asked_for_once_more_in_words_only(server, body):
    server.reply = lambda asked: (
        body if asked.stage == "Recognition" and asked.form != "plain" else good(asked)
    )
    plan = planner_of("openai", server).plan(REQUEST)
    assert plan.prompt.endswith("dark skin")
    forms = [asked.form for asked in server.asked if asked.stage == "Recognition"]
    assert forms == ["json_schema", "plain"]


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_an_answer_that_was_cut_off_is_asked_for_again(server, name):
    cut = whole(name, '{"subject": "fa', "length" if name == "openai" else "max_tokens")
    server.reply = lambda asked: cut if asked.stage == "Recognition" else good(asked)
    planner_of(name, server).plan(REQUEST)
    assert sum(asked.stage == "Recognition" for asked in server.asked) == 2
    assert any("cut off" in asked.prompt for asked in server.asked)


@pytest.mark.parametrize("name", ASKERS)
def test_too_many_requests_are_waited_out(server, name):
    seen: list[str] = []

    def reply(asked):
        if asked.stage not in seen:
            seen.append(asked.stage)
            return 429, {
                "error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}
            }
        return good(asked)

    server.reply = reply
    plan = planner_of(name, server).plan(REQUEST)
    assert len(server.asked) == 6
    assert not any("by rules" in note for note in plan.notes)


FAILURES = {
    401: "the API key was rejected",
    403: "the API key was rejected",
    404: "no model 'some-model'",
    400: "planner=offline",
    429: "too many requests",
    500: "planner=offline",
}


@pytest.mark.parametrize("status", FAILURES)
@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_a_failure_is_one_line_without_the_key(server, name, status):
    told = {
        "error": {"code": status, "message": f"no: {KEY} sk-proj-abcdefgh\nmore", "status": "X"}
    }
    server.reply = lambda asked: (status, told)
    planner = StagedPlanner(asker_of(name, server, retries=1))
    with pytest.raises(PlannerError) as caught:
        planner.plan(REQUEST)
    text = str(caught.value)
    assert FAILURES[status] in text
    if name == "openai" or status in (400, 500):
        assert "no: …" in text  # in the server's own words
    assert "\n" not in text
    assert "secret" not in text
    assert "abcdefgh" not in text
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 8


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_500_for_ever_ends(server, name):
    server.reply = lambda asked: (500, {"error": {"message": "boom"}})
    with pytest.raises(PlannerError):
        StagedPlanner(asker_of(name, server, retries=1)).plan(REQUEST)
    assert 2 <= len(server.asked) <= 4


@pytest.mark.parametrize("name", ASKERS)
def test_a_server_that_is_not_there_is_said(name):
    asker = ASKERS[name]("m", KEY, "http://127.0.0.1:9/v1", 0)
    with pytest.raises(PlannerError, match=r"127\.0\.0\.1:9"):
        StagedPlanner(asker, seconds=20).plan(REQUEST)


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
@pytest.mark.parametrize("name", ASKERS)
def test_nonsense_over_http_is_said(server, name, kind):
    server.kind = kind
    for body in (b"<html>a login page</html>", b'{"error": "no"}', b'{"choices": {"0": 1}}'):
        server.reply = lambda asked, body=body: (200, body)
        with pytest.raises(PlannerError):
            StagedPlanner(asker_of(name, server, retries=0), seconds=20).plan(REQUEST)


def test_an_answer_in_parts_is_read(server):
    """Some servers send the content of a message as a list."""

    def reply(asked):
        return whole("openai", [{"type": "text", "text": good(asked)}])

    server.reply = reply
    assert planner_of("openai", server).plan(REQUEST).prompt.endswith("dark skin")


def test_a_password_in_the_address_is_not_shown(server):
    address = server.address.replace("http://", "http://me:s3cret@") + "/v1"
    asker = OpenAIAsker("m", KEY, address, 0)
    assert asker.host == server.address.removeprefix("http://")
    server.reply = lambda asked: (404, {"error": {"message": "no"}})
    with pytest.raises(PlannerError) as caught:
        StagedPlanner(asker).plan(REQUEST)
    assert "s3cret" not in str(caught.value)


def test_one_failure_cancels_the_other_question(server):
    """The position is slow, the recognition refused: the failure does not wait for it."""

    failed, answered = threading.Event(), []

    def reply(asked):
        if asked.stage == "Recognition":
            return 401, {"error": {"message": "no"}}
        answered.append(not failed.wait(60))  # nobody waits for this answer
        return good(asked)

    server.reply = reply
    with pytest.raises(PlannerError, match="key"):
        planner_of("openai", server).plan(REQUEST)
    assert answered == []
    failed.set()


def test_what_the_mask_leaves_out_is_not_sent(server):
    mask = Image.new("L", PICTURE.size, 0)
    mask.paste(255, (40, 40, 120, 160))
    picture = PICTURE.copy()
    picture.paste((255, 0, 0), (0, 0, 180, 40))
    cut = picture.convert("RGBA")
    cut.putalpha(mask)
    hidden = dataclasses.replace(REQUEST, image=picture, mask=mask)
    for request in (hidden, dataclasses.replace(REQUEST, image=cut)):
        server.asked.clear()
        planner_of("openai", server).plan(request)
        sent = Image.open(io.BytesIO(server.asked[0].picture))
        assert sent.mode == "RGB"
        assert sent.size == (80, 120)
    ellipse = Image.new("L", PICTURE.size, 0)
    ImageDraw.Draw(ellipse).ellipse((40, 0, 120, 160), fill=255)
    server.asked.clear()
    planner_of("openai", server).plan(dataclasses.replace(hidden, mask=ellipse))
    assert Image.open(io.BytesIO(server.asked[0].picture)).getpixel((1, 1)) == (128, 128, 128)


def test_what_the_model_sees_decides_what_it_is_but_a_found_face_stays_a_face(server, astronaut):
    def reply(asked):
        text = good(asked)
        return text.replace('"face"', '"red sports car"') if asked.stage == "Recognition" else text

    server.reply = reply
    thing = dataclasses.replace(REQUEST, subject=None)
    plan = planner_of("openai", server).plan(thing)
    assert (plan.subject, plan.suppress) == ("red sports", "red sports")
    refinement = next(a for a in server.asked if a.stage == "Refinement")
    assert "(red sports)" in refinement.prompt
    face = planner_of("openai", server).plan(dataclasses.replace(thing, image=astronaut))
    assert (face.subject, face.suppress) == ("face", "human face")


@pytest.mark.parametrize("calls", [1, 3])
def test_a_model_that_sees_nothing_leaves_it_to_the_rules_what_it_is(server, calls):
    """A subject of that name is what plans without a picture plant."""
    server.reply = lambda asked: good(asked).replace('"face"', '"Nothing"')
    thing = dataclasses.replace(REQUEST, subject=None)
    plan = planner_of("openai", server, calls=calls).plan(thing)
    assert plan.subject == OfflinePlanner().plan(thing).subject


@pytest.mark.parametrize("name", ASKERS)
def test_a_slow_server_costs_the_budget_and_no_more(server, name):
    given_up, answered = threading.Event(), []

    def reply(asked):
        answered.append(not given_up.wait(60))
        return good(asked)

    server.reply = reply
    with pytest.raises(PlannerError, match="no plan within 1 seconds"):
        planner_of(name, server, seconds=1).plan(REQUEST)
    assert answered == []
    given_up.set()
