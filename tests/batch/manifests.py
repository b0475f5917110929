"""Write, read and refuse manifests in tests."""

from __future__ import annotations

import json

import pytest

from sow.batch.manifest.manifest import read_manifest
from sow.errors import UsageError

GOOD = {"image": "a.png", "prompt": "a man"}
LINE = json.dumps(GOOD)


def written(tmp_path, content, name="jobs.jsonl"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(tmp_path, content, name="jobs.jsonl"):
    return list(read_manifest(written(tmp_path, content, name)).rows())


def refused(why, *given):
    """Check that a manifest is refused with a message of one line; return the error."""
    with pytest.raises(UsageError, match=why) as caught:
        read_manifest(*given)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value
