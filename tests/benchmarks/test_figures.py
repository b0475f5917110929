"""The method on the bundled drawn world: it must be seen to work."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from conftest import FACES
from PIL import Image

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.studies.common import brief
from sow.benchmarks.figures.studies.contact_sheet import (
    BOXES,
    NOW,
    PROMPTS,
    RANDOM_START,
    heads,
    make_pictures,
)
from sow.benchmarks.figures.studies.evaluate import HELD_OUT, there_and_back
from sow.benchmarks.figures.studies.tasks import (
    MEASURES,
    generate,
    generate_from_text,
    judged,
    tasks,
)
from sow.benchmarks.figures.training.vae import measure
from sow.benchmarks.figures.world.drawing import TESTING, make
from sow.benchmarks.tv2i.report.comparison_table import cell
from sow.service.planning import PlannerChoice
from sow.service.service import Service


def psnr(a, b) -> float:
    error = float(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2))
    return 10 * math.log10(255**2 / error)


@torch.no_grad()
def round_trip(pipe, image: Image.Image, until: int, steps: int) -> float:
    """PSNR between the picture inverted to a state and back, and what the VAE makes of it."""
    backbone = StableDiffusion(pipe)
    schedule = backbone.schedule(steps)
    times = torch.tensor(schedule.timesteps)
    empty = backbone.embed([[[""]]])[0]
    pixels = torch.from_numpy(np.asarray(image, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    clean = latents = backbone.encode(pixels)
    for state in range(until):
        output = backbone.predict(latents, times[state + 1], empty)[0]
        latents = schedule.invert(latents, output, state)
    for state in range(until, 0, -1):
        output = backbone.predict(latents, times[state], empty)[0]
        latents, _ = schedule.denoise(latents, output, state)
    back, vae = (pipe.decode_images(backbone, z, "pil")[0][0] for z in (latents, clean))
    return psnr(back, vae)


def test_inversion_to_state_7_and_back_loses_little(figures, faces):
    """At guidance 1 the way back ends near the start. Measured 2026-11: see the README's table."""
    values = [round_trip(figures, faces[name].resize((128, 128)), 7, 10) for name in FACES]
    print("PSNR of the round trip to state 7 of 10:", [round(v, 1) for v in values])
    assert min(values) > 24
    finer = [round_trip(figures, faces[name].resize((128, 128)), 35, 50) for name in FACES]
    print("PSNR of the round trip to state 35 of 50:", [round(v, 1) for v in finer])
    assert np.mean(finer) > np.mean(values) + 5


@pytest.fixture(scope="module")
def judge():
    return Judge.load()


@pytest.fixture(scope="module")
def sheets(faces):
    """Half a contact sheet: three identities, four prompts, one box; twice. Drawn once.

    The second as the paper's ablation has it: its preset, from noise.
    """
    service = Service("figures", device="cpu", planner=PlannerChoice("offline"))
    service.pipe.set_progress_bar_config(disable=True)
    box = BOXES[:1]
    return tuple(make_pictures(service, faces, way, boxes=box) for way in (NOW, RANDOM_START))


def distances(made, sheet) -> dict[str, float]:
    """How far the picture is from each of the faces, where they were planted."""
    crop = np.asarray(made.image.crop(made.box.corners), float)
    conditions = {other.face: other.condition for other in sheet}
    return {
        name: float(
            np.abs(crop - np.asarray(face.picture, float))[np.asarray(face.mask) > 127].mean()
        )
        for name, face in conditions.items()
    }


def test_the_seed_canvas_prevents_a_second_head(sheets, judge):
    """Sec. V-B: started from random noise another person appears, and overgrows the planted one."""
    elsewhere = [sum(other for _, other in heads(sheet, judge)) for sheet in sheets]
    planted = [sum(here for here, _ in heads(sheet, judge)) for sheet in sheets]
    own = [np.mean([distances(m, sheet)[m.face] for m in sheet]) for sheet in sheets]
    print("heads elsewhere, where planted, distance to the face:", elsewhere, planted, own)
    assert planted[0] >= 11
    assert elsewhere[0] == 0
    spoilt = [other + len(sheets[0]) - here for other, here in zip(elsewhere, planted, strict=True)]
    assert spoilt[1] >= spoilt[0] + 2
    assert own[0] < 0.88 * own[1]


def colour_below(made) -> np.ndarray:
    """The median colour of the chest: half a box below the planted face."""
    x, y = made.box.centre
    y = made.box.bottom + made.box.height // 3
    patch = np.asarray(made.image, float)[int(y) - 4 : int(y) + 12, int(x) - 12 : int(x) + 12]
    return np.median(patch.reshape(-1, 3), axis=0)


@pytest.mark.parametrize(("prompt", "channel"), [(PROMPTS[0], 0), (PROMPTS[1], 2)])
def test_a_body_grows_under_the_face_as_the_prompt_says(sheets, prompt, channel):
    """A red coat below every face where the prompt has one, a blue suit where it has that."""
    for made in sheets[0]:
        if made.prompt == prompt:
            colour = colour_below(made)
            others = [value for n, value in enumerate(colour) if n != channel]
            assert colour[channel] > max(others) + 40, (made.face, made.box, colour)


def test_the_planted_face_stays_recognisable(sheets):
    """The picture in the box is nearer to its own face than to either of the others."""
    nearest = [min(d, key=d.__getitem__) for d in (distances(m, sheets[0]) for m in sheets[0])]
    own = [name == made.face for name, made in zip(nearest, sheets[0], strict=True)]
    print("planted faces nearest to themselves:", np.mean(own))
    assert np.mean(own) >= 0.9


def test_plain_text_to_image_draws_what_captions_say(figures, judge):
    """40 of the 500 held-out captions; the whole table is in benchmarks/figures/results."""
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))[:40]
    verdicts = judge.look(generate_from_text(figures, [caption["text"] for caption in captions]))
    right: dict[str, list[bool]] = {}
    for caption, verdict in zip(captions, verdicts, strict=True):
        for name, value in answers(verdict, caption["said"]).items():
            right.setdefault(name, []).append(value)
    rates = {name: float(np.mean(values)) for name, values in right.items()}
    print("so in the picture:", rates)
    assert rates["scene"] >= 0.85
    assert rates["clothing_colour"] >= 0.8
    assert rates["thing"] >= 0.7


def test_the_autoencoder_and_inversion_keep_held_out_drawings(figures):
    """Measured 2026-11 on 64 drawings: see benchmarks/figures/results/model.md."""
    held_out = np.stack([np.asarray(make(TESTING + 6_500_000 + n).image) for n in range(12)])
    assert measure(figures.vae, held_out) > 25.5
    assert np.mean(there_and_back(figures, held_out, 50)) > 23


def test_cycles_grow_a_body_and_keep_the_face(figures, judge):
    """The point of it all, on 30 pairs kept for tuning; a random start is worse in both."""
    work = tasks(30, tuning=True)
    normal = figures.preset("paper-normal")
    rows = [
        judged(how, judge, work, generate(figures, work, normal.changed(seed_canvas=how)))
        for how in ("grey", "none")
    ]
    print(*(brief(row, MEASURES) for row in rows), sep="\n")
    seeded, random = ({one.name: cell(row, one).estimate.value for one in MEASURES} for row in rows)
    assert seeded["found"] > 0.85
    assert seeded["truncated"] < random["truncated"]
    assert seeded["id_distance"] < seeded["stranger"] - 0.3
    assert seeded["followed"] > 0.9
