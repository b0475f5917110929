"""Hostile checkpoints: each is taken and runs, or is refused in one line; none runs code."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
import torch
from fuzzing import COUNT, Case, check, randomness
from helpers import job
from hostile_models import FILES, MARK, SAID, WEIGHTS, Spoil, Spoilt, no_numbers

from sow.checkpoints.weights import check_weights
from sow.models import find_model, load_pipeline
from sow.models.find import Model
from sow.planners.mllm.fusion import token_counter
from sow.settings.settings import Settings
from sow.utils.libraries import quiet_libraries

QUICK = Settings.preset("paper-normal").changed(cycles=1, steps=2, t1=1, t2=2, preserve=())


@pytest.fixture
def corpus(tiny_folder, tmp_path, monkeypatch):
    """Makes cases: a fresh copy, spoilt by the dice, and what a user does with it."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(MARK, str(tmp_path / "code-ran"))

    def cases(
        kind: str, count: int, ways: Sequence[Spoil], use: Callable[[Path], object]
    ) -> Iterator[Case]:
        dice = randomness(f"models {kind}")
        for number in range(count):
            folder = tmp_path / f"{kind}-{number}"
            shutil.copytree(tiny_folder, folder, copy_function=os.link)
            spoilt = dice.choice(ways)(dice, folder)
            name = f"{number} {spoilt.how}"
            yield Case(name, lambda f=folder, r=spoilt.refused: taken(use, f, r))
            assert not (tmp_path / "code-ran").exists(), f"{name}: code ran"
            shutil.rmtree(folder)

    return cases


@pytest.fixture
def one_thread():
    """So small a model is faster with one, above all where others are at work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def taken(use: Callable[[Path], object], folder: Path, refused: bool) -> None:
    use(folder)
    assert not refused, "it was taken"


def find(folder: Path) -> Model:
    """What is asked of a model before anything is loaded."""
    found = find_model(str(folder))
    width, height = found.checkpoint_spec.canvas
    assert 0 < width <= 2**17
    assert 0 < height <= 2**17
    assert found.checkpoint_spec.token_limit > 2
    assert len(found.revision) == 16
    found.checkpoint_spec.preset("normal")
    found.checkpoint_spec.unknown_words("a person in a forest")
    assert token_counter(folder)("a person") > 1
    return found


def look_through(folder: Path) -> None:
    find(folder)
    with quiet_libraries():
        check_weights(folder, None)


def draw(folder: Path) -> None:
    pipe = load_pipeline(find(folder), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    pipe(**job(QUICK))


def refusals(ends: Counter[str]) -> float:
    assert set(ends) <= {"worked", "ModelError"}
    return ends["ModelError"] / sum(ends.values())


def test_what_a_checkpoint_says_of_itself(corpus):
    ends = check(corpus("said", COUNT, SAID, find))
    assert 0.2 < refusals(ends) < 0.95  # neither everything nor nothing is refused


def test_the_files_of_a_checkpoint(corpus):
    ends = check(corpus("files", COUNT, FILES, look_through))
    assert refusals(ends) > 0.8


def test_the_tensors_of_a_checkpoint(corpus):
    ends = check(corpus("tensors", COUNT // 5, WEIGHTS, look_through))
    assert refusals(ends) == 1


def test_what_is_loaded_runs(corpus, one_thread):
    """What looks well before it is loaded is loaded, and draws."""
    check(corpus("loaded", COUNT // 25, (*SAID, *FILES, no_numbers), draw))


def test_an_unspoilt_checkpoint_is_taken(corpus, one_thread):
    def untouched(dice: Random, folder: Path) -> Spoilt:
        return Spoilt("nothing")

    assert check(corpus("whole", 1, [untouched], draw)) == Counter(worked=1)
