"""What a program gives wrongly is answered in one line, before anything is loaded or made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import EXAMPLES
from PIL import Image

import sow
from sow.errors import PictureError, PlannerError, SowError, UsageError
from sow.models.find import BUNDLED, find_model
from sow.pictures.loading import fit_mask, load_image
from sow.plan.plan import Plan
from sow.planners.base import MATTES
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.service import Service
from sow.settings.settings import Settings

FACE = EXAMPLES / "drawn-beard.png"
ASKED = Request(image=FACE, prompt="a person in a red coat")
LONG = "x" * 5000


@pytest.fixture(scope="module")
def service():
    return Service("figures", device="cpu", planner=PlannerChoice("offline"))


def asked(**fields: object) -> Request:
    """A request with something odd in it."""
    return Request(**{"image": FACE, "prompt": "x", **fields})


STRANGE = {
    "num=2.5": lambda s: s.generate(ASKED, num=2.5),
    "num=True": lambda s: s.generate(ASKED, num=True),
    "num='3'": lambda s: s.generate(ASKED, num="3"),
    "num=2**31": lambda s: s.generate(ASKED, num=2**31),
    "num=2**80": lambda s: s.generate(ASKED, num=2**80),
    "seed=0.5": lambda s: s.generate(ASKED, seed=0.5),
    "seed=True": lambda s: s.generate(ASKED, seed=True),
    "seed='1'": lambda s: s.generate(ASKED, seed="1"),
    "a seed of several": lambda s: list(s.make(s.resolve(ASKED), [1, None])),
    "preset=[]": lambda s: s.resolve(replace(ASKED, preset=[1])),
    "settings=True": lambda s: s.resolve(replace(ASKED, settings=True)),
    "settings={5: 1}": lambda s: s.resolve(replace(ASKED, settings={5: 1})),
    "settings=[5]": lambda s: s.resolve(replace(ASKED, settings=[5])),
    "settings=bytes": lambda s: s.resolve(replace(ASKED, settings=b"cycles=3")),
    "settings of one walk": lambda s: s.resolve(replace(ASKED, settings=(t for t in ["cycles=3"]))),
    "likeness": lambda s: s.resolve(replace(ASKED, likeness=10**400)),
    "related=5": lambda s: s.plan(asked(related=5)),
    "related='coat'": lambda s: s.plan(asked(related="coat")),
    "no request": lambda s: s.plan("face.png"),
    "no request for work": lambda s: s.resolve(None),
    "an empty mask": lambda s: s.plan(asked(mask=Image.new("RGB", (0, 0)))),
    "mask without height": lambda s: s.resolve(asked(mask=Image.new("L", (64, 0)))),
    "device=None": lambda s: Service(device=None),
    "dtype=[]": lambda s: Service(dtype=[]),
    "model=None": lambda s: Service(model=None),
    "planner=True": lambda s: Service(planner=True),
    "planner=''": lambda s: Service(planner=""),
    "planner=True in a line": lambda s: sow.generate(FACE, "x", planner=True, model="figures"),
    "prompts=5": lambda s: PlannerChoice(prompts=5).check(),
    "base_url=5": lambda s: PlannerChoice(base_url=5).check(),
    "planner_calls": lambda s: PlannerChoice(planner_calls="\0").check(),
    "find_model(None)": lambda s: find_model(None),
    "no path": lambda s: find_model(Path("nowhere")),
    "load_image(None)": lambda s: load_image(None),
    "load_image(bytes)": lambda s: load_image(b"a.png"),
    "of_recipe(None)": lambda s: Service.of_recipe(None),
    "Plan.read(None)": lambda s: Plan.read(None),
    "a long list": lambda s: Settings().changed(preserve=[1] * 1001),
    "a long list of layers": lambda s: Settings().changed(modulated_factors=[1] * 5),
    "a long preset": lambda s: s.resolve(replace(ASKED, preset=LONG)),
    "a long box": lambda s: s.plan(asked(box=[1] * 5000)),
    "a long canvas": lambda s: s.plan(asked(canvas=[1] * 5000)),
    "a long setting": lambda s: s.plan(asked(setting=LONG)),
    "a long matte": lambda s: s.plan(asked(matte=LONG)),
    "a long model": lambda s: find_model(LONG, download=False),
    "a long device": lambda s: Service("figures", device=LONG).pipe,
    "a long dtype": lambda s: Service("figures", dtype=LONG).pipe,
    "a long plan": lambda s: s.plan(asked(plan=LONG)),
    "a long name": lambda s: Settings().changed(**{LONG: 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_strange_is_answered_in_one_line(service, name):
    with pytest.raises(SowError) as caught:
        STRANGE[name](service)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) <= 1200
    assert "x" * 201 not in line


def test_what_is_wrong_is_still_said_around_what_is_quoted():
    error = UsageError(f"no matte {LONG!r} here", f"choose one of {', '.join(MATTES)}")
    assert error.what.startswith("no matte 'xxx")
    assert error.what.endswith("xxx' here")
    assert error.hint.endswith("none")
    many = PlannerError("the box " + "1, " * 5000 + "has too many numbers")
    assert many.what.startswith("the box 1, 1,")
    assert many.what.endswith("has too many numbers")
    assert UsageError("a\x1b[2Jb\0c\u202e", "d\ne").args == ("a [2Jb c; d e",)


def test_paths_are_taken_wherever_names_are(tmp_path):
    assert find_model(Path("figures")).origin == "bundled"
    service = Service(BUNDLED["figures"], device="cpu", planner=PlannerChoice("offline"))
    assert service.model.origin == "folder"
    choice = PlannerChoice("openai", prompts=str(tmp_path))
    choice.check()
    with pytest.raises(UsageError, match="no folder"):
        PlannerChoice(prompts=str(tmp_path / "none")).check()


def test_the_budget_is_asked_before_the_seeds_are_walked(service):
    class Endless(list[int]):
        def __len__(self) -> int:
            return 10**6

        def __iter__(self):
            raise AssertionError("the seeds were walked")

    with pytest.raises(UsageError, match="pictures of"):
        next(iter(service.make(service.resolve(ASKED), Endless())))


def test_a_mask_is_a_picture_for_whoever_fits_it():
    with pytest.raises(PictureError, match="the mask is only 0x0"):
        fit_mask(Image.new("RGB", (0, 0)), (64, 64))
