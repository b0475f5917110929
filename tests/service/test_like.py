"""More pictures of a recipe's composition: another seed, prompt or setting, no original needed."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from conftest import EXAMPLES

import sow
from sow.cli.main import main
from sow.errors import ModelError, PictureError, UsageError
from sow.pictures.recipe import read_recipe, save_png
from sow.service.service import Service

QUICK = {"cycles": 1, "replant": 0}  # without cycles no seed is asked
DEAR = {"steps": 1000, "t1": 500, "t2": 900, "cycles": 1000, "preserve": ()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A picture with its recipe, of the mask's half of a face."""
    path = tmp_path_factory.mktemp("like") / "a.png"
    service = Service("figures", device="cpu", planner=sow.PlannerChoice("offline"))
    asked = sow.Request(EXAMPLES / "drawn-beard.png", "a man", subject="face", matte="none")
    service.generate(replace(asked, settings=QUICK, likeness=0.7), seed=7).save(path)
    return path


def changed(made, path, **fields):
    """The same file with another recipe in it."""
    recipe, condition = read_recipe(made)
    with sow.load_image(made) as image:
        save_png(image, path, recipe.model_copy(update=fields), condition)
    return path


def test_the_composition_stays_and_the_seed_is_another(made):
    recipe, condition = read_recipe(made)
    service, spec = Service.like(made, device="cpu")
    assert (spec.plan, spec.settings) == (recipe.plan, recipe.settings)
    assert spec.condition.to_png() == condition.to_png()
    same, other = (picture.image for picture in service.make(spec, [7, 8]))
    original = sow.load_image(made)
    level = max(high for _, high in _difference(same, original))
    assert level <= 1  # two in one call: the rounding of sums
    assert max(high for _, high in _difference(other, original)) > 50


def _difference(one, other):
    from PIL import ImageChops

    return ImageChops.difference(one, other).getextrema()


def test_what_is_said_changes_and_nothing_else(made, tmp_path):
    recipe, _ = read_recipe(made)
    _, spec = Service.like(made, prompt="a man in the snow", likeness=0.2, settings=["eta=0.5"])
    assert spec.plan == recipe.plan.changed(prompt="a man in the snow")
    assert spec.settings == recipe.settings.changed(likeness=0.2, eta=0.5)
    service, spec = Service.like(made, preset="style", settings={"cycles": 2}, device="cpu")
    assert spec.settings == service.model.checkpoint_spec.preset("style").changed(cycles=2)
    assert spec.name == "a-like"


def test_what_is_a_setting_depends_on_the_recipes_own(made, tmp_path):
    long = read_recipe(made)[0].settings.changed(steps=40, t2=8)
    path = changed(made, tmp_path / "long.png", settings=long)
    assert Service.like(path, settings={"t2": 39})[1].settings.t2 == 39
    with pytest.raises(UsageError, match="t2=39"):
        Service.like(path, preset="normal", settings={"t2": 39})


def test_a_negative_prompt_is_added_and_taken_away(made, tmp_path):
    _, spec = Service.like(made, negative="spectacles, a zorblax")
    assert spec.plan == read_recipe(made)[0].plan.changed(negative="glasses", notes=spec.plan.notes)
    assert any("does not know spectacles (glasses is used instead)" in n for n in spec.notes)
    path = changed(made, tmp_path / "negative.png", plan=spec.plan)
    assert Service.like(path)[1].plan.negative == "glasses"
    assert Service.like(path, negative="")[1].plan.negative == ""


def test_a_new_prompt_is_said_in_the_models_words(made):
    _, spec = Service.like(made, prompt="a king in the snow")
    assert spec.plan.prompt == "a man in the snow"
    assert any("does not know king" in note for note in spec.notes)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"prompt": " "}, UsageError, "no prompt"),
        ({"prompt": 5}, UsageError, "prompt= is an int"),
        ({"settings": {"cycels": 1}}, UsageError, "did you mean 'cycles'"),
        ({"likeness": 2}, UsageError, "a number from 0 to 1"),
        ({"preset": "wild"}, UsageError, "no preset 'wild'"),
        ({"revision": "abc"}, UsageError, "leave out revision="),
        ({"settings": DEAR}, UsageError, "UNet samples"),
    ],
)
def test_mistakes_get_one_line(made, change, kind, says):
    with pytest.raises(kind, match=says) as caught:
        Service.like(made, **change)
    assert "\n" not in str(caught.value)


def test_a_revision_is_of_a_model_that_is_named(made):
    """It would have been ignored."""
    with pytest.raises(UsageError, match="revision= requires model="):
        Service.of_recipe(made, revision="abc")


def test_a_strangers_recipe_chooses_neither_the_model_nor_the_cost(made, tmp_path):
    recipe, _ = read_recipe(made)
    for number, model in enumerate(("some/one", "/etc", "./a.safetensors")):
        path = changed(made, tmp_path / f"{number}.png", model=model)
        with pytest.raises(ModelError, match="give model="):
            Service.like(path)
        _, spec = Service.like(path, model="figures")
        assert spec.plan == recipe.plan
    dear = recipe.settings.changed(**DEAR)
    path = changed(made, tmp_path / "dear.png", settings=dear)
    with pytest.raises(UsageError, match="UNet samples"):
        Service.like(path)
    with pytest.raises(PictureError, match="has no recipe"):
        Service.like(EXAMPLES / "drawn-beard.png")


def test_another_model_than_the_recipes_is_said(made, tmp_path):
    told = []
    path = changed(made, tmp_path / "b.png", revision="0" * 12, device="cuda", threads=3)
    _, spec = Service.like(path, report=lambda kind, line: told.append(line))
    assert any("the model differs from the recipe's" in line for line in told)
    assert not any("small changes" in line for line in spec.notes)  # there is nothing to repeat


@pytest.fixture
def generate(tmp_path, monkeypatch, capsys):
    """`sow generate` in this process, in an empty folder: its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object):
        monkeypatch.setattr(sys, "argv", ["sow", "generate", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err

    return run


def test_the_command_makes_more_of_them(made, generate, tmp_path):
    code, said = generate("--like", made, "--seed", 8, "--num", 2, "--prompt",
                          "a man in the snow", "--out", "b.png", "--no-sheet")  # fmt: skip
    assert code == 0, said
    recipe, before = read_recipe(tmp_path / "b-2.png")
    assert (recipe.seed, recipe.plan.prompt) == (9, "a man in the snow")
    assert recipe.plan.box == read_recipe(made)[0].plan.box
    assert before.to_png() == read_recipe(made)[1].to_png()


BESIDE = {
    ("--recipe", "--seed", 8): "leave out --seed; to vary it, use --like instead of --recipe",
    ("--recipe", "--num", 4, "--box", "0,0,64,64"): "leave out --box, --num",
    ("--recipe", "--like", "a.png"): "leave out --like",
    ("--like", "--prompt", "a man", "--seed", 8, "--box", "0,0,64,64", "--face", "a.png"):
        "leave out --face, --box",
    ("--like", "--planner", "offline"): "leave out --planner",
}  # fmt: skip


@pytest.mark.parametrize("words", BESIDE)
def test_what_may_not_be_said_beside_a_picture_that_was_made(made, generate, words):
    option, *others = words
    code, said = generate(option, made, *others)
    assert code == UsageError.exit_code
    assert said.endswith(f"; {BESIDE[words]}\n")
