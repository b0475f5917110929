"""Batches by other methods than SOW: one of each in a folder, resumed, told, and not made again."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from conftest import EXAMPLES
from PIL import Image
from typer.testing import CliRunner

from sow.batch.run_batch import Batch
from sow.batch.runners.options import Options
from sow.batch.sources import make_job_source
from sow.benchmarks.tv2i.methods import method
from sow.cli.main import app
from sow.errors import ModelError, OutputError, PictureError, SowError
from sow.pictures.recipe import Recipe, read_recipe
from sow.service.methods import SOW, Method, MethodOutput
from sow.service.planning import PlannerChoice
from sow.service.saved_picture import SavedPicture

PLAN = {"canvas": [64, 64], "prompt": "a man", "box": [16, 8, 32, 32]}


@dataclass(frozen=True)
class Grey(Method):
    """Draws nothing, and falls over seed 13."""

    level: int = 128
    name = "grey"

    def draw(self, pipe, works, seeds):
        if 13 in seeds:
            raise ValueError("an unlucky seed")
        return MethodOutput(
            [Image.new("RGB", work.plan.canvas, (self.level,) * 3) for work in works]
        )


@pytest.fixture
def batch_of(tiny_folder, tmp_path):
    def made(how, seeds=range(3), out="out", **more) -> Batch:
        options = Options(str(tiny_folder), device="cpu", planner=PlannerChoice("offline"),
                          batch_size=2, method=how)  # fmt: skip
        jobs = [{"id": f"j{n}", "image": str(EXAMPLES / "drawn-beard.png"), "prompt": "a man",
                 "seed": n, "plan": PLAN, "settings": {"cycles": 0}} for n in seeds]  # fmt: skip
        source = make_job_source(jobs, None, {}, tmp_path / out)
        return Batch(source, tmp_path / out, options, **more)

    return made


def test_a_method_draws_the_pictures_of_a_batch_and_resumes(batch_of, tmp_path):
    how = method("blended", calls=2)
    assert [result.done for result in batch_of(how, range(2))] == [True] * 2
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert {result.id for result in batch_of(how, range(4))} == {"j2", "j3"}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert list(batch_of(how, range(4))) == []
    lines = (tmp_path / "out/metadata.jsonl").read_text().splitlines()
    told = {line["id"]: line for line in map(json.loads, lines)}
    assert set(told) == {"j0", "j1", "j2", "j3"}
    assert {line["method"] for line in told.values()} == {"blended(calls=2)"}
    assert {(line["unet_calls"], line["unet_samples"]) for line in told.values()} == {(2, 4)}


def test_two_methods_cannot_share_a_folder_nor_one_with_other_parameters(batch_of):
    list(batch_of(Grey(), range(1)))
    for other in (SOW, Grey(level=3), method("cow")):
        with pytest.raises(OutputError, match=r"made with method=grey\(level=128\)"):
            batch_of(other, range(1))
    assert [result.id for result in batch_of(Grey(level=3), range(1), force=True)] == ["j0"]


def test_a_picture_that_fails_fails_alone(batch_of):
    results = {result.id: result for result in batch_of(Grey(), (12, 13, 14))}
    assert {name: result.done for name, result in results.items()} == {
        "j12": True, "j13": False, "j14": True,
    }  # fmt: skip
    assert "an unlucky seed" in results["j13"].error


def test_weights_that_cannot_be_had_are_no_job_s_fault(batch_of, tmp_path):
    """The run ends with what is wrong, and the jobs wait for the right ones."""
    (tmp_path / "empty").mkdir()
    batch = batch_of(method("controlnet-canny", weights=str(tmp_path / "empty")))
    with pytest.raises(ModelError, match=r"no config\.json"):
        list(batch)
    assert batch.failed == 0


def test_its_pictures_say_so_and_are_not_made_again_as_something_else(batch_of, tmp_path):
    list(batch_of(Grey(), range(1)))
    path = tmp_path / "out/j0.png"
    recipe, _ = read_recipe(path)
    assert recipe.method == "grey(level=128)"
    with pytest.raises(PictureError, match=r"comparison method grey\(level=128\)"):
        SavedPicture.read(path, lambda line: True)
    for word in ("--recipe", "--like"):
        with pytest.raises(SowError) as refused:
            CliRunner().invoke(app, ["generate", word, str(path)], catch_exceptions=False)
        assert "\n" not in str(refused.value)
        assert "not by SOW" in str(refused.value)
    shown = CliRunner().invoke(app, ["show", str(path)])
    assert "grey(level=128)" in shown.stdout


def test_what_sow_draws_says_nothing_of_methods(batch_of, tmp_path):
    """So its recipes are what they were, byte by byte."""
    for how, out in ((SOW, "a"), (method("cow"), "b")):
        list(batch_of(how, range(1), out))
        recipe, _ = read_recipe(tmp_path / out / "j0.png")
        assert recipe.method == ""
        assert "method" not in recipe.model_dump_json()
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
        (told,) = (tmp_path / out / "metadata.jsonl").read_text().splitlines()
        assert "method" not in json.loads(told)
        assert json.loads(told)["unet_calls"] > 0
