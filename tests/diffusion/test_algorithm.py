"""The algorithm as it stands: the moves of the paper, in their order."""

from __future__ import annotations

import pytest

from sow.diffusion.algorithm import (
    CANVAS,
    Denoise,
    Disturb,
    Draw,
    Encode,
    Inject,
    Invert,
    Move,
    Plant,
    Preserve,
    Replant,
    Show,
    algorithm,
    asks_unet,
    noise_scale,
)
from sow.settings import PRESETS, Settings

SMALL = Settings(steps=5, t1=2, t2=4, cycles=2, preserve=(1,), replant=0, inversion_stride=1)
INVERTED = [
    Encode(CANVAS), Invert(CANVAS, 0), Invert(CANVAS, 1), Invert(CANVAS, 2), Invert(CANVAS, 3),
]  # fmt: skip


def cycle(number: int) -> list[Move]:
    return [
        Disturb(number), Inject(4), Denoise(4, number), Inject(3), Denoise(3, number), Inject(2),
        Show(number),
    ]  # fmt: skip


def test_two_cycles_move_by_move():
    assert list(algorithm(SMALL)) == [
        *INVERTED, Plant(), *cycle(0), *cycle(1),
        Preserve(2), Denoise(2), Preserve(1), Denoise(1),
    ]  # fmt: skip


def test_planted_again_the_picture_becomes_the_canvas_and_its_cycles_go_on_counting():
    """A canvas that has no cycles is not inverted further than its finish begins."""

    def finish(left: int) -> list[Move]:
        return [Preserve(2), Denoise(2, left=left), Preserve(1), Denoise(1, left=left)]

    twice = SMALL.changed(replant=2, first_cycles=1, cycles=1)
    assert list(algorithm(twice)) == [
        *INVERTED, Plant(), *cycle(0), *finish(2), Replant(1),
        *INVERTED, Plant(), *cycle(1), *finish(1), Replant(0),
        *INVERTED, Plant(), *cycle(2), *finish(0),
    ]  # fmt: skip
    bare = list(algorithm(SMALL.changed(replant=1, first_cycles=0, cycles=1)))
    assert bare[: bare.index(Replant(0))] == [*INVERTED[:3], Plant(), *finish(1)]


def test_from_noise_the_trajectory_starts_at_its_end():
    moves = list(algorithm(SMALL.changed(seed_canvas="none", cycles=0)))
    assert Plant() not in moves
    start = moves.index(Draw())
    assert moves[start + 1 : start + 7] == [
        Denoise(5, from_noise=True), Inject(4), Denoise(4, from_noise=True), Inject(3),
        Denoise(3, from_noise=True), Inject(2),
    ]  # fmt: skip


def test_inverted_alone_the_canvas_only_goes_as_far_as_it_is_needed():
    moves = list(algorithm(SMALL.changed(inversion="alone"), frames=2))
    assert [m.state for m in moves if isinstance(m, Invert) and m.frame == CANVAS] == [0, 1]
    for frame in (1, 2):
        assert [m.state for m in moves if isinstance(m, Invert) and m.frame == frame] == [
            0,
            1,
            2,
            3,
        ]


@pytest.mark.parametrize(
    ("preset", "calls"), [("normal", 32), ("attribute", 32), ("swift-normal", 19), ("cow", 32)]
)
def test_calls_per_preset(preset, calls):
    assert sum(map(asks_unet, algorithm(PRESETS[preset]))) == calls


def test_noise_is_needed_where_the_settings_say_so():
    settings = SMALL.changed(eta=0.1, cycle_eta=0.5, noise_level=2)
    assert noise_scale(Denoise(2), settings) == 0.1
    assert noise_scale(Denoise(3, 0), settings) == 0.5
    assert noise_scale(Denoise(5, from_noise=True), settings) == 0
    assert noise_scale(Disturb(0), settings) == 2
    assert noise_scale(Draw(), settings) == 1
    assert noise_scale(Inject(2), settings) == 0
