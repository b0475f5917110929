"""The lowest versions that pyproject.toml allows, as pip's constraints, for `make test-floors`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def floors() -> list[str]:
    """Every dependency and extra as `name==floor`, each once; but for `rembg`, whose network
    would have to be downloaded, so that nothing runs it.

    Raises:
        ValueError: one of them has no floor.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [of for name, of in project["optional-dependencies"].items() if name != "rembg"]
    pins = set()
    for wanted in [*project["dependencies"], *(one for extra in extras for one in extra)]:
        found = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\w.]+)", wanted)
        if found is None:
            raise ValueError(f"{wanted!r} has no floor")
        pins.add(f"{found[1]}=={found[2]}")
    return sorted(pins)


if __name__ == "__main__":
    print(*floors(), sep="\n")
