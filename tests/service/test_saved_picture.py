"""A picture again from its recipe: with as many threads as it was made with, or a note."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import EXAMPLES

import sow
from sow.pictures.recipe import Recipe, read_recipe, save_png
from sow.service.service import Service

FACE = EXAMPLES / "drawn-beard.png"


@pytest.fixture
def made(tmp_path):
    """A picture made by one thread, while the process has two."""
    path, before = tmp_path / "a.png", torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sow.generate(FACE, "a person", model="figures", seed=1, device="cpu", planner="offline",
                     settings={"cycles": 1}).save(path)  # fmt: skip
        torch.set_num_threads(2)
        yield path
    finally:
        torch.set_num_threads(before)


def again(path):
    notes = []
    service, spec, seed = Service.of_recipe(
        path, device="cpu", report=lambda kind, line: notes.append(line)
    )
    return service, spec, seed, notes


def changed(path, **fields):
    """The same file with another recipe in it."""
    recipe, condition = read_recipe(path)
    data = {**json.loads(recipe.model_dump_json()), **fields}
    told = {name: value for name, value in data.items() if value is not None}
    with sow.load_image(path) as image:
        save_png(image, path, Recipe.model_validate_json(json.dumps(told)), condition, force=True)


def test_threads_are_taken_from_the_recipe_and_given_back(made, tmp_path, monkeypatch):
    service, spec, seed, notes = again(made)
    running, call = [], type(service.pipe).__call__

    def seen(self, *args, **options):
        running.append(torch.get_num_threads())
        return call(self, *args, **options)

    monkeypatch.setattr(type(service.pipe), "__call__", seen)
    next(iter(service.make(spec, [seed]))).save(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == made.read_bytes()
    assert (running, torch.get_num_threads()) == ([1], 2)
    assert notes == [f"{service.model.name} ({service.model.revision}) on cpu"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"threads": 60_000}, "made with 60000 threads, more than this machine has"),
        ({"threads": None, "version": 3}, "did not record the number of threads"),
    ],
)
def test_where_the_threads_cannot_be_the_same_a_note_says_so(made, fields, says):
    changed(made, **fields)
    _, spec, _, notes = again(made)
    assert spec.threads == 0
    assert [line for line in notes if says in line and "expect small changes" in line]
