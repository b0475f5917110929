"""The usual slips of a program: every public door reads what is meant, or says what to give."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from diffusers import DPMSolverMultistepScheduler
from helpers import QUICK, noise_picture, plan, seeded
from PIL import Image

import sow
from sow.diffusion.jobs import make_jobs
from sow.errors import SowError
from sow.pictures.condition import Condition
from sow.pictures.loading import load_image
from sow.service.results import GenerationSpec
from sow.service.service import Service
from sow.settings.settings import PRESETS, Settings

FACE = EXAMPLES / "drawn-beard.png"
PICTURE = noise_picture(1)
ARRAY = np.zeros((40, 48, 3), np.uint8)
REQUEST = sow.Request(FACE, "a man")


def asked(**fields) -> sow.Request:
    return replace(REQUEST, **fields)


WORK = GenerationSpec(Condition.prepare(PICTURE, plan()), plan(), QUICK, "a", "")
SLIPS = {
    "image=0": ({"image": 0}, "image= is an int; give a file, a PIL picture or a numpy array"),
    "image=None": ({"image": None}, "image= is None"),
    "an array of two pictures": ({"image": ARRAY[None]}, "with shape (1, 40, 48, 3)"),
    "an array of colours first": ({"image": ARRAY.transpose(2, 0, 1)}, "with shape (3, 40, 48)"),
    "an array of a row": ({"image": ARRAY[0, :, 0]}, "with shape (48,)"),
    "an array of nothing": ({"image": ARRAY[:0]}, "only 48x0 pixels"),
    "an array of nothing wide": ({"image": ARRAY[..., :0]}, "with shape (40, 48, 0)"),
    "an array of large numbers": ({"image": ARRAY + 2.0}, "or as numbers from 0 to 1"),
    "an array below zero": ({"image": ARRAY - 1.0}, "or as numbers from 0 to 1"),
    "an array of no numbers": ({"image": ARRAY * np.nan}, "or as numbers from 0 to 1"),
    "an array of objects": ({"image": ARRAY.astype(object)}, "an array of object"),
    "a tensor": ({"image": torch.zeros(3, 40, 48)}, "image= is a Tensor"),
    "bytes": ({"image": b"img.png"}, "image= is a bytes"),
    "a list of tensors": ({"image": [torch.zeros(40, 48)] * 2}, "image= is a Tensor"),
    "no such file": ({"image": "no.png"}, "no picture at 'no.png'"),
    "an empty name": ({"image": ""}, ""),
    "no pixels": ({"image": Image.new("RGB", (0, 5))}, "only 0x5"),
    "a speck": ({"image": Image.new("RGB", (2, 2))}, "only 2x2"),
    "an empty list": ({"image": []}, "an empty list"),
    "an iterator": ({"image": iter([PICTURE])}, "image= is a list_iterator"),
    "a dict": ({"image": {"image": PICTURE}}, "image= is a dict"),
    "a mask of nowhere": ({"mask": "m.png"}, "no picture at 'm.png'"),
    "a mask of numbers": ({"mask": np.full((40, 48), 255)}, "mask= is an array of int64"),
    "a mask of nothing": ({"mask": Image.new("L", (48, 0))}, "only 48x0"),
    "no plan": ({"plan": None}, "there is no plan; make a plan first"),
    "a plan of nowhere": ({"plan": "no.json"}, "cannot read the plan"),
    "a plan of words": ({"plan": {"prompt": "x"}}, "invalid plan: box"),
    "a prompt for a plan": ({"plan": "an old person"}, "its file; make a plan first: plan="),
    "settings of no name": ({"settings": {"cycels": 5}}, "did you mean 'cycles'?"),
    "settings of no text": ({"settings": {5: 5}}, "no setting '5'"),
    "settings out of range": ({"settings": {"cycles": -5}}, "bad setting: cycles"),
    "the name of a preset": ({"settings": "normal"}, "settings= is a str"),
    "settings of numbers": ({"settings": 5}, "settings= is an int"),
    "texts of settings": ({"settings": ["cycles=5"]}, "settings= is a str"),
    "a seed": ({"generator": 0}, "is an int; give a generator: torch.Generator().manual_seed(0)"),
    "a list of seeds": ({"generator": [0], "image": [PICTURE]}, "generator= is an int"),
    "two generators": ({"generator": [seeded(0), seeded(1)]}, "2 generators for one picture"),
    "lists of two lengths": ({"image": [PICTURE] * 2, "generator": [seeded(0)] * 3},
                             "image= 2, generator= 3"),
    "one generator of two": ({"image": [PICTURE] * 2, "generator": [seeded(0)]},
                             "lists of different lengths"),
    "an output type": ({"output_type": "png"}, "choose one of pil"),
    "an output type of None": ({"output_type": None}, "unknown output_type None"),
    "a job too far": ({"return_cycles": [1]}, "has job index 1; give indices from 0 to 0"),
    "a number of cycles": ({"return_cycles": 3}, "return_cycles= is an int"),
    "no function": ({"callback_on_step_end": "print"}, "callback_on_step_end= is a str"),
    "one tensor": ({"callback_on_step_end_tensor_inputs": "latents"}, "is a str; give a list"),
    "a prompt": ({"prompt": "an old person"}, "no argument 'prompt'; make a plan first"),
    "steps": ({"num_inference_steps": 20}, 'give settings={"num_inference_steps": 20}'),
    "strength": ({"strength": 0.5}, "likeness"),
    "a negative prompt": ({"negative_prompt": "hat"}, "plan=plan.changed(negative="),
    "a slip of the finger": ({"imgae": PICTURE}, "no argument 'imgae'; did you mean 'image'?"),
    "tensors of None": ({"callback_on_step_end_tensor_inputs": None}, "is None"),
}  # fmt: skip


def one_line(call, says):
    with pytest.raises(SowError) as caught:
        call()
    line = str(caught.value)
    assert says in line
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_in_a_call_gets_one_line_before_any_work(tiny, name):
    arguments, says = SLIPS[name]
    asked = []
    hook = tiny.unet.register_forward_pre_hook(lambda *_: asked.append(1))
    try:
        job = {"image": PICTURE, "plan": plan(), "settings": QUICK, **arguments}
        one_line(lambda: tiny(**job), says)
    finally:
        hook.remove()
    assert asked == []


def told(**arguments):
    """What a call is taken to mean: of each job what is planted, its plan and its settings."""
    given = {"plan": plan(), "settings": None, "mask": None, "generator": None, **arguments}
    jobs = make_jobs(**given, vae_scale_factor=8)
    return [(job.condition.to_png(), job.plan, job.settings) for job in jobs]


def test_what_is_meant_is_read(tmp_path):
    """Names of files for pictures, masks and plans; changes for settings."""
    mask = Image.new("L", PICTURE.size)
    mask.paste(255, (0, 0, 24, 40))
    whole = Settings().changed(cycles=2)
    expected = told(image=PICTURE, mask=mask, settings=whole)
    PICTURE.save(tmp_path / "a.png")
    mask.save(tmp_path / "m.png")
    (tmp_path / "p.json").write_text(plan().to_json())
    for path in (str, Path):
        files = {name: path(tmp_path / name) for name in ("a.png", "m.png", "p.json")}
        assert expected == told(image=files["a.png"], mask=files["m.png"], plan=files["p.json"],
                                settings={"cycles": 2})  # fmt: skip
    pixels, kept = np.asarray(PICTURE), np.asarray(mask)
    for array, of_mask in ((pixels, kept), (pixels / 255.0, kept > 0), (pixels, kept[..., None])):
        assert expected == told(image=array, mask=of_mask, settings=whole)
    mixed = told(image=[PICTURE, str(tmp_path / "a.png")], mask=mask,
                 settings=[whole, {"cycles": 2}], plan=json.loads(plan().to_json()))  # fmt: skip
    assert mixed == expected * 2


def test_settings_change_the_preset_of_their_own_plan():
    plans = [plan(), plan(setting="style")]
    made = told(image=PICTURE, plan=plans, settings={"cycles": 3})
    assert [settings for _, _, settings in made] == [
        PRESETS["normal"].changed(cycles=3), PRESETS["style"].changed(cycles=3)
    ]  # fmt: skip


DOORS = {
    "a picture's name for a request": (lambda s: s.generate("img.png"), "request= is a str"),
    "nothing for a request": (lambda s: s.plan(None), "request= is None"),
    "numbers for a picture": (lambda s: s.plan(sow.Request(ARRAY - 1.0, "x")), "of float64"),
    "a number for a plan": (lambda s: s.plan(sow.Request(FACE, plan=5)), "plan= is an int"),
    "a prompt of numbers": (lambda s: s.plan(sow.Request(FACE, 5)), "prompt= is an int"),
    "regions of a number": (lambda s: s.plan(sow.Request(FACE, "x", related=5)), "related="),
    "a seed of words": (lambda s: s.generate(REQUEST, seed="7"), "seed= is a str"),
    "half a seed": (lambda s: s.generate(REQUEST, seed=0.5), "seed= is a float"),
    "a seed below -1": (lambda s: s.generate(REQUEST, seed=-2), "no seed -2"),
    "half a picture": (lambda s: s.generate(REQUEST, num=1.5), "num= is a float"),
    "a number of settings": (lambda s: s.resolve(asked(settings=5)), "settings= is an int"),
    "a preset in a list": (lambda s: s.resolve(asked(preset=["style"])), "no preset ['style']"),
    "a likeness of words": (lambda s: s.resolve(asked(likeness="much")), "a number from 0 to 1"),
    "a picture of None": (lambda s: sow.generate(None, "x", model="figures"), "no picture"),
    "a request for work": (lambda s: list(s.make(REQUEST, [7])), "spec= is a Request"),
    "one seed": (lambda s: list(s.make(WORK, 7)), "seeds= is an int"),
    "seeds of words": (lambda s: list(s.make(WORK, ["7"])), "seed= is a str"),
    "a recipe of None": (lambda s: Service.of_recipe(None), "path= is None"),
    "a picture without a recipe": (lambda s: Service.like(FACE), "has no recipe"),
    "no model": (lambda s: sow.load_pipeline(None), "model= is None"),
    "no device": (lambda s: sow.load_pipeline("figures", device=None), "device= is None"),
    "a dtype": (lambda s: sow.load_pipeline("figures", dtype=torch.half), "dtype= is a dtype"),
    "a folder of prompts": (lambda s: Service(planner=sow.PlannerChoice(prompts="no/such")).plan(
        REQUEST), "no folder 'no/such'"),
    "prompts of a number": (lambda s: Service(planner=sow.PlannerChoice(prompts=5)).plan(REQUEST),
                            "prompts= is an int"),
    "nobody to report to": (lambda s: Service(report=None), "report= is None; give a function"),
    "an agreement": (lambda s: Service(agree=True), "agree= is a bool"),
    "the name of a planner": (lambda s: Service(planner="offline"), 'PlannerChoice("offline")'),
    "a vendor of no name": (lambda s: sow.make_asker("gemin"), "gemin"),
    "load_image of None": (lambda s: load_image(None), "image= is None"),
    "load_image of an array": (lambda s: load_image(ARRAY), "image= is a ndarray"),
    "a plan of None": (lambda s: sow.Plan.read(None), "plan= is None"),
    "a trace of nothing": (lambda s: sow.trace(None).__enter__(), "pipe= is None"),
    "a planner asked in words": (lambda s: sow.OfflinePlanner().plan("img.png"),
                                 "request= is a str"),
    "the name of a model": (lambda s: sow.SowPipeline.from_pretrained("figures"),
                            'sow.load_pipeline("figures")'),
    "no folder of a model": (lambda s: sow.SowPipeline.from_pretrained("sd2.1"),
                             "takes a folder or a hub id, and 'sd2.1' is neither"),
    "a scheduler for a pipeline": (
        lambda s: sow.SowPipeline.from_pretrained(
            "a/b", scheduler=DPMSolverMultistepScheduler()), "would not be used"),
    "cycles for pictures after each cycle": (
        lambda s: sow.generate(FACE, "x", model="figures", cycles=5), 'settings={"cycles": 5}'),
    "a condition of nowhere": (lambda s: Condition.prepare("no.png", plan()), "no picture at"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOORS)
def test_a_slip_at_any_other_door(name):
    call, says = DOORS[name]
    offline = sow.PlannerChoice("offline")
    one_line(lambda: call(Service("figures", device="cpu", planner=offline)), says)


REQUESTS = {
    "image": ({"image": "no.png"}, "no picture at 'no.png'"),
    "image=None": ({"image": None}, "image= is None"),
    "an array": ({"image": ARRAY - 1.0}, "image= is an array of float64"),
    "prompt": ({"prompt": None}, "prompt= is None"),
    "blank": ({"prompt": " "}, "no prompt"),
    "canvas": ({"canvas": "big"}, "'big' is not a canvas"),
    "a shape of words": ({"canvas": "wide:high"}, "write a shape as 9:16"),
    "half a canvas": ({"canvas": (128,)}, "is not a canvas"),
    "vae_scale_factor": ({"vae_scale_factor": 0}, "vae_scale_factor=0"),
    "subject": ({"subject": 5}, "subject= is an int"),
    "setting": ({"setting": "wild"}, "choose one of normal"),
    "matte": ({"matte": "scissors"}, "choose one of auto"),
    "box": ({"box": [1, 2, 3]}, "four numbers"),
    "related": ({"related": "body"}, "related region 'body' is not a box"),
    "face": ({"face_index": -1}, "no face number -1"),
    "mask": ({"mask": 5}, "mask= is an int"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_planner_is_asked_what_makes_no_sense(name):
    change, says = REQUESTS[name]
    one_line(lambda: sow.PlanRequest(**{"image": PICTURE, "prompt": "a man", **change}), says)


def test_a_request_keeps_what_it_is_given_in_its_own_shape(tmp_path):
    """A picture as it is seen, though its EXIF says otherwise: as the pipeline takes it too."""
    exif = Image.Exif()
    exif[0x0112] = 6
    PICTURE.save(tmp_path / "a.jpg", exif=exif)
    for image in (str(tmp_path / "a.jpg"), Image.open(tmp_path / "a.jpg")):
        request = sow.PlanRequest(image, "a man", canvas=128, box=[8, 8, 48, 48],
                                  related={"body": [0, 64, 128, 64]})  # fmt: skip
        assert request.image.size == PICTURE.size[::-1]
        assert (request.canvas, request.box) == ((128, 128), sow.Box(x=8, y=8, width=48, height=48))
        assert request.related[0].label == "body"


def test_a_plan_without_a_canvas_takes_the_pipelines(tiny, caplog):
    """The composition is the same; who says a size gets it, with a word of what it costs."""
    image = noise_picture(1, (64, 64))
    asked = {"image": image, "prompt": "a man", "subject": "cup", "matte": "none"}
    open_plan = sow.OfflinePlanner().plan(sow.PlanRequest(**asked))
    assert not open_plan.has_canvas
    again = sow.Plan.parse(open_plan.to_json())
    assert (again, again.has_canvas) == (open_plan, False)
    with caplog.at_level(logging.WARNING):
        made = tiny(image=image, plan=again, settings=QUICK)
    assert (made.images[0].size, made.plans[0].canvas) == (tiny.canvas, tiny.canvas)
    assert caplog.records == []
    own = sow.OfflinePlanner().plan(sow.PlanRequest(**asked, canvas=tiny.canvas))
    for mine, other in zip(made.plans[0].box.corners, own.box.corners, strict=True):
        assert abs(mine - other) <= 8
    told = sow.OfflinePlanner().plan(sow.PlanRequest(**asked, canvas=(128, 128)))
    assert told.has_canvas
    assert tiny(image=image, plan=told, settings=QUICK).images[0].size == (128, 128)
    assert [r.getMessage() for r in caplog.records] == [
        "the model was trained on 64x64: at 128x128 it computes 4 times the pixels and tends to "
        "repeat objects"
    ]
    boxed = sow.PlanRequest(**asked, box=[100, 100, 200, 200])
    assert sow.OfflinePlanner().plan(boxed).canvas == (512, 512)  # the box is in its pixels
    assert sow.OfflinePlanner().plan(boxed).has_canvas


def test_a_service_puts_an_open_plan_on_its_models_canvas():
    service = Service("figures", device="cpu")
    asked = sow.PlanRequest(PICTURE, "a man", subject="cup", matte="none")
    open_plan = sow.OfflinePlanner().plan(asked)
    notes = []
    service._report = lambda kind, line: notes.append(line)
    made = service.plan(sow.Request(FACE, plan=open_plan)).plan
    assert (made.canvas, made.has_canvas) == ((128, 128), True)
    assert notes == []  # nobody decided a canvas, so there is nothing to say of it
