"""The documentation's commands and snippets run as they stand there, and draw what they say."""

from __future__ import annotations

import ast
import asyncio
import inspect
from pathlib import Path

import gallery
import numpy as np
import pytest
from doc_commands import PAGES, blocks, commands, elsewhere, typed
from helpers import draw_quickly
from PIL import Image

import sow
from sow.benchmarks.figures.judge.anatomy import pieces
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.relations import holds
from sow.benchmarks.figures.world.drawing import box_of
from sow.errors import PictureError
from sow.pictures.recipe import read_recipe, save_png

NOT_RUN = {
    "make demo": "it installs",
    "make test": "it is what runs this",
    "make studio": "it installs, and serves a page until it is ended; see tests/studio",
    "sow studio --open": "as above",
    "sow studio --model figures --face img.png --prompt 'a man in a red coat' --open": "as above",
    "pip install 'sow[s3]'": "it installs",
    "sow batch s3://bucket/jobs.jsonl --out s3://bucket/results": "a bucket; see tests/batch",
    "sow batch status s3://bucket/results": "a bucket; see tests/batch",
    "sow download": "it needs a network, and fetches 2.6 GB at least",
    "export 'GEMINI_API_KEY=…'": "a key; whoever is asked here is on loopback and needs none",
    "python -m sow.benchmarks.same_pictures --write before.json": "forty pictures",
    "python -m sow.benchmarks.same_pictures --compare before.json": "forty pictures",
    "pip install -e '.[benchmarks]'": "it installs",
    "pip install 'sow[ray]'": "it installs",
    "sow bench figures-tv2i --out figures-tv2i/": "25 minutes; see tests/benchmarks",
    "sow bench figures-tv2i --split open --seeds 4 --methods sow,text --tables methods "
    "--out varied/": "half an hour; see tests/benchmarks",
    "sow bench celeba-tv2i --root CelebAMask-HQ/ --out celeba-tv2i/ --facenet facenet.safetensors "
    "--clip clip/": "the data set, and weights of others",
    "python -m sow.benchmarks.tv2i.metrics.convert -h": "see tests/benchmarks",
    "sow bench compare figures-tv2i/ other/ --out comparison/": "two runs; see tests/benchmarks",
    "sow bench survey figures-tv2i/ --out page/ --key key.json --groups 20": "a run; see above",
    "sow bench votes answers.json --key key.json --out votes/ --into figures-tv2i/": "people",
    "sow bench figures-tv2i --out figures-tv2i/ --outline-judge gemini": "a key; as above",
    "sow bench speed --model sd21-random --device cuda --out speed-of-sd21/": "it needs a GPU",
    "sow batch jobs.jsonl --out results/ --runner ray --address auto": "it needs a cluster",
    "sow tune --model sd2.1 --faces photos/ --facenet facenet.safetensors --clip clip/": "weights "
    "of others",
    "sow tune --model figures --limit 2 --out tune-figures/": "a minute; see tests/benchmarks",
    "sow tune --model figures": "half an hour; see tests/benchmarks",
    "sow bench study model --out studies/": "half an hour; see tests/benchmarks",
    "sow bench study recognisable fresh --setting normal --out studies/": "see tests/benchmarks",
    "python -m sow.benchmarks.figures.world.tv2i": "a thousand drawings; see tests/benchmarks",
    "python -m sow.benchmarks.figures.training all": "two hours",
    "python -m sow.benchmarks.figures.judge.train": "a quarter of an hour",
}
"""Commands that are not run here, and why."""
SNIPPETS_NOT_RUN = {
    '.to("cuda")': "it needs a GPU, and weights from the hub",
    "gradio_client": "it needs a running page; see tests/studio/test_api.py",
}
"""Python that is not run here, by what is in it, and why."""
NOT_THERE: dict[str, str] = {}
"""Pictures whose subject the judge does not find where it was planted, and why."""


SMALLEST = 100
"""Pixels of a piece of what is planted that something has to be found for."""


@pytest.fixture(scope="module")
def judge():
    return Judge.load()


@pytest.fixture
def folder(tmp_path, server):
    """Somebody's folder, and where they are."""
    with elsewhere(tmp_path, server):
        yield tmp_path


def planted_at(file: Path) -> tuple[str, list[sow.Box]]:
    """What was planted in a picture, and where it is, as the judge sees the picture: in each
    piece of the mask."""
    recipe, condition = read_recipe(file)
    plan = recipe.plan
    whole = Image.new("L", plan.canvas)
    whole.paste(condition.mask, (plan.box.x, plan.box.y))
    mask = np.asarray(whole.resize((128, 128), Image.Resampling.BOX)) > 127
    boxes = [box_of(piece) for piece in pieces(mask) if piece.sum() >= SMALLEST]
    return plan.subject, [box for box in boxes if box is not None]


def is_there(judge: Judge, file: Path) -> bool:
    """Whether a head, or a thing by its name, has its centre within a third of all that was
    planted in a picture."""
    plan = read_recipe(file)[0].plan
    (verdict,) = judge.look([Image.open(file)])
    if plan.text_only:  # then what its graph says is looked for
        kinds = {thing.id: thing.label.split()[-1] for thing in plan.objects}
        asked = [(r.predicate, kinds[r.subject], kinds[r.object]) for r in plan.relations]
        return all(
            holds(verdict, {"relation": name, "thing": one, "other_thing": other})
            for name, one, other in asked
        )
    subject, places = planted_at(file)
    things = [thing.box for thing in verdict.things if thing.kind == subject]
    seen = [head.box for head in verdict.heads] if subject == "face" else things
    return places != [] and all(any(near(box, place) for box in seen) for place in places)


def near(box: sow.Box, place: sow.Box) -> bool:
    x, y = np.abs(np.subtract(box.centre, place.centre))
    return x < place.width / 3 and y < place.height / 3


def grown(folder: Path) -> list[Path]:
    """The pictures in a folder that were made there."""
    return [file for file in sorted(folder.rglob("*.png")) if has_recipe(file)]


def has_recipe(file: Path) -> bool:
    try:
        read_recipe(file)
    except PictureError:
        return False
    return True


def all_there(judge: Judge, folder: Path) -> None:
    """Each picture shows what was planted where it was planted, or it is said why not."""
    lacking = {file.name for file in grown(folder) if not is_there(judge, file)}
    assert lacking <= set(NOT_THERE), lacking


PAGES_WITH = {
    language: [page for page in PAGES if blocks(page, language)] for language in ("sh", "python")
}


@pytest.mark.parametrize(
    "page", [p for p in PAGES_WITH["sh"] if p != gallery.PAGE], ids=lambda page: page.name
)
def test_commands_run_as_they_are_written(page, folder, server, judge, monkeypatch):
    """In the order of the page, in a folder of their own; those of the gallery are below.

    What `sow bench` measures is not looked at here: its pictures have few steps.
    """
    for number, command in enumerate(commands(page)):
        if command not in NOT_RUN:
            with monkeypatch.context() as patch:
                if command.startswith("sow bench"):
                    draw_quickly(patch.setattr)
                ran = typed(command, server, seed=number)
            assert ran.code == 0, f"{command}\n{ran.err}"
            assert "Traceback" not in ran.err
    all_there(judge, folder)


def test_the_gallery_shows_what_its_commands_make(tmp_path, judge):
    """By the same plan, settings and seed, and all but the same pixels: other machines round
    otherwise."""
    for ran in gallery.made(tmp_path):
        assert ran.code == 0, f"{ran.command}\n{ran.err}"
    shown = sorted(gallery.FOLDER.glob("*.png"))
    assert [file.name for file in shown] == sorted(f.name for f in gallery.pictures(tmp_path))
    for file in shown:
        now, then = (read_recipe(where / file.name)[0] for where in (tmp_path, gallery.FOLDER))
        assert (now.plan, now.settings, now.seed) == (then.plan, then.settings, then.seed)
        away = np.abs(pixels(tmp_path / file.name) - pixels(file)).mean()
        assert away < 2, f"{file.name}: make gallery"
    plan = (tmp_path / "plan.json").read_text(encoding="utf-8")
    assert plan == (gallery.FOLDER / "plan.json").read_text(encoding="utf-8"), "make gallery"
    all_there(judge, gallery.FOLDER)


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"), float)


def test_a_picture_without_what_was_planted_is_noticed(tmp_path, judge):
    """The measure itself: what is planted is looked for where it is, and by what it is."""
    for name in ("likeness.png", "desert-car.png", "two.png"):
        shown = gallery.FOLDER / name
        recipe, condition = read_recipe(shown)
        assert is_there(judge, shown)
        covered = Image.open(shown).convert("RGB")
        covered.paste((150, 200, 240), (0, 0, covered.width * 3 // 4, covered.height))
        for number, wrong in enumerate((Image.new("RGB", covered.size, "gray"), covered)):
            file = tmp_path / f"{number}-{name}"
            save_png(wrong, file, recipe, condition)
            assert not is_there(judge, file), file.name


def test_the_gallery_is_small():
    assert sum(file.stat().st_size for file in gallery.FOLDER.iterdir()) < 1.5e6


@pytest.mark.parametrize("page", PAGES_WITH["python"], ids=lambda page: page.name)
def test_snippets_run_as_they_are_written(page, folder, judge, figures):
    """One after the other, as in one session; what they speak of before it is there."""
    cat = sow.load_image("cat.png")
    names = {
        "pipe": figures,
        "cat": cat,
        "cat_plan": sow.OfflinePlanner().plan(
            sow.PlanRequest(cat, "an old cat", figures.canvas, subject="cat")
        ),
        "requests": [sow.PlanRequest(cat, f"a cat {where}", subject="cat") for where in "ab"],
    }
    for code in blocks(page, "python"):
        if not any(part in code for part in SNIPPETS_NOT_RUN):
            run_snippet(code.replace('"sd2.1"', '"figures"').replace('"auto"', '"figures"'), names)
    all_there(judge, folder)


def run_snippet(code: str, names: dict[str, object]) -> None:
    """As at a prompt that awaits by itself."""
    compiled = compile(code, "a snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    left = eval(compiled, names)
    if inspect.iscoroutine(left):
        asyncio.run(left)


def test_whatever_is_not_run_is_in_the_documentation():
    """No exception outlives what it was for."""
    everything = {command for page in PAGES for command in commands(page)}
    assert set(NOT_RUN) <= everything
    snippets = "".join(code for page in PAGES for code in blocks(page, "python"))
    assert all(part in snippets for part in SNIPPETS_NOT_RUN)
    assert len(NOT_RUN) < len(everything) / 3
