"""Masks: pieces, and what is near, as by hand and as SciPy counts them."""

from __future__ import annotations

import numpy as np
import pytest

from sow.benchmarks.figures.judge.anatomy import grown, labelled, shrunk


def test_by_hand():
    mask = np.zeros((5, 6), bool)
    mask[0, 0] = mask[1, 1] = True  # touching by a corner: two pieces
    mask[3:, 2:5] = True
    assert labelled(mask).max() == 3
    assert labelled(mask)[3, 2] == labelled(mask)[4, 4] == 3
    dot = np.zeros((5, 5), bool)
    dot[2, 2] = True
    assert grown(dot, 2).sum() == 13
    assert (shrunk(grown(dot, 2), 2) == dot).all()
    assert not shrunk(np.ones((4, 4), bool), 2).any()  # outside there is nothing


@pytest.mark.parametrize("seed", range(30))
def test_as_scipy_counts_them(seed):
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    dice = np.random.default_rng(seed)
    mask = grown(dice.random((dice.integers(3, 90), dice.integers(3, 90))) < 0.05, seed % 4)
    assert (labelled(mask) == ndimage.label(mask)[0]).all()
    for pixels in (1, 2, 5):
        assert (grown(mask, pixels) == ndimage.binary_dilation(mask, iterations=pixels)).all()
        assert (shrunk(mask, pixels) == ndimage.binary_erosion(mask, iterations=pixels)).all()
