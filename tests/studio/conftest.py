"""A page that is served for the tests of a file."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from commands import load_once
from helpers import draw_quickly

import sow
from sow.models import load


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page on a free port: `url`, `studio`, `folder`. Its pictures are made in four steps."""
    pytest.importorskip("gradio", reason="the extra studio is not installed")
    from sow.studio.launch import serve

    out = tmp_path_factory.mktemp("studio") / "results"
    with pytest.MonkeyPatch.context() as changes, patch.object(load, "load_pipeline", load_once):
        draw_quickly(changes.setattr)
        service = sow.Service("figures", device="cpu", dtype="float32")
        with serve(service, out, port=0) as page:
            yield page
