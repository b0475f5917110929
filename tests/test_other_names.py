"""Arguments under the names of diffusers: read, or refused with what to give instead."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from helpers import noise_picture, plan

import sow
from sow.batch.manifest.manifest import parse_jobs
from sow.errors import OutputError, UsageError
from sow.pictures.condition import Condition
from sow.pictures.recipe import Recipe
from sow.service.arguments import consecutive_seeds
from sow.service.results import GenerationSpec, Picture, Result
from sow.settings.settings import Settings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"face": "a.png"}, {"image": "a.png"}),
        ({"image": "a.png", "width": 640, "height": 448}, {"image": "a.png", "canvas": (640, 448)}),
        ({"num_inference_steps": 20}, {"settings": {"num_inference_steps": 20}}),
        ({"steps": 20, "settings": {"cycles": 3}},
         {"settings": {"num_inference_steps": 20, "cycles": 3}}),
        ({"guidance_scale": 5, "settings": ["cycles=3"]},
         {"settings": ["cycles=3", "guidance_scale=5"]}),
        ({"negative_prompt": "hat"}, {"negative": "hat"}),
        ({"strength": None, "generator": None}, {}),
    ],
)  # fmt: skip
def test_a_request_reads_them(written, read):
    assert sow.Request(**written) == sow.Request(**read)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"width": 640}, "height= is missing; give both, or canvas=640x448"),
        ({"width": 640, "height": 448, "canvas": 512}, "the canvas is given twice"),
        ({"image": "a.png", "picture": "a.png"}, "given under two names"),
        ({"guidance_scale": 5, "settings": {"guidance_scale": 4}}, "given twice"),
        ({"strength": 0.5}, "no argument 'strength'; give likeness="),
        ({"generator": 7}, "give seed=7"),
        ({"output_type": "np"}, ".images"),
        ({"promt": "x"}, "no argument 'promt'; did you mean 'prompt'?"),
        ({"promt": None}, "no argument 'promt'; did you mean 'prompt'?"),
        ({"colour": "x"}, "no argument 'colour'; choose from image, prompt"),
    ],
)
def test_a_request_refuses_in_one_line(written, says):
    for door in (sow.Request, sow.generate):
        with pytest.raises(UsageError) as caught:
            door(**written)
        assert says in str(caught.value)


def test_a_number_of_steps_keeps_the_cycles_at_their_noise():
    published = Settings().changed(num_inference_steps=20)
    assert (published.steps, published.t1, published.t2, published.preserve) == (20, 10, 14, (8, 6))
    swift = Settings.preset("swift-normal").with_assignments(["num_inference_steps=20"])
    assert (swift.guided_until, swift.outside_until, swift.layout_steps) == (6, 8, 10)
    assert Settings().changed(num_inference_steps=10) == Settings()
    few = Settings().changed(num_inference_steps=2, cycles=1)
    assert (few.t1, few.t2, few.cycles) == (1, 2, 1)
    own = Settings().changed(num_inference_steps=20, t2=20, likeness=1)
    assert (own.t2, own.preserve) == (20, (8, 6, 4, 2))
    for bad in (1, 0, -5, 2.5, "many", None, 10**30):
        with pytest.raises(UsageError, match="give a whole number from 2 to 1000"):
            Settings().changed(num_inference_steps=bad)


def test_num_and_count_are_one_field():
    assert sow.TV2IJob(id="a", prompt="x", count=3) == sow.TV2IJob(id="a", prompt="x", num=3)
    assert sow.TV2IJob(id="a", prompt="x", num=3).files == [f"a@{n}.png" for n in
        sow.TV2IJob(id="a", prompt="x", num=3).seeds]  # fmt: skip
    # The names of pictures and the ledgers of earlier versions stay valid.
    assert sow.TV2IJob(image="a.png", prompt="a man", count=2, seed=1).id == "a-a-man-3168f4893e"


def test_what_a_job_says_itself_precedes_a_default():
    jobs = [
        sow.TV2IJob(id="one", image="a.png", prompt="x", num=1),
        replace(sow.TV2IJob(id="open", image="a.png", prompt="y"), prompt="x"),
        {"id": "old", "image": "a.png", "prompt": "x", "count": 1},
    ]
    made = [job for _, job in parse_jobs(jobs, {"count": 4})]
    assert [len(job.seeds) for job in made] == [1, 4, 1]


def test_minus_one_is_a_random_seed():
    assert consecutive_seeds(-1, 2) != consecutive_seeds(-1, 2)
    assert consecutive_seeds(-1, 1)[0] >= 0


def test_another_solver_is_refused_and_another_noise_is_used(tiny):
    pipe = copy.copy(tiny)
    before = pipe.scheduler
    with pytest.raises(UsageError, match="DPMSolverMultistepScheduler would not be used"):
        pipe.scheduler = DPMSolverMultistepScheduler.from_config(before.config)
    assert pipe.scheduler is before
    pipe.scheduler = DDIMScheduler.from_config(before.config, beta_end=0.013)
    assert pipe.scheduler.config.beta_end == 0.013


PICTURE = noise_picture(1, (64, 64))
RECIPE = Recipe(
    plan=plan(), settings=Settings(), seed=7, model="tiny", revision="0" * 40, device="cpu",
    dtype="float32", picture_sha256="", versions={},
)  # fmt: skip


def picture(seed: int = 7) -> Picture:
    condition = Condition(noise_picture(2, (32, 32)), PICTURE.convert("L").resize((32, 32)))
    return Picture(PICTURE, RECIPE.model_copy(update={"seed": seed}), condition)


def test_a_result_is_saved_again_and_never_over_another(tmp_path):
    made = Result((picture(7), picture(8)), plan())
    first = made.save(tmp_path / "a.png")
    assert made.save(tmp_path / "a.png") == first  # they are these pictures already
    assert [path.name for path in made.save(tmp_path / "b.png")] == ["b-1.png", "b-2.png"]
    other = Result((picture(9), picture(8)), plan())
    with pytest.raises(OutputError, match=r"a-1\.png' exists; choose another name, or force=True"):
        other.save(tmp_path / "a.png")
    (tmp_path / "c-2.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"c-2\.png' exists"):
        made.save(tmp_path / "c.png")
    assert not (tmp_path / "c-1.png").exists()  # checked before anything is written
    assert other.save(tmp_path / "a.png", force=True) == first


@pytest.mark.parametrize("name", ["face.png", "link.png", "sub/../face.png"])
def test_a_result_never_replaces_what_it_was_made_from(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    noise_picture(2, (64, 64)).save("face.png")
    (tmp_path / "link.png").symlink_to("face.png")
    before = (tmp_path / "face.png").read_bytes()
    inputs = sow.Request("face.png", "a man", plan={}).input_paths
    monkeypatch.chdir(tmp_path / "sub")  # inputs were named from elsewhere
    made = Result((replace(picture(), inputs=inputs),), plan())
    with pytest.raises(OutputError, match="would replace a file that the picture was made from"):
        made.save(tmp_path / name, force=True)
    assert (tmp_path / "face.png").read_bytes() == before
    assert (tmp_path / "link.png").is_symlink()


def test_specs_know_what_they_were_read_from(tmp_path):
    face = tmp_path / "face.png"
    noise_picture(2, (64, 64)).save(face)
    service = sow.Service("figures", planner=sow.PlannerChoice("offline"))
    assert service.resolve(sow.Request(face, "a man")).inputs == (face,)
    made = picture()
    recipe = made.recipe.model_copy(update={"model": "figures", "revision": service.model.revision})
    made = replace(made, recipe=recipe)
    made.save(tmp_path / "made.png")
    assert sow.Service.of_recipe(tmp_path / "made.png")[1].inputs == (tmp_path / "made.png",)
    spec = sow.Service.like(tmp_path / "made.png", prompt="a man")[1]
    assert spec.inputs == (tmp_path / "made.png",)


def test_representations_are_short_and_show_no_pixels(tiny):
    made = Result((picture(7), picture(8)), plan())
    spec = GenerationSpec(picture().condition, plan(), Settings().changed(cycles=2), "a", "")
    array = np.zeros((40, 48, 3), np.uint8)
    things = {
        "Result(images=[<64x64 RGB>, <64x64 RGB>], seeds=[7, 8], prompt='a person')": made,
        "Picture(image=<64x64 RGB>, seed=7, prompt='a person')": picture(),
        "Request(image=<40x48x3 uint8>, prompt='a man')":
            sow.Request(array, "a man"),
        "Settings(cycles=2)": Settings().changed(cycles=2),
        "TV2IJob(prompt='x', id='a', num=2)": sow.TV2IJob(prompt="x", id="a", num=2),
    }  # fmt: skip
    for text, thing in things.items():
        assert repr(thing) == text
    for thing in (plan(), RECIPE, spec, sow.PlanRequest(PICTURE, "a man")):
        assert repr(thing).startswith(f"{type(thing).__name__}(")
        assert len(repr(thing)) < 250
