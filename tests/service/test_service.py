"""The service: one line of Python, batches, recipes; it prints nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image

import sow
from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.errors import (
    DeviceError,
    ModelError,
    PictureError,
    PlanError,
    SowError,
    UsageError,
)
from sow.models import memory
from sow.pictures.recipe import read_recipe
from sow.service.request import Request
from sow.service.results import numbered_paths
from sow.service.service import Service

FACE = EXAMPLES / "drawn-beard.png"
QUICK = {"cycles": 1}
ROOM_FOR_ONE = 21_810_380
"""Bytes in which one picture of `figures` has room, and not a second."""
ASKED = Request(image=FACE, prompt="a person in a red coat")


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def service(told):
    planner = sow.PlannerChoice("offline")
    return Service("figures", device="cpu", planner=planner, report=lambda *line: told.append(line))


def difference(one: Image.Image, other: Image.Image) -> int:
    levels = [np.asarray(image, int) for image in (one, other)]
    return int(np.abs(levels[0] - levels[1]).max())


def test_one_line_of_python(tmp_path, capsys):
    out = sow.generate(FACE, "a person in a red coat", model="figures", seed=1, planner="offline",
                       settings=QUICK)  # fmt: skip
    assert out.save(tmp_path / "out.png") == [tmp_path / "out.png"]
    recipe, condition = read_recipe(tmp_path / "out.png")
    assert (recipe, recipe.seed, recipe.model) == (out.recipe, 1, "figures")
    assert recipe.plan == out.plan
    assert condition.picture.size == (out.plan.box.width, out.plan.box.height)
    assert not any("drawn world" in note for note in out.notes)  # what is planted is drawn
    assert Image.open(tmp_path / "out.png").tobytes() == out.image.tobytes()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
    Image.new("RGB", (8, 8)).save(tmp_path / "out.png")
    with pytest.raises(SowError, match="exists"):
        out.save(tmp_path / "out.png")
    with pytest.raises(SowError, match="not a PNG"):
        out.save(tmp_path / "out.jpg")


def test_pictures_of_one_plan_share_a_call_and_stay_what_they_are(service, tmp_path):
    together = service.generate(replace(ASKED, settings=QUICK), seed=3, num=4)
    assert [p.recipe.seed for p in together.pictures] == [3, 4, 5, 6]
    assert [(p.recipe.batch_size, p.recipe.place) for p in together.pictures] == [
        (4, 0), (4, 1), (4, 2), (4, 3)
    ]  # fmt: skip
    alone = service.generate(replace(ASKED, settings=QUICK), seed=5)
    assert difference(together.images[2], alone.image) <= 1
    assert difference(together.images[1], alone.image) > 50
    together.save(tmp_path / "a.png")
    again, spec, seed = Service.of_recipe(tmp_path / "a-3.png", device="cpu")
    repeated = next(iter(again.make(spec, [seed])))
    repeated.save(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "a-3.png").read_bytes()


def test_batches_follow_the_memory_and_give_way(service, monkeypatch):
    """Half as many pictures a call when memory runs out; one line when not even one fits."""
    spec = service.resolve(replace(ASKED, settings=QUICK))
    expected = [p.image for p in service.make(spec, [1, 2, 3])]
    sizes, room = [], [2]
    real = type(service.pipe).__call__

    def cramped(self, *args, **call):
        sizes.append(len(call["generator"]))
        if sizes[-1] > room[0]:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return real(self, *args, **call)

    monkeypatch.setattr(type(service.pipe), "__call__", cramped)
    made = list(service.make(spec, [1, 2, 3]))
    assert sizes == [3, 1, 1, 1]
    assert all(difference(p.image, e) <= 1 for p, e in zip(made, expected, strict=True))
    room[0] = 0
    with pytest.raises(DeviceError, match="too little memory"):
        list(service.make(spec, [1]))
    monkeypatch.undo()
    monkeypatch.setattr(memory, "device_memory", lambda device: ROOM_FOR_ONE)
    assert [p.recipe.batch_size for p in service.make(spec, [1, 2])] == [1, 1]


def test_an_error_that_is_not_about_memory_is_not_hidden(service, monkeypatch):
    spec = service.resolve(replace(ASKED, settings=QUICK))

    def broken(self, *_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(type(service.pipe), "__call__", broken)
    with pytest.raises(RuntimeError, match="something else"):
        list(service.make(spec, [1]))


def test_cycles_and_sheets_on_request(service):
    out = service.generate(
        replace(ASKED, settings={"cycles": 2}), seed=1, num=2, cycles=True, explain=True
    )
    for picture in out.pictures:
        assert len(picture.cycles) == 2
        assert picture.explained.width > 600
    plain = service.generate(replace(ASKED, settings={"cycles": 2}), seed=1, num=2)
    assert [i.tobytes() for i in plain.images] == [i.tobytes() for i in out.images]


def test_the_plan_takes_what_was_decided(service):
    request = Request(
        image=Image.open(FACE), prompt="a person", box=[37, 14, 50, 55], canvas=(128, 160),
        related={"coat": [10, 80, 100, 60]}, setting="style",
    )  # fmt: skip
    plan = service.plan(request).plan
    assert plan.box.model_dump() == [40, 16, 48, 56]  # on the grid of the model, once
    assert plan.related[0].label == "coat"
    assert (plan.canvas, plan.setting) == ((128, 160), "style")
    again = service.plan(Request(image=FACE, plan=plan, prompt="snow")).plan
    assert again.prompt == "snow"
    assert again.box == plan.box


def test_a_plan_for_another_size_is_scaled_and_said(service, told):
    plan = sow.Plan.parse({"canvas": [512, 640], "prompt": "a man", "box": [100, 40, 200, 224],
                           "crop": [0, 0, 256, 256]})  # fmt: skip
    made = service.plan(Request(image=FACE, plan=plan)).plan
    assert made.canvas == (128, 160)
    assert told[-1] == (
        "note",
        "the plan is scaled from 512x640 to 128x160, the model's own size, because no canvas was "
        "given",
    )
    assert told[-1][1] in service.resolve(Request(image=FACE, plan=plan)).notes


def test_plans_of_earlier_versions_run(service):
    """Files of version 1, as they were written then."""
    folder = Path(__file__).parents[1] / "data" / "v1"
    plan = sow.Plan.read(folder / "plan-with-relations.json")
    assert [(r.subject, r.predicate, r.object) for r in plan.relations] == [
        ("person", "wearing", "red-coat"), ("person", "left of", "tree")
    ]  # fmt: skip
    assert [thing.label for thing in plan.objects] == ["person", "red coat", "tree"]
    assert json.loads(plan.to_json())["version"] == 2
    made = service.plan(Request(image=FACE, plan=folder / "plan.json")).plan
    assert made == sow.Plan.read(folder / "plan.json")
    again, spec, seed = Service.of_recipe(folder / "picture.png", device="cpu")
    assert any("cannot be checked" in note for note in spec.notes)
    assert (seed, spec.batch_size, spec.settings.alpha_plus) == (3, 1, 0.85)
    picture = next(iter(again.make(spec, [seed])))
    before = Image.open(folder / "picture.png").convert("RGB")
    error = np.mean((np.asarray(picture.image, float) - np.asarray(before, float)) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 35  # the same, but for another machine


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_recipe_in_half_precision_names_the_weights_that_ran(tiny_folder, tmp_path, dtype):
    """Of a folder with both kinds of files; a service that is loaded already is not touched."""
    both = shutil.copytree(tiny_folder, tmp_path / "m")
    random_pipeline(TINY, seed=3).to(dtype=torch.bfloat16).save_pretrained(both, variant="fp16")
    half = Service(str(both), device="cpu", dtype="bfloat16", planner=sow.PlannerChoice("offline"))
    half.generate(replace(ASKED, settings=QUICK), seed=1).save(tmp_path / "a.png")
    full = Service(str(both), device="cpu", dtype="float32")
    loaded = full.pipe
    again, spec, seed = Service.of_recipe(
        tmp_path / "a.png", model=str(both), dtype=dtype, device="cpu"
    )
    picture = next(iter(again.make(spec, [seed])))
    assert full.pipe is loaded
    expected = half if dtype == "auto" else full
    assert picture.recipe.revision == expected.model.revision
    assert (half.model.revision == full.model.revision) is False
    assert any("the model differs" in note for note in spec.notes) == (dtype == "float32")


def test_a_batch_that_does_not_fit_any_more_is_made_alone(service, tmp_path, monkeypatch):
    service.generate(replace(ASKED, settings=QUICK), seed=3, num=2).save(tmp_path / "a.png")
    notes = []
    again, spec, seed = Service.of_recipe(
        tmp_path / "a-2.png", device="cpu", report=lambda *line: notes.append(line)
    )
    monkeypatch.setattr(memory, "device_memory", lambda device: ROOM_FOR_ONE)
    picture = next(iter(again.make(spec, [seed])))
    assert ("note", "made alone instead of in a batch of 2: expect small changes") in notes
    assert picture.recipe.batch_size == 1
    assert difference(picture.image, Image.open(tmp_path / "a-2.png").convert("RGB")) <= 1


def test_only_the_cycles_that_are_wanted_are_decoded(service):
    spec = service.resolve(replace(ASKED, settings={"cycles": 3}))
    decoded = []
    hook = service.pipe.vae.decoder.register_forward_pre_hook(
        lambda _, args: decoded.append(len(args[0]))
    )
    pictures = list(service.make(spec, [1, 2, 3], cycles_of=[1]))
    hook.remove()
    assert [len(picture.cycles) for picture in pictures] == [0, 3, 0]
    assert sum(decoded) == 3 + 1 + 3  # three pictures, the first of all of them, three cycles


BAD = {
    "no picture": ({"prompt": "x"}, UsageError, "give image="),
    "no prompt": ({"image": FACE}, UsageError, "give prompt="),
    "a number": ({"image": 7, "prompt": "x"}, UsageError, "image= is an int"),
    "a mask of words": ({"image": FACE, "prompt": "x", "mask": ["m"]}, UsageError, "mask= is a"),
    "a box of three": ({"image": FACE, "prompt": "x", "box": [1, 2, 3]}, PlanError, "four numbers"),
    "a nameless region": ({"image": FACE, "prompt": "x", "related": {" ": [0, 0, 8, 8]}},
                          PlanError, "no name"),
    "a region of words": ({"image": FACE, "prompt": "x", "related": {"coat": "low"}},
                          PlanError, "related region"),
    "a canvas": ({"image": FACE, "prompt": "x", "canvas": 5}, UsageError, "not a canvas"),
    "a prompt of numbers": ({"image": FACE, "prompt": 5}, UsageError, "prompt= is an int"),
    "a negative face": ({"image": FACE, "prompt": "x", "face_index": -1}, UsageError, "from 0"),
    "a speck": ({"image": Image.new("RGB", (2, 2)), "prompt": "x"}, PictureError, "only 2x2"),
    "half a pixel": ({"image": FACE, "prompt": "x", "canvas": 128.5}, UsageError, "not a canvas"),
    "a numbered region": ({"image": FACE, "prompt": "x", "related": {1: [0, 0, 8, 8]}},
                          PlanError, "no name"),
    "both": ({"image": FACE, "plan": "p.json", "subject": "cat"}, UsageError, "for making a plan"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_mistakes_speak_of_arguments(service, name):
    fields, kind, says = BAD[name]
    with pytest.raises(kind) as caught:
        service.plan(Request(**fields))
    assert says in str(caught.value)
    assert "--" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("more", "says"), [({"seed": -2}, "no seed -2"), ({"num": 0}, "num="),
                                            ({"seed": 2**63}, "no seed")])  # fmt: skip
def test_seeds_and_numbers_are_looked_at_before_the_work(service, more, says):
    with pytest.raises(UsageError, match=says):
        service.generate(replace(ASKED, settings=QUICK), **more)


def test_a_bad_setting_does_not_wait_for_a_model():
    with pytest.raises(UsageError, match="did you mean 'cycles'"):
        Service("no/such-model", download=False).resolve(replace(ASKED, settings={"cycels": 3}))
    with pytest.raises(ModelError, match="not in the cache"):
        Service("no/such-model", download=False).plan(ASKED)


def test_numbers_beside_the_name():
    assert numbered_paths(Path("a/b.png"), 1) == [Path("a/b.png")]
    assert numbered_paths(Path("a/b.png"), 2) == [Path("a/b-1.png"), Path("a/b-2.png")]


def test_memory_decides_before_anything_is_allocated(tiny, monkeypatch):
    monkeypatch.setattr(memory, "device_memory", lambda device: 10**9)
    at = [memory.max_batch_size(tiny, (side, side), 2, 100) for side in (64, 512, 1024, 1536)]
    assert at[0] == memory.MAX_BATCH_SIZE
    assert at == sorted(at, reverse=True)
    assert at[3] == 1
    with pytest.raises(DeviceError, match="needs about"):
        memory.max_batch_size(tiny, (4096, 4096), 2, 1)
    assert memory.max_batch_size(tiny, (64, 64), 4, 3) == 3
