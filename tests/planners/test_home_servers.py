"""Language models at home: what their servers and they themselves answer, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from mllm_server import FAMILIES, GOOD, boxes, good, refusing, told, whole
from PIL import Image
from planner_helpers import ASKERS, KEY, PICTURE, planner_of
from planner_helpers import REQUEST as UNMASKED

from sow.errors import PlannerError
from sow.planners.mllm.abilities import KEPT_SECONDS, Abilities
from sow.planners.mllm.answers import Everything, Position, Recognition, form_of
from sow.planners.mllm.planner import StagedPlanner
from sow.planners.mllm.server_words import server_words
from sow.planners.mllm.vendors.openai import OpenAIAsker

REQUEST = dataclasses.replace(UNMASKED, mask=Image.new("L", PICTURE.size, 255))
"""All of the picture is kept, so nothing has to be found in it, which takes half a second."""
DECIDED = dataclasses.replace(REQUEST, related={"coat": (0, 300, 512, 212)})
"""Only two questions are left: the regions are not asked for."""


@pytest.fixture(scope="module")
def best():
    """The plan by good answers in the form that was asked for."""
    from mllm_server import Server

    server = Server()
    plan = planner_of("openai", server).plan(REQUEST)
    server.close()
    return plan


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_plans_like_the_best_and_is_not_asked_in_vain_twice(server, best, family):
    server.reply, requests, said = FAMILIES[family]
    planner = planner_of("openai", server, seconds=60)
    plan = planner.plan(REQUEST)
    assert (plan.prompt, plan.box, plan.related, plan.relations) == (
        best.prompt, best.box, best.related, best.relations
    )  # fmt: skip
    assert len(server.asked) == requests
    assert any(said in note for note in plan.notes) if said else plan.notes == best.notes
    planner.plan(REQUEST)
    assert len(server.asked) == requests + 3  # what it refuses is remembered


@pytest.mark.parametrize("name", ["gemini", "legacy"])
def test_a_model_of_gemini_without_json_is_asked_in_words(server, best, name):
    told_off = {"error": {"code": 400, "message": "JSON mode is not enabled for this model",
                          "status": "INVALID_ARGUMENT"}}  # fmt: skip
    server.reply = refusing(400, told_off, "json_schema", "json_object")
    plan = planner_of(name, server).plan(REQUEST)
    assert plan.box == best.box
    assert any("JSON mode is not enabled" in note for note in plan.notes)


def test_what_a_server_can_do_is_remembered_on_disk_for_a_week_without_a_key(server, tmp_path):
    server.reply = FAMILIES["lm studio, both refused"][0]

    def plan():
        server.asked.clear()
        planner = planner_of("openai", server)  # a new process, as far as it knows
        planner.asker.abilities.remember_in(tmp_path)
        planner.plan(REQUEST)
        return len(server.asked)

    assert plan() == 7
    (file,) = tmp_path.iterdir()
    entry = json.loads(file.read_text())
    assert plan() == 3
    assert json.loads(file.read_text()) == entry  # not believed for longer by being used
    assert set(entry) == {"version", "form", "until"}
    assert entry["until"] <= time.time() + KEPT_SECONDS
    for spoilt in ({**entry, "until": time.time() - 1}, {**entry, "until": 1e300},
                   {**entry, "form": "rm"}, {**entry, "version": 0}, []):  # fmt: skip
        file.write_text(json.dumps(spoilt))
        abilities = Abilities(server.address + "/v1", "some-model")
        abilities.remember_in(tmp_path)
        assert abilities.form == "json_schema"


REFUSALS = {
    "llama.cpp": (500, {"error": {"code": 500, "type": "server_error", "message":
                  "image input is not supported - hint: you may need to provide the mmproj"}},
                  "you may need to provide the mmproj; choose a model that sees pictures"),
    "lm studio": (400, {"error": "Model does not support images. Please use a model that does."},
                  "Please use a model that does.; choose a model that sees pictures"),
    "vllm": (400, {"error": {"message": "maximum context length is 4096 tokens", "code": 400}},
             "says: 400 maximum context length is 4096 tokens; raise the server's context length"),
    "a name is no complaint": (400, {"error": "llama-vision is too large: no memory"},
                               "no memory; try again"),
    "openrouter": (404, {"error": {"message": "No endpoints found that support image input"}},
                   "support image input; choose a model that sees pictures"),
    "litellm": (503, {"detail": "no backend"}, "says: 503 no backend"),
}  # fmt: skip


@pytest.mark.parametrize("family", REFUSALS)
def test_what_a_server_cannot_do_is_said_in_its_own_words_after_one_try(server, family):
    status, body, says = REFUSALS[family]
    server.reply = lambda asked: (status, body)
    retries = 0 if status == 503 else 3
    asker = OpenAIAsker("llama-vision", KEY, server.address + "/v1", retries)
    with pytest.raises(PlannerError) as caught:
        StagedPlanner(asker).plan(REQUEST)
    assert says in str(caught.value)
    assert len(server.asked) <= (4 if "memory" in says else 2)  # the first two questions


def test_a_model_that_is_not_there_is_said_with_those_that_are(server):
    server.models = ("llava:7b", "qwen2.5vl:3b\x1b[31m")
    server.reply = lambda asked: (404, {"error": {"message": "model not found, try pulling it"}})
    with pytest.raises(PlannerError) as caught:
        planner_of("openai", server).plan(REQUEST)
    said = str(caught.value)
    assert "no model 'some-model'" in said
    assert "try pulling it" in said
    assert said.endswith("set another with planner_model=: llava:7b, qwen2.5vl:3b [31m")


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"404 page not found"), (404, {"detail": "Not Found"}),
     (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"})],
)  # fmt: skip
def test_an_address_without_v1_is_recognised(server, status, body):
    server.reply = lambda asked: (status, body)
    asker = OpenAIAsker("m", None, server.address, 0)
    with pytest.raises(PlannerError, match="base_url= ends in /v1"):
        StagedPlanner(asker).plan(REQUEST)


def test_a_private_server_that_wants_a_key_is_told_which(server):
    server.reply = lambda asked: (401, {"error": {"message": "Invalid API Key"}})
    with pytest.raises(PlannerError, match="rejected: Invalid API Key; check SOW_PLANNER_KEY"):
        planner_of("openai", server).plan(REQUEST)


@pytest.mark.parametrize("calls", [1, 3])
def test_useless_answers_cost_two_calls_a_question_and_no_third_question(server, calls):
    server.reply = lambda asked: "I would put him on the left."
    with pytest.raises(PlannerError) as caught:
        planner_of("openai", server, calls=calls).plan(REQUEST)
    assert "it said “I would put him on the left.”" in str(caught.value)
    assert len(server.asked) == (2 if calls == 1 else 4)


def test_the_words_of_a_server_are_short_printable_and_without_markup():
    assert server_words(b"<html><h1>nginx</h1></html>") == ""
    assert server_words(b"\xff\x1b[31mno\nway") == "� [31mno way"
    assert len(server_words("x" * 10**6)) <= 1000
    deep = '{"error": ' * 5000 + '"no"' + "}" * 5000
    for body in (deep, "[" * 10**5, '{"error": null}', "{}", "[1]", "5"):
        assert len(server_words(body)) <= 1000


def read(text: str, schema=Position):
    return OpenAIAsker("m", None, "http://here").parse(text, schema)


PLACE = '{"box": {"x": 60, "y": 40, "width": 220, "height": 220}}'


@pytest.mark.parametrize(
    "text",
    [
        told(PLACE), f"{PLACE}</s>", f"<|begin_of_box|>{PLACE}<|end_of_box|>",
        f"<|channel|>analysis<|message|>{{so}}<|end|><|start|>assistant<|channel|>final<|message|>"
        f"{PLACE}<|return|>",
        f"draft {{'box': 1}} ... </think>{PLACE}", f"[THINK]{{[/THINK]{PLACE}",
        f"Answer: [{PLACE}]", f'{{"answer": {PLACE}, "ok": true}}', f"{{{{no}}}} {PLACE}",
        "{box: {x: 60, y: 40, width: 220, height: 220,},}",
        "{'box': {'x': 60, 'y': 40, 'width': 220, 'height': 220}}",
        '{"box": {"x": 60, "y": 40, "width": 220, "height": 220}  // the head\n}',
        '{"box": {"x": 60, "y": 40, "width": 220, "height": 220}',
        '{"note": "it\'s a\nface {", "box": {"x": 60, "y": 40, "width": 220, "height": 220}}',
        '{"x": "60px", "y": "40", "width": 220.0, "height": 220}',
        '{"bbox": {"left": 60, "top": 40, "right": 280, "bottom": 260}}',
        '{"bounding_box": {"x_min": 60, "y_min": 40, "x_max": 280, "y_max": 260}}',
        '{"box": {"x1": 60, "y1": 40, "x2": 280, "y2": 260}}',
        '{"box": {"cx": 170, "cy": 150, "w": 220, "h": 220}}',
        "<think>unfinished, but: " + PLACE,
    ],
)  # fmt: skip
def test_the_first_legal_object_is_found_and_mended(text):
    box = read(text).box
    assert (*box.numbers, box.order) == (60, 40, 220, 220, "named")


def test_of_several_answers_the_first_is_used_and_said():
    answer = read(f"{PLACE}\nor better {PLACE.replace('60', '90')}")
    assert answer.box.x == 60
    assert answer.remarks == ("the model gave 2 answers, and the first was used",)
    assert read(f"{PLACE}\n{PLACE}").remarks == ()


def test_other_words_for_the_same_are_read():
    text = '{"subject": "Face", "features": "short hair, round glasses", "setting": "Normal."}'
    answer = read(text, Recognition)
    assert (answer.features, answer.setting) == (["short hair", "round glasses"], "normal")


def test_every_question_says_the_form_of_its_answer(server):
    """For servers that take no schema, or take it and ignore it."""
    assert form_of(Position) == (
        '{"box": {"x": number, "y": number, "width": number, "height": number}}'
    )
    assert '"setting": "normal" or "attribute" or "style"' in form_of(Everything)
    planner_of("openai", server).plan(REQUEST)
    planner_of("openai", server, calls=1).plan(REQUEST)
    for asked in server.asked:
        assert all(f'"{field}":' in asked.prompt for field in GOOD[asked.stage])


def scaled(factor: float, corners: bool = False):
    """Good answers with boxes in another scale of the 512x512 canvas."""

    def reply(asked):
        data = json.loads(good(asked))
        for box in list(boxes(data)):
            if asked.stage in ("Position", "Everything") and box["width"] == 220:
                box.update(x=150, width=200, height=200)
            x, y, w, h = (round(box[k] / 512 * factor, 3) for k in ("x", "y", "width", "height"))
            box.clear()
            box.update({"xmin": x, "ymin": y, "xmax": x + w, "ymax": y + h} if corners
                       else {"x": x, "y": y, "width": w, "height": h})  # fmt: skip
        return json.dumps(data)

    return reply


@pytest.mark.parametrize("calls", [1, 3])
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(("factor", "words"), [(1000, "thousandths"), (1, "fractions")])
def test_boxes_in_another_scale_are_recognised_and_said(server, calls, corners, factor, words):
    server.reply = scaled(512, corners)
    right = planner_of("openai", server, calls=calls).plan(REQUEST)
    server.asked.clear()
    server.reply = scaled(factor, corners)
    plan = planner_of("openai", server, calls=calls).plan(REQUEST)
    assert (plan.box, plan.related) == (right.box, right.related)
    assert f"read as {words} of the picture" in " ".join(plan.notes)
    assert len(server.asked) <= calls + 1


def test_a_box_that_can_mean_two_things_is_asked_for_again_and_never_guessed(server):
    spoilt = json.dumps({"box": {"x": 50, "y": 50, "width": 430, "height": 430}})

    def reply(asked):
        again = "Your last answer" in asked.prompt
        return spoilt if asked.stage == "Position" and not again else good(asked)

    server.reply = reply
    plan = planner_of("openai", server).plan(REQUEST)
    (repair,) = [asked for asked in server.asked if "Your last answer" in asked.prompt]
    assert (
        "`box` may mean pixels or thousandths of the picture: [50, 50, 430, 430]; write "
        '{"x": …, "y": …, "width": …, "height": …} in pixels of the 512x512 picture, its longer '
        "side 180 to 256" in repair.prompt
    )
    assert max(plan.box.width, plan.box.height) == 224
    server.reply = lambda asked: spoilt if asked.stage == "Position" else good(asked)
    stubborn = planner_of("openai", server).plan(REQUEST)
    assert any(note.startswith("position: planned by rules") for note in stubborn.notes)


def test_gemini_lists_y_first_and_others_are_asked(server):
    listed = json.dumps([{"box_2d": [78, 117, 478, 517], "label": "face"}])
    bare = listed.replace("box_2d", "box")

    def where(name, text):
        server.asked.clear()
        server.reply = lambda asked: text if asked.stage == "Position" else good(asked)
        plan = planner_of(name, server).plan(DECIDED)
        return plan, len(server.asked)

    pixels, _ = where("openai", '{"box": {"x": 59.9, "y": 39.9, "width": 204.8, "height": 204.8}}')
    plan, asked = where("gemini", bare)
    assert (plan.box, asked) == (pixels.box, 2)
    assert any("[ymin, xmin, ymax, xmax] in thousandths" in note for note in plan.notes)
    named, asked = where("openai", listed)
    assert (named.box, asked) == (plan.box, 2)
    _, asked = where("openai", bare)
    assert asked == 3


@pytest.mark.parametrize("name", ASKERS)
def test_a_list_in_the_cache_is_read_like_one_that_arrives(server, tmp_path, name):
    from sow.planners.mllm.cache import AnswerCache

    listed = json.dumps({"bbox_2d": [117, 78, 517, 478]})
    server.reply = lambda asked: listed if asked.stage == "Position" else good(asked)
    planner = planner_of(name, server, cache=AnswerCache(tmp_path))
    first = planner.plan_result(DECIDED)
    again = planner.plan_result(DECIDED)
    assert again.from_cache
    assert again.plan == first.plan
    assert any("[xmin, ymin, xmax, ymax] in thousandths" in note for note in again.plan.notes)


def test_a_decided_box_is_not_looked_at(server):
    """The single question is told where the box is; whatever is answered there is ignored."""
    server.reply = lambda asked: good(asked).replace('"width": 220', '"width": 99999')
    request = dataclasses.replace(REQUEST, box=(64, 64, 200, 224))
    planner_of("openai", server, calls=1).plan(request)
    assert len(server.asked) == 1


def test_reasoning_that_was_cut_off_is_asked_for_again(server):
    cut = whole("openai", "", "length", reasoning=f"maybe {PLACE}")
    server.reply = lambda asked: cut if asked.stage == "Position" else good(asked)
    plan = planner_of("openai", server).plan(REQUEST)
    assert any("cut off while reasoning" in note for note in plan.notes)
