"""Planning by a multimodal model: the vendors' own clients over HTTP, against a loopback server."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import threading

import pytest
from mllm_server import GOOD, good
from PIL import Image, ImageDraw, PngImagePlugin
from planner_helpers import ASKERS, KEY, PICTURE, REQUEST, asker_of, planner_of

from sow.errors import PlannerError
from sow.plan.box import Box
from sow.plan.plan import Plan, Region
from sow.planners.mllm.answers import Position, Recognition
from sow.planners.mllm.cache import AnswerCache, question_key
from sow.planners.mllm.dialogue import encode_condition
from sow.planners.mllm.planner import plan_many
from sow.planners.mllm.vendors.openai import OpenAIAsker
from sow.planners.offline.planner import OfflinePlanner
from sow.prompts import Prompts


@pytest.mark.parametrize("name", ASKERS)
def test_a_plan_is_made_from_three_answers(server, name):
    plan = planner_of(name, server).plan(REQUEST)
    assert plan.prompt == ("an old man with an umbrella, short gray hair, round glasses, dark skin")
    assert max(plan.box.width, plan.box.height) == 224
    assert [region.label for region in plan.related] == ["body"]
    relation = plan.relations[0]
    assert (relation.subject, relation.predicate, relation.object) == (
        "condition", "holding", "umbrella"
    )  # fmt: skip
    assert [thing.label for thing in plan.objects] == ["umbrella"]
    assert plan.planner.endswith("some-model (recognition 2, position 2, refinement 2)")
    assert sorted(asked.stage for asked in server.asked) == [
        "Position",
        "Recognition",
        "Refinement",
    ]


@pytest.mark.parametrize("name", ASKERS)
def test_what_is_sent_is_the_picture_the_schema_the_model_and_the_prompt(server, name):
    planner_of(name, server).plan(REQUEST)
    for asked in server.asked:
        sent = Image.open(io.BytesIO(asked.picture))
        assert sent.format == "PNG"
        assert sent.size == PICTURE.size
        assert asked.model == "some-model"
        assert "an old man with an umbrella" in asked.prompt
        assert set(asked.schema["properties"]) == set(GOOD[asked.stage])
        assert any(KEY in value for value in asked.headers.values())  # and nowhere else
        assert KEY not in json.dumps(asked.body) + asked.path
    refinement = next(a for a in server.asked if a.stage == "Refinement")
    assert "the box [" in refinement.prompt


def test_pictures_are_made_small_and_lose_what_is_hidden_in_them():
    large = Image.linear_gradient("L").resize((3000, 1500)).convert("RGB")
    note = PngImagePlugin.PngInfo()
    note.add_text("Author", "somebody private")
    buffer = io.BytesIO()
    large.save(buffer, "PNG", pnginfo=note)
    request = dataclasses.replace(REQUEST, image=Image.open(buffer), subject="car")
    sent = encode_condition(request, OfflinePlanner().plan(request))
    small = Image.open(io.BytesIO(sent))
    assert small.size == (512, 256)
    assert b"private" not in sent
    assert small.info == {}


def test_recognition_and_position_are_asked_at_the_same_time(server):
    """Two round trips, not three: neither is answered before both are asked."""
    both = threading.Barrier(2, timeout=60)

    def reply(asked):
        if asked.stage in ("Recognition", "Position"):
            both.wait()
        return good(asked)

    server.reply = reply
    planner_of("openai", server).plan(REQUEST)
    assert not both.broken
    first, second, third = server.asked
    assert {first.stage, second.stage} == {"Recognition", "Position"}
    assert third.started > max(first.ended, second.ended)


def test_one_call_asks_for_everything(server):
    plan = planner_of("openai", server, calls=1).plan(REQUEST)
    assert [asked.stage for asked in server.asked] == ["Everything"]
    assert plan.prompt.startswith("an old man with an umbrella, short gray hair")
    assert plan.related[0].label == "body"
    assert plan.planner.endswith("(everything 2)")


def test_what_the_user_decided_is_not_asked_and_not_changed(server):
    box = Box(x=64, y=64, width=200, height=224)
    related = (Region(label="coat", box=Box(x=0, y=300, width=512, height=212)),)
    request = dataclasses.replace(REQUEST, box=box, related=related, setting="style")
    plan = planner_of("gemini", server).plan(request)
    assert [asked.stage for asked in server.asked] == ["Recognition"]
    assert (plan.box, plan.related, plan.setting) == (box, related, "style")


def test_a_plan_can_be_made_where_an_event_loop_is_running(server):
    async def notebook():
        return planner_of("openai", server).plan(REQUEST)

    assert isinstance(asyncio.run(notebook()), Plan)


def test_many_plans_at_once_keep_to_the_limit(server):
    server.delay = 0.25
    running = [dataclasses.replace(REQUEST, prompt=f"a man number {n}") for n in range(6)]
    plans = asyncio.run(plan_many(planner_of("openai", server), running, limit=2))
    assert [plan.prompt.split(",")[0] for plan in plans] == [f"a man number {n}" for n in range(6)]
    moments = sorted([(a.started, 1) for a in server.asked] + [(a.ended, -1) for a in server.asked])
    at_once = peak = 0
    for _, step in moments:
        at_once += step
        peak = max(peak, at_once)
    assert 2 <= peak <= 4  # two plans, each with at most two questions under way


def test_own_prompts_are_taken_and_their_version_recorded(server, tmp_path):
    (tmp_path / "position.md").write_text("---\nversion: mine-7\n---\nWhere? $prompt $width")
    plan = planner_of("openai", server, prompts=Prompts(tmp_path)).plan(REQUEST)
    assert "position mine-7" in plan.planner
    assert any(a.prompt == "Where? an old man with an umbrella 512" for a in server.asked)
    (tmp_path / "position.md").write_text("Where?")
    with pytest.raises(PlannerError, match="no version"):
        planner_of("openai", server, prompts=Prompts(tmp_path)).plan(REQUEST)


def test_blanks_in_the_users_text_are_not_filled_in(server):
    request = dataclasses.replace(REQUEST, prompt="a man with $least and ${box}")
    plan = planner_of("openai", server).plan(request)
    assert all("a man with $least and ${box}" in asked.prompt for asked in server.asked)
    assert plan.prompt.startswith("a man with $least and ${box}")


def test_a_model_is_asked_in_plain_words_and_the_plan_keeps_the_weights(server):
    weighted = "an (old:1.2) man with an [umbrella]"
    request = dataclasses.replace(REQUEST, prompt=f"{weighted} <lora:x:1>")
    plan = planner_of("openai", server).plan(request)
    assert all("an old man with an umbrella\n" in asked.prompt for asked in server.asked)
    assert plan.prompt.startswith(f"{weighted} <lora:x:1>, short gray hair")


def test_a_plan_is_asked_for_once(server, tmp_path):
    planner = planner_of("openai", server, cache=AnswerCache(tmp_path / "answers"))
    first = planner.plan_result(REQUEST)
    assert not first.from_cache
    again = planner.plan_result(REQUEST)
    assert again.plan == first.plan
    assert again.from_cache
    assert len(server.asked) == 3
    files = sorted((tmp_path / "answers").iterdir())
    assert len(files) == 3
    assert all(KEY not in file.read_text() for file in files)
    files[0].write_text("spoilt")
    mended = planner.plan_result(REQUEST)
    assert not mended.from_cache
    assert len(server.asked) == 4  # only the spoilt answer
    (note,) = [note for note in mended.plan.notes if "cache" in note]
    assert note == f"a damaged entry of the answer cache was ignored: {files[0].name}"
    assert planner.plan_result(REQUEST).plan == first.plan


def test_everything_that_an_answer_depends_on_is_in_its_key(server):
    asker, other_vendor = asker_of("openai", server), asker_of("gemini", server)
    base = question_key(asker, [b"png"], "where?", Position)
    changed = [
        question_key(asker, [b"other"], "where?", Position),
        question_key(asker, [b"png"], "what?", Position),
        question_key(asker, [b"png"], "where?", Recognition),
        question_key(other_vendor, [b"png"], "where?", Position),
        question_key(OpenAIAsker("m", KEY, server.address + "/v1"), [b"png"], "where?", Position),
        question_key(OpenAIAsker("some-model", KEY, "http://here"), [b"png"], "where?", Position),
    ]
    assert len({base, *changed}) == 7
    other_key = OpenAIAsker("some-model", "sk-other", server.address + "/v1")
    assert question_key(other_key, [b"png"], "where?", Position) == base


def test_answers_that_were_not_usable_are_asked_for_again(server, tmp_path):
    server.reply = lambda asked: "no" if asked.stage == "Position" else good(asked)
    planner = planner_of("openai", server, cache=AnswerCache(tmp_path / "answers"))
    assert not planner.plan_result(REQUEST).from_cache
    assert len(list((tmp_path / "answers").iterdir())) == 2
    server.asked.clear()
    server.reply = good
    assert not planner.plan_result(REQUEST).from_cache
    assert [asked.stage for asked in server.asked] == ["Position", "Refinement"]  # of another box


def test_cached_answers_go_through_the_rules_of_today(server, tmp_path):
    """The cache has answers, not plans: what is done with them may change."""
    planner = planner_of("openai", server, cache=AnswerCache(tmp_path / "answers"))
    planner.plan(REQUEST)
    shorter = dataclasses.replace(planner, count=lambda text: 10 * len(text))
    result = shorter.plan_result(REQUEST)
    assert result.from_cache
    assert result.plan.prompt == REQUEST.prompt


@pytest.mark.parametrize("calls", [1, 3])
def test_a_model_that_says_nothing_useful_is_a_failure(server, calls):
    server.reply = lambda asked: "no"
    with pytest.raises(PlannerError, match="no usable answer"):
        planner_of("openai", server, calls=calls).plan(REQUEST)


def test_what_a_model_calls_a_cat_is_cut_out_and_placed_as_one(server):
    """Not as the thing that the rules took it for; nothing is stretched."""

    def reply(asked):
        answer = json.loads(good(asked))
        if asked.stage == "Recognition":
            answer["subject"] = "cat"
        return json.dumps(answer)

    server.reply = reply
    picture = Image.new("RGB", (300, 600), (90, 140, 200))
    ImageDraw.Draw(picture).ellipse((60, 120, 240, 380), fill=(230, 190, 150))
    request = dataclasses.replace(REQUEST, image=picture, subject=None)
    head = OfflinePlanner().plan(request)
    plan = planner_of("openai", server).plan(request)
    assert (head.subject, plan.subject, plan.suppress) == ("thing", "cat", "cat")
    assert plan.matte is None or plan.matte.head is None
    shape = plan.crop.width / plan.crop.height
    assert plan.box.width / plan.box.height == pytest.approx(shape, rel=0.1)
