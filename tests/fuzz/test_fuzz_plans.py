"""Hostile plans: files from strangers, answers of language models, entries of the cache."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from fuzzing import COUNT, Case, check, randomness
from mangling import deep, mangled_bytes, mangled_json
from mllm_server import GOOD
from planner_helpers import KEY, PICTURE, REQUEST

from sow.checkpoints.spec import CheckpointSpec
from sow.cli.output import print_error
from sow.errors import PlanError, PlannerError, SowError, UsageError
from sow.pictures.condition import Condition
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.planners.mllm.answers import BoxAnswer, RegionAnswer
from sow.planners.mllm.asker import Asker
from sow.planners.mllm.cache import AnswerCache
from sow.planners.mllm.clamping import clamp_regions
from sow.planners.mllm.dialogue import Dialogue
from sow.planners.mllm.planner import StagedPlanner
from sow.planners.offline.planner import OfflinePlanner
from sow.service.fitting import adapt_plan
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.resolved import read_request

PLAN = OfflinePlanner().plan(REQUEST)
CHECKPOINT = CheckpointSpec(canvas=(128, 128), canvas_known=True, canvas_multiple=32)
LARGEST = 2048


def plan_files(dice: Random, folder) -> list[Case]:
    """A file is read, fitted to a model, and its condition is cut out."""
    path, cases = folder / "plan.json", []
    plain = PLAN.model_dump(mode="json")
    for number in range(COUNT):
        if number % 4:
            data = json.dumps(mangled_json(dice, plain)).encode()
        else:
            data = mangled_bytes(dice, PLAN.to_json().encode())
        if number % 50 == 3:
            data = deep(dice)

        def run(data=data) -> None:
            path.write_bytes(data)
            asked = read_request(Request(image=PICTURE, plan=path))
            plan = adapt_plan(asked.plan, asked, CHECKPOINT, lambda note: None).aligned(8)
            assert plan.box.is_inside(plan.canvas)
            if max(plan.canvas) <= LARGEST:  # what is larger is asked about first
                Condition.prepare(PICTURE, plan)

        cases.append(Case(f"plan {number}", run))
    return cases


def test_plans_of_strangers(tmp_path):
    ends = check(plan_files(randomness("plans"), tmp_path))
    assert ends["worked"] >= COUNT // 50
    assert ends["PlanError"] >= COUNT // 4


class Mouth(Asker):
    """A model that answers with given texts; it has been told the key, and knows it."""

    vendor = "mouth"

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__("m", KEY, "https://here")
        self.texts = texts

    async def send(self, images, prompt, schema):
        assert KEY not in prompt
        return self.parse(self.texts[schema.__name__], schema)


def answers(dice: Random) -> list[Case]:
    """Every stage answers something mangled, now and then with the key in it."""
    cases = []
    for number in range(COUNT):
        texts = {}
        for stage, good in GOOD.items():
            value = mangled_json(dice, good) if dice.random() < 0.7 else good
            text = json.dumps(value)
            if dice.random() < 0.2:
                text = mangled_bytes(dice, text.encode()).decode("utf-8", "replace")
            if dice.random() < 0.1:
                text = text.replace("o", KEY, 2)
            if dice.random() < 0.02:
                text = deep(dice).decode()
            texts[stage] = text

        def run(texts=texts, calls=1 + 2 * (number % 2)) -> None:
            planner = StagedPlanner(Mouth(texts), calls=calls)
            plan = asyncio.run(Dialogue(planner, REQUEST, PLAN).run())
            assert plan.prompt.startswith(REQUEST.prompt)
            assert plan.box.is_inside(plan.canvas)
            text = plan.to_json()
            assert KEY not in text
            assert all(c.isprintable() or c == "\n" for c in text)

        cases.append(Case(f"answers {number}", run))
    return cases


def test_answers_of_models_make_a_legal_plan_or_one_line(capsys):
    ends = check(answers(randomness("answers")))
    assert set(ends) <= {"worked", "PlannerError"}
    assert ends["worked"] >= COUNT // 10


def test_an_error_is_one_printable_line_whatever_it_quotes(capsys):
    dice = randomness("lines")
    for _ in range(COUNT):
        text = "".join(chr(dice.choice([dice.randrange(32), dice.randrange(128), 0x202E, 0x85,
                                        dice.randrange(0xD800)])) for _ in range(40))  # fmt: skip
        for error in (SowError(text, text), PlannerError(f"x: {text}", "try again")):
            print_error(error)
            said = capsys.readouterr().err
            assert said.endswith("\n")
            assert said[:-1].isprintable()


def test_an_entry_of_the_cache_can_do_no_more_than_an_answer(tmp_path):
    """Bytes and fields of entries are changed: plans stay legal, damaged entries are ignored."""
    texts = {stage: json.dumps(good) for stage, good in GOOD.items()}
    planner = StagedPlanner(Mouth(texts), cache=AnswerCache(tmp_path / "answers"))

    def made() -> tuple[Plan, bool]:
        dialogue = Dialogue(planner, REQUEST, PLAN)
        return asyncio.run(dialogue.run()), dialogue.from_cache

    honest, from_cache = made()
    assert not from_cache
    assert made() == (honest, True)
    entries = sorted((tmp_path / "answers").iterdir())
    assert len(entries) == 3
    contents, dice = [entry.read_bytes() for entry in entries], randomness("cache")
    ignored = 0
    for number in range(COUNT):
        which = number % 3
        for entry, content in zip(entries, contents, strict=True):
            entry.write_bytes(content)
        if number % 2:
            spoilt = json.dumps(mangled_json(dice, json.loads(contents[which]))).encode()
        else:
            spoilt = mangled_bytes(dice, contents[which])
        if number % 7 == 0:
            spoilt = contents[which].replace(b"o", KEY.encode(), 2)
        if number % 50 == 3:
            spoilt = deep(dice)
        entries[which].write_bytes(spoilt)
        plan, from_cache = made()
        assert plan.prompt.startswith(REQUEST.prompt)
        assert plan.box.is_inside(plan.canvas)
        assert KEY not in plan.to_json()
        assert all(c.isprintable() or c == "\n" for c in plan.to_json())
        if any("damaged entry" in note for note in plan.notes):
            ignored += 1
            assert not from_cache
    assert ignored >= COUNT // 10
    entries[0].unlink()
    os.mkfifo(entries[0])
    assert not made()[1]


def test_the_dice_do_throw_everything():
    """What mangles has to reach what it says: otherwise the tests above test little."""
    dice, seen = randomness("dice"), set()
    for _ in range(2000):
        value = mangled_json(dice, {"a": [1, "x"], "b": {"c": 2.0}})
        seen |= {"type" if not isinstance(value, dict) else "dict"}
        if isinstance(value, dict):
            seen |= {"missing"} if len(value) < 2 else set()
            seen |= {"more"} if len(value) > 2 else set()
            flat = json.dumps(value)
            seen |= {"nan"} if "NaN" in flat or math.inf in value.values() else set()
            seen |= {"long"} if len(flat) > 5000 else set()
    assert seen == {"type", "dict", "missing", "more", "nan", "long"}


def test_what_is_long_in_a_plan_costs_a_moment(tmp_path):
    """Names that are all different, fields that nobody knows: they took minutes and gigabytes."""
    old = {**PLAN.model_dump(mode="json"), "version": 1}
    del old["objects"]
    names = [{"subject": chr(0x4E00 + n), "relation": "near", "object": "b"} for n in range(9000)]
    unknown = {f"x{n}": n for n in range(60_000)}
    started = time.process_time()
    for data in ({**old, "relations": names}, {**PLAN.model_dump(mode="json"), **unknown}):
        (tmp_path / "plan.json").write_text(json.dumps(data))
        with suppress(PlanError):
            Plan.read(tmp_path / "plan.json")
    assert time.process_time() - started < 10
    (tmp_path / "plan.json").write_text(json.dumps({**old, "notes": ["x" * 1000] * 1100}))
    with pytest.raises(PlanError, match="larger"):
        Plan.read(tmp_path / "plan.json")


def test_thousands_of_regions_in_an_answer_cost_a_moment():
    one = RegionAnswer(label="x", box=BoxAnswer(x=0, y=0, width=8000, height=8000))
    started = time.process_time()
    clamp_regions([one] * 60_000, Box(x=0, y=0, width=2000, height=2000), (8192, 8192))
    assert time.process_time() - started < 10


def test_a_folder_of_prompts_whose_name_is_too_long_is_said():
    with pytest.raises(UsageError, match="no folder"):
        PlannerChoice(prompts=Path("x" * 5000)).check()
