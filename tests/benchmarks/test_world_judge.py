"""The judge of the drawn world: its lessons, its networks, and what it makes of their answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sow.benchmarks.figures.training.loop import TrainingConfig
from sow.benchmarks.world.judge import train
from sow.benchmarks.world.judge.classes import FACE, HAT, HEAD, KINDS, PARTS, SHADES, UNKNOWN
from sow.benchmarks.world.judge.data import draw_lessons, lesson, lesson_scene, load_lessons
from sow.benchmarks.world.judge.following import WORDS, followed
from sow.benchmarks.world.judge.judge import Judge, Verdict, find_heads, find_things
from sow.benchmarks.world.judge.networks import PictureNet, body_net, head_net
from sow.benchmarks.world.scenes import SHAPES

QUICK = TrainingConfig(steps=2, learning_rate=1e-3, warmup=1, log_every=1, save_every=10)


@pytest.fixture(scope="module")
def lessons():
    return [lesson(number) for number in range(24)]


def test_lessons_know_what_is_where(lessons):
    """Faces, hats and things are where the renderer drew them."""
    for number, one in enumerate(lessons):
        scene, _ = lesson_scene(number)
        assert one.parts.shape == one.pixels.shape[:2]
        assert one.parts.max() < len(PARTS)
        assert ((one.colours == UNKNOWN) | (one.kinds > 0)).all()
        seen = {KINDS[kind] for kind in np.unique(one.kinds)}
        worn = {subject.person.hat for subject in scene.people if subject.person.hat}
        if (one.parts == HAT).sum() > 2000:
            assert worn & seen, number
        for person in one.people:
            left, top, right, bottom = person.head
            inside = one.parts[top:bottom, left:right] == FACE
            assert inside.any()


def test_twins_have_one_identity_and_differ_in_what_changes(lessons):
    for first in range(0, 24, 3):
        scenes = [lesson_scene(number)[0] for number in range(first, first + 3)]
        people = [scene.people[0].person for scene in scenes if scene.people]
        assert len({person.identity for person in people}) <= 1
        assert len({scene.where for scene in scenes}) > 1


def test_heads_are_found_in_the_truth(lessons):
    """In the renderer's own maps, everybody whose face is seen has one head."""
    right = 0
    for one in lessons:
        heads = find_heads(one.parts)
        right += len(heads) == len(one.people)
        for person, head in zip(one.people[:1], heads[:1], strict=False):
            if len(one.people) == 1:
                left, top, width = person.head[0], person.head[1], person.head[2] - person.head[0]
                assert abs(head.box.x - left) <= 0.35 * width
                assert abs(head.box.y - top) <= 0.6 * width
    assert right >= 22


def test_things_are_found_in_the_truth(lessons):
    for number, one in enumerate(lessons):
        scene, _ = lesson_scene(number)
        colours = np.where(one.colours == UNKNOWN, 0, one.colours)
        for found in find_things(one.kinds, colours):
            assert found.kind in KINDS[1:]
            assert found.cells.sum() >= 2
        for beast in scene.animals:
            share = (one.kinds == KINDS.index(beast.species)).mean()
            assert share > 0.005, (number, beast.species)


def test_a_perfect_verdict_follows_its_scene_and_another_scene_does_not(lessons):
    def verdict_of(number: int) -> Verdict:
        scene, one = lesson_scene(number)[0], lessons[number]
        colours = np.where(one.colours == UNKNOWN, 0, one.colours)
        looks, wears = {}, {}
        if scene.people:
            person = scene.people[0].person
            looks = {"expression": person.expression, "age": person.identity.age}
            looks["hat"] = person.hat or "none"
            garment = person.garment
            wears = {
                "garment": garment.type, "colour": garment.colour, "pattern": garment.pattern,
            }  # fmt: skip
        answers = {
            "place": scene.where.place, "time": scene.where.time, "season": scene.where.season,
            "weather": scene.where.weather, "style": scene.style or "none", "flaw": "none",
        }  # fmt: skip
        things = find_things(one.kinds, colours)
        return Verdict(one.parts, find_heads(one.parts), things, answers, looks, wears, None)

    own, other = [], []
    for number in range(24):
        scene, _ = lesson_scene(number)
        results = followed(verdict_of(number), scene)
        assert set(results) <= set(WORDS)
        own += results.values()
        other += followed(verdict_of((number + 5) % 24), scene).values()
    assert np.mean(own) > 0.95
    assert np.mean(other) < 0.5


def test_what_is_trained_can_be_loaded_and_answers(tmp_path, monkeypatch):
    draw_lessons(30, tmp_path)
    loaded = list(load_lessons(tmp_path))
    assert sum(len(one.pixels) for one in loaded) == 30
    picture = train.train_picture_net(loaded, tmp_path, QUICK)
    head = train.train_head_net(loaded, tmp_path, QUICK)
    body = train.train_body_net(loaded, tmp_path, replace(QUICK, seed=1))
    judge = Judge(picture, head, body)
    pixels = loaded[0].pixels[0]
    (verdict,) = judge.look([Image.fromarray(pixels)])
    assert verdict.parts.shape == pixels.shape[:2]
    assert set(verdict.answers) == {"place", "time", "season", "weather", "style", "flaw"}
    assert set(verdict.looks) in (set(), set(HEAD))
    with pytest.raises(ValueError, match="multiples of 16"):
        judge.look([Image.new("RGB", (100, 256))])


def test_networks_take_all_shapes():
    net = PictureNet()
    for width, height in sorted(set(SHAPES)):
        with torch.no_grad():
            logits = net(torch.zeros(1, 3, height, width))
        assert logits.parts.shape == (1, len(PARTS), height, width)
        assert logits.kinds.shape == (1, len(KINDS), height // 8, width // 8)
        assert logits.colours.shape[1] == len(SHADES)
    for crop_net in (head_net(), body_net()):
        embedding, _ = crop_net(torch.zeros(2, 3, 96, 96))
        assert torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-5)
