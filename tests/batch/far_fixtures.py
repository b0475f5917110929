"""A face, a machine that works and a storage in memory; tests import what they ask for by name."""

from __future__ import annotations

import pytest
from conftest import EXAMPLES
from far import Place, forget_connections
from PIL import Image

from sow.batch.remote import lease


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "face.png"
    Image.open(EXAMPLES / "drawn-beard.png").convert("RGB").resize((64, 64)).save(path)
    return path


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Work goes on on a machine of this name, which has what it had before."""
    monkeypatch.setattr(lease, "SETTLE", 0.0)

    def on(name):
        monkeypatch.setenv("SOW_CACHE", str(tmp_path / name))

    on("first")
    return on


@pytest.fixture
def far(machine, face):
    """A folder in memory, with the picture in it."""
    import fsspec

    forget_connections()
    fsspec.filesystem("memory").store.clear()
    place = Place("memory://bucket/work")
    place.put("faces/face.png", face.read_bytes())
    return place
