"""Pairs of the benchmarks: the committed list, the prompts, the drawn people, limits."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sow
from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.figures.world.drawing import TUNING, UNSEEN
from sow.benchmarks.tv2i import figures
from sow.benchmarks.tv2i.celeba import choosing, dataset
from sow.benchmarks.tv2i.pairs import SETTINGS, Pair, limited
from sow.errors import UsageError

OTHER_WORDS = {"man", "woman", "boy", "girl", "he", "she", "his", "her", "king", "queen"}


def pair(name: str, setting: str = "normal", **more: object) -> Pair:
    given = {"person": 1, "seed": 3, "mask": None, "image": Path("a.png"), **more}
    return Pair(id=name, setting=setting, prompt="a person", **given)


def test_the_script_makes_the_committed_list_again():
    made = io.StringIO()
    choosing.write(made)
    assert made.getvalue() == dataset.LIST.read_text(encoding="utf-8")


def test_the_list_is_the_papers_in_its_numbers():
    """Three settings, 100 prompts, two pictures, a tenth for validation (Sec. V-A)."""
    some = dataset.chosen()
    assert len(some) == len({one.id for one in some}) == len({one.picture for one in some}) == 600
    assert {one.picture for one in some} <= set(range(30_000)) - choosing.REPORTED
    assert len({one.seed for one in some}) == 600
    kinds = Counter((one.id.split("-")[0], one.split) for one in some)
    assert kinds == {(s, k): n for s in SETTINGS for k, n in (("val", 20), ("test", 180))}
    both = {one.id[:-2]: {o.split for o in some if o.id[:-2] == one.id[:-2]} for one in some[:300]}
    assert all(len(splits) == 1 for splits in both.values()), "a prompt is in both splits"


def test_numbers_do_not_depend_on_the_version_of_python():
    """By hand: SHA-256 of the text `CelebA-TV2I 10563` begins lowest of all but the reported."""
    assert min(set(range(30_000)) - choosing.REPORTED, key=choosing._place) == 10_563
    assert dataset.chosen()[0].picture == 10_563


def test_prompts_are_300_and_name_nobodys_sex():
    prompts = dataset.prompts()
    assert {setting: len(some) for setting, some in prompts.items()} == dict.fromkeys(SETTINGS, 100)
    every = [text for some in prompts.values() for text in some]
    assert len(set(every)) == 300
    for text in every:
        assert not OTHER_WORDS & set(text.lower().replace("-", " ").split()), text
        assert "person" in text or "teenager" in text, text


def test_drawn_pairs_have_the_same_shape_and_nobody_knows_their_people():
    test, val = figures.drawn("test"), figures.drawn("val")
    assert (len(test), len(val)) == (540, 60)
    people = {one.identity_seed for one in (*test, *val)}
    assert len(people) == len(figures.known()) == 600
    used = {p.identity_seed for p in world.pairs()}
    for setting in SETTINGS:
        used |= {p.identity_seed for p in world.fresh(world.REPORTED_ON, setting)}
        used |= {p.identity_seed for p in world.more_tuning(world.TUNED_ON, setting)}
    used |= set(world.unseen())
    assert not people & used
    assert all(UNSEEN + 40_000 <= one.identity_seed < UNSEEN + 43_000 for one in test)
    assert all(TUNING + 40_000 <= one.identity_seed < TUNING + 43_000 for one in val)
    known = {p.prompt for p in world.pairs()}
    for setting in SETTINGS:
        known |= {p.prompt for p in world.fresh(world.REPORTED_ON, setting)}
    assert not known & {one.prompt for one in (*test, *val)}
    assert not {one.prompt for one in test} & {one.prompt for one in val}


def test_the_worlds_own_command_writes_the_pairs_of_the_bench(tmp_path, monkeypatch):
    """There is one Figures-TV2I; three faces stand for the 400 that no pair has."""
    monkeypatch.setattr(sys, "argv", ["tv2i", "--out", str(tmp_path)])
    monkeypatch.setattr(world, "unseen", lambda: [UNSEEN + 10_000 + n for n in range(3)])
    world.main()
    lines = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    written = {one["id"]: (one["prompt"], one["identity_seed"], one["tuning"]) for one in lines}
    assert len(written) == len(lines) == 600
    assert written == {
        name: (one.prompt, one.identity_seed, one.tuning) for name, one in figures.known().items()
    }
    shown = figures.figures_pairs(tmp_path / "bench", "test", 1).pairs[0]
    assert (tmp_path / "faces" / f"{shown.id}.png").read_bytes() == shown.image.read_bytes()
    assert len(list((tmp_path / "faces").glob("unseen-*.png"))) == 3


def test_drawn_pairs_are_written_as_users_have_them(tmp_path):
    listed = figures.figures_pairs(tmp_path, "test", 6)
    assert [one.setting for one in listed.pairs] == [s for s in SETTINGS for _ in range(2)]
    assert len({one.prompt for one in listed.pairs}) == 6
    for one in listed.pairs:
        job = one.job()
        assert (job.id, job.prompt, job.seed, job.mask) == (one.id, one.prompt, one.seed, None)
        assert Image.open(one.image).size == (256, 256)
    again = figures.figures_pairs(tmp_path, "test", 6)
    assert again == listed


def test_true_masks_lie_on_the_heads(tmp_path):
    listed = figures.figures_pairs(tmp_path, "val", 3)
    for one in figures.with_masks(listed.pairs, tmp_path):
        mask = np.asarray(Image.open(one.mask)) > 127
        wall = np.asarray(Image.open(one.image).convert("RGB"), float)[0, 0]
        away = np.abs(np.asarray(Image.open(one.image).convert("RGB"), float) - wall).max(-1)
        assert 0.2 < mask.mean() < 0.9
        assert away[mask].mean() > 3 * away[:20, :20].mean()
        assert one.job().request().subject == "face"


def test_a_limit_takes_every_setting_and_larger_ones_hold_smaller():
    some = [pair(f"{setting}-{n}", setting) for setting in SETTINGS for n in range(4)]
    assert Counter(one.setting for one in limited(some, 6)) == dict.fromkeys(SETTINGS, 2)
    names = [{one.id for one in limited(some, count)} for count in range(1, 13)]
    assert all(less < more for less, more in pairwise(names))
    assert limited(some, None) == limited(some, 99) == some
    with pytest.raises(UsageError, match="not 0"):
        limited(some, 0)


def test_a_pair_is_a_job_with_what_is_given_besides():
    job = pair("one", mask=Path("m.png"), given={"subject": "face", "likeness": 0.5}).job()
    assert isinstance(job, sow.TV2IJob)
    assert (job.id, job.image, job.mask, job.setting) == ("one", "a.png", "m.png", "normal")
    assert (job.subject, job.likeness, job.seed, job.files) == ("face", 0.5, 3, ["one.png"])
    with pytest.raises(sow.SowError, match="nonsense"):
        pair("one", given={"nonsense": 1}).job()


def test_an_unknown_split_is_one_line(tmp_path):
    for listing in (lambda: figures.figures_pairs(tmp_path, "train"),
                    lambda: dataset.celeba_pairs(tmp_path, tmp_path, "train")):  # fmt: skip
        with pytest.raises(UsageError, match="unknown split 'train'"):
            listing()
