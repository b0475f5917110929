"""Say what a user wrote in the words a small model knows; find what a prompt says is absent."""

from __future__ import annotations

import json

import pytest
from conftest import EXAMPLES
from mllm_server import good
from typer.testing import CliRunner

import sow
from sow.cli.main import app
from sow.models.find import find_model
from sow.plan.plan import Plan
from sow.planners.negation import find_negations
from sow.planners.rewording import group_words, reword, with_person
from sow.prompts import load_toml
from sow.service.known_words import in_known_words, understood
from sow.service.request import Request
from sow.service.service import Service

FACE = EXAMPLES / "drawn-beard.png"
WORDS = find_model("figures").checkpoint_spec.words
FEW = "a person in the forest red hat wearing holding at night with brown hair"


@pytest.fixture(scope="module")
def service():
    return Service("figures", device="cpu", planner=sow.PlannerChoice("offline"))


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a king", "a man"),
        ("a chef in his kitchen", "a person indoors"),
        ("a grandmother in a rocking chair", "a woman"),
        ("a queen on her throne in the garden", "a woman in the forest"),
        ("an astronaut on the moon", "a person on the moon"),
        ("two friends at the beach", "a person at the beach"),
        ("a wizard with a staff, 8k, highly detailed", "a man"),
        ("a blond teenager wearing spectacles", "a blonde child wearing glasses"),
        ("A Bearded old wizard in a crimson cape", "an old man with a beard in a red coat"),
        ("a brunette carrying a velvet umbrella", "a person with brown hair holding an umbrella"),
        ("a pirate without a hat and a coat", "a man"),
        ("a woman wearing a sash and a red coat", "a woman wearing a red coat"),
        ("a king juggling balloons", "a man with a balloon"),
        ("a person sitting on a red sofa", "a person sitting"),
        ("a group of people in front of a spaceship", "a person"),
        ("an oil painting of a red sofa", "an oil painting"),
        ("a boy scout", "a boy"),
        ("a cat in a cardboard box", "a cat in a box"),
        ("ein König im Wald", ""),
        ("", ""),
    ],
)
def test_what_cannot_be_said_is_replaced_or_left_out_with_what_hangs_on_it(prompt, said):
    assert reword(prompt, WORDS).text == said


def test_it_is_told_what_stands_in_and_what_is_gone():
    done = reword("a king in a velvet coat", WORDS)
    assert done.summary() == "king (man is used instead), velvet (left out)"
    sofa = reword("a person on a red sofa", WORDS)
    assert sofa.summary() == "sofa (red sofa left out)"  # red is known
    slip = reword("a man wih a red cot", WORDS)
    assert slip.summary() == "wih cot (wih red cot left out; did you mean with, coat?)"
    many = reword(" and ".join(f"a zorb{n}" for n in range(90)), WORDS)
    assert many.summary().endswith("and 78 more")


def test_words_that_are_known_stay_as_they_are_written():
    prompt = "  A man in a RED coat;  in the snow "
    assert reword(prompt, WORDS).text == prompt.strip()
    assert reword(prompt, WORDS).summary() == ""


def test_everything_it_says_is_known():
    """Each entry of the table, alone and in a sentence, for a smaller model too."""
    few = frozenset(FEW.split())
    for words in (WORDS, few):
        for sources in load_toml("rewording")["nearest"].values():
            for source in sources.split(","):
                for prompt in (
                    source,
                    f"an old {source} beside a {source}'s {source}, in {source}s",
                ):
                    assert set(reword(prompt, words).text.replace(",", "").split()) <= words, prompt


def test_no_word_stands_in_for_itself_by_a_detour():
    table = load_toml("rewording")["nearest"]
    near = [(s.strip(), target) for target, sources in table.items() for s in sources.split(",")]
    assert len(near) == len(dict(near)), "a word has two that stand in for it"
    for word, target in near:
        seen = {word}
        while target in dict(near):
            assert target not in seen, word
            seen.add(target)
            target = dict(near)[target]


@pytest.mark.parametrize(
    ("text", "with_somebody"),
    [
        ("", "a person"),
        ("in the snow", "a person in the snow"),
        ("a red car", "a person near a red car"),
        ("a photo", "a photo of a person"),
        ("an oil painting of a red box", "an oil painting of a person near a red box"),
        ("an old lady", "an old lady"),
        ("nobody in the street", "nobody in the street"),
    ],
)
def test_a_planted_face_has_somebody_it_belongs_to(text, with_somebody):
    assert with_person(text, WORDS) == with_somebody


def planned(prompt, subject="face"):
    plan = Plan.parse({"canvas": [128, 128], "prompt": prompt, "box": [32, 32, 48, 48],
                       "subject": subject})  # fmt: skip
    return in_known_words(plan, "figures", WORDS)


def test_nothing_that_is_known_is_said_with_the_remedy():
    face, cat, clock = planned("zorblax"), planned("zorblax", "cat"), planned("zorblax", "clock")
    assert (face.prompt, cat.prompt, clock.prompt) == ("a person", "a cat", "zorblax")
    for plan in (face, cat, clock):
        assert "`sow words`" in " ".join(plan.notes)
    assert len(planned("ice " * 999).prompt) <= 4000


def test_a_model_that_lists_no_words_gets_them_all():
    plan = Plan.parse({"canvas": [512, 512], "prompt": "a king", "box": [128, 128, 192, 192]})
    assert in_known_words(plan, "sd", frozenset()) is plan


def test_rules_read_the_users_own_words_and_the_plan_has_the_models(service):
    plan = service.plan(Request(FACE, "a grinning king next to a unicorn")).plan
    assert plan.prompt == "a smiling man"
    assert plan.setting == "attribute"
    assert plan.box.centre[0] < 64  # room for the unicorn, though there will be none
    assert "figures does not know grinning (smiling is used instead), king (man" in plan.notes[-1]
    given = service.plan(Request(FACE, plan=plan.changed(prompt="a king"))).plan
    assert given.prompt == "a king"


def test_a_multimodal_plan_is_reworded_as_well(server, service, tmp_path, monkeypatch):
    monkeypatch.setenv("SOW_CACHE", str(tmp_path))
    server.reply = good
    choice = sow.PlannerChoice("openai", base_url=server.address + "/v1", cache=False)
    asking = Service("figures", device="cpu", planner=choice)
    plan = asking.plan(Request(FACE, "a king with an umbrella, made of velvet")).plan
    assert plan.prompt == "a man with an umbrella, short gray hair"
    assert "king (man is used instead)" in " ".join(plan.notes)
    assert all("a king" in asked.prompt for asked in server.asked)


def test_sow_words_lists_them_all_in_groups(tiny_folder):
    said = CliRunner().invoke(app, ["words", "--model", "figures", "--json"])
    groups = json.loads(said.stdout)["words"]
    assert sorted(word for words in groups.values() for word in words) == sorted(WORDS)
    assert "others" not in groups
    assert groups == group_words(WORDS)
    assert "people: boy, child" in CliRunner().invoke(app, ["words", "--model", "figures"]).stdout
    free = CliRunner().invoke(app, ["words", "--model", str(tiny_folder)])
    assert free.stdout == "tiny understands any English words\n"
    assert group_words({"zorblax", "man"}) == {"people": ["man"], "others": ["zorblax"]}


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a man without glasses", {"without glasses": ["glasses"]}),
        ("a man in a coat, no hat, in the snow", {"no hat": ["hat"]}),
        ("a woman, not smiling", {"not smiling": ["smiling"]}),
        ("without a red hat or any glasses",
         {"without a red hat or any glasses": ["red hat", "glasses"]}),
        ("a man who isn't wearing a hat", {"isn't wearing a hat": ["hat"]}),
        ("he doesn’t have a beard", {"doesn’t have a beard": ["beard"]}),
        ("not in the city", {"not in the city": ["city"]}),
        ("a man (without (glasses:1.2):1.1) at night", {"without glasses": ["glasses"]}),
        ("No people. No cars!", {"No people": ["people"], "No cars": ["cars"]}),
        ("without glasses and in a coat", {"without glasses": ["glasses"]}),
        ("no one in the street", {}),
        ("yes and no, a man", {}),
        ("a knot, a notebook, northern Norway, nothing", {}),
        ("without", {}),
        ("...", {}),
    ],
)  # fmt: skip
def test_what_is_absent(prompt, found):
    assert {n.said: list(n.absent) for n in find_negations(prompt)} == found


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a man in a red coat", []),
        ("a King on a velvet  throne", ["King", "velvet", "throne"]),
        ("a (velvet throne:1.3), a velvet hat", ["velvet", "throne", "velvet"]),
        ("🎩 a queen", ["queen"]),
        ("two dogs in hats", []),
        ("", []),
    ],
)
def test_unknown_words_are_found_where_they_stand(prompt, unknown):
    found = understood(prompt, "face", WORDS)
    assert [prompt[start:end] for start, end in found.unknown] == unknown


@pytest.mark.parametrize("prompt", ["a king on a velvet throne", "zzz", "in the snow", "a dog"])
@pytest.mark.parametrize("subject", ["face", "cat"])
def test_what_is_asked_instead_is_what_the_plan_is_reworded_to(prompt, subject):
    plan = Plan(prompt=prompt, box=(32, 16, 64, 64), canvas=(128, 128), subject=subject)
    reworded = in_known_words(plan, "figures", WORDS)
    assert understood(prompt, subject, WORDS).asked == reworded.prompt


def test_a_model_that_lists_no_words_knows_all():
    assert understood("a velvet throne", "face", ()).unknown == ()
