"""Prompts that are not read as they are meant get one note, and never a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import EXAMPLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sow
from sow.cli.output import use_option_names
from sow.plan.plan import NOTHING, Plan
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import GraphPlanner
from sow.service.known_words import in_known_words
from sow.service.request import Request
from sow.service.service import Service
from sow.service.wording_notes import wording_notes

FACE = EXAMPLES / "drawn-beard.png"
CHOICE = sow.PlannerChoice("offline")


@pytest.fixture(scope="module")
def figures_service():
    return Service("figures", device="cpu", planner=CHOICE)


def notes(prompt: str, negative: str = "") -> list[str]:
    """The notes for Stable Diffusion, which lists no words."""
    plan = Plan.parse({"prompt": prompt, "box": [0, 0, 512, 512], "subject": NOTHING,
                       "suppress": "", "negative": negative})  # fmt: skip
    return list(wording_notes(prompt, negative, plan, ()))


@pytest.mark.parametrize(
    ("prompt", "negative", "said"),
    [
        ("a man without glasses, no hat", "", [
            'Stable Diffusion draws what a prompt names, also after "without" or "no": leave out '
            '"without glasses", "no hat", and give negative="glasses, hat"']),
        ("a man without glasses", "glasses", [
            'Stable Diffusion draws what a prompt names, also after "without" or "no": leave out '
            '"without glasses"']),
        ("a man", "no hat", ['"no hat" says it twice: name the things alone, negative="hat"']),
        ("<lora:x:0.8> a man", "<lora:x:0.8>", [
            '"<lora:x:0.8>" in a prompt loads nothing: give the file with lora=']),
        ("a [cat:dog:0.5] and a {red|blue} coat++ AND more", "", [
            '"[cat:dog:0.5]", "{red|blue}", "coat++", "AND": read as words; of other tools\' '
            "signs, only weights such as (red coat:1.3) and BREAK mean something here"]),
        ("a (man:-1)", "", ["weights are kept between 0 and 10"]),
        ("a (man:99)", "", ["weights are kept between 0 and 10"]),
        ("кот and a 猫", "", [
            "Stable Diffusion was trained with English captions: it may not understand "
            '"кот", "猫"']),
        ("...", "", ["the prompt has no words"]),
        ("ein Mann im Schnee, Zoë, naïve — 8k", "", []),
        ("a (red coat:1.3) at 8:30 [x] BREAK c++17 e-mail --", "", []),
    ],
)  # fmt: skip
def test_each_has_its_note_and_no_other(prompt, negative, said):
    assert notes(prompt, negative) == said


def test_the_command_line_names_its_own_option():
    (note,) = notes("a man without glasses or a hat")
    assert use_option_names(note).endswith('and give --negative "glasses, hat"')


def test_a_model_that_lists_its_words_never_hears_of_what_is_absent(figures_service):
    asked = Request(FACE, "a man without glasses in the snow")
    planned = figures_service.plan(asked)
    assert planned.plan.prompt == "a man in the snow"
    assert planned.notes == (
        '"without glasses" is not said to the model, which knows no such words: '
        'give negative="glasses"',
    )
    assert figures_service.plan(replace(asked, negative="glasses")).notes == ()


def test_weights_stay_with_the_words_of_a_small_vocabulary(figures_service):
    def planned(prompt: str, **fields) -> Plan:
        return figures_service.plan(Request(FACE, prompt, **fields)).plan

    assert planned("a man in a (red coat:1.3)").prompt == "a man in a (red coat:1.3)"
    changed = planned("a (king:1.2) in a [velvet] (crimson coat:1.3)", negative="(spectacles:1.2)")
    assert changed.prompt == "a (man:1.2) in a (red coat:1.3)"
    assert changed.negative == "(glasses:1.2)"
    assert "the weight of velvet is lost with these words" in changed.notes
    assert planned("in the (snow:1.2)").prompt == "a person in the (snow:1.2)"
    assert planned("an (old:1.2) man").setting == "attribute"


def test_relations_are_read_in_a_weighted_prompt(figures_service):
    prompt = "a person with a (red balloon:1.3) on the left BREAK in the (snow)"
    plan = figures_service.plan(Request(FACE, prompt, graph="prompt")).plan
    assert [thing.label for thing in plan.objects] == ["red balloon"]
    assert plan.prompt == prompt


PIECES = st.text(max_size=12) | st.sampled_from([
    "(", ")", "[", "]", ":1.3)", "BREAK", "<lora:x:0.8>", "without glasses", "no hat", "a man",
    "holding", "left of", "on the left", "with", "and", "of", "the", "\t", "\n", "q" * 300, "...",
    "-", "!", "🙂", "e\u0301", "\u202e", "مرحبا", "dog", ":", "\\", "x" * 140,
])  # fmt: skip
PROMPTS = st.lists(PIECES, min_size=1, max_size=10).map(" ".join)


@settings(max_examples=60, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(PROMPTS, st.booleans())
def test_no_prompt_ends_in_a_traceback(tiny, figures_service, prompt, planted):
    """Plan with and without a graph, note, reword and tokenize whatever is written."""
    words = figures_service.model.checkpoint_spec.words
    try:
        plan = GraphPlanner().plan(PlanRequest(None, prompt, canvas=(128, 128), graph="prompt"))
        plan = plan.changed(subject="face") if planted else plan
        plan = in_known_words(plan, "figures", words)
    except sow.SowError:
        return
    for note in [*plan.notes, *wording_notes(prompt, prompt, plan, ())]:
        assert len(note) < 1000
    from sow.backbones.prompt_tokens import tokenize_prompt

    found = tokenize_prompt(tiny, prompt, "weights")
    assert all(len(row) == found.limit for row in (*found.ids(tiny.tokenizer), *found.weights()))


@pytest.mark.parametrize("graph", [None, "prompt"])
@pytest.mark.parametrize("prompt", ["...", "-", "!", "🙂", "q" * 300, "\u202eمرحبا", "a\tman\n!"])
def test_prompts_that_are_hardly_any_are_planned(figures_service, prompt, graph):
    assert figures_service.plan(Request(FACE, prompt, graph=graph)).plan.prompt
