"""Declared minimum versions are those that were run, and what is bundled is really read."""

from __future__ import annotations

import pytest
import torch
from floors import ROOT, floors
from safetensors.torch import load_file

from sow.models import BUNDLED


def test_the_declared_floors_are_those_that_were_run():
    ran = (ROOT / "floors.txt").read_text(encoding="utf-8").split()
    assert ran == floors(), "pyproject.toml's floors were not run yet: make test-floors"
    names = [pin.partition("==")[0] for pin in ran]
    assert len(set(names)) == len(names), "two floors for one package"


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_every_bundled_weight_is_loaded(figures, part):
    """Versions that know a tensor by another name leave it random, and say nothing."""
    (file,) = (BUNDLED["figures"] / part).glob("*.safetensors")
    loaded = list(getattr(figures, part).state_dict().values())
    for name, stored in load_file(file).items():
        assert any(
            stored.shape == here.shape and torch.equal(stored.float(), here) for here in loaded
        ), name
