"""The house: every import leads down, from the fronts to the pure functions; no circles."""

from __future__ import annotations

import ast
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sow.benchmarks.figures.judge.judge import WEIGHTS
from sow.benchmarks.figures.studies.evaluate import HELD_OUT
from sow.benchmarks.tv2i.celeba.dataset import LIST, PROMPTS
from sow.models import BUNDLED

ROOT = Path(__file__).parents[1]
HOMES = {name: ROOT / name for name in ("planners", "prompts", "cli", "benchmarks")}
# From the ground up: a room may know those above it in this list, which lie below it in the house.
FLOORS = (
    ("errors",),
    ("utils",),
    ("storage",),
    ("plan",),
    ("prompts",),
    ("settings",),
    ("pictures",),
    ("backbones",),
    ("diffusion",),
    ("attention",),
    ("checkpoints",),
    ("pipeline",),
    ("models",),
    ("planners",),
    ("planners.offline",),
    ("planners.graph",),
    ("planners.mllm",),
    ("planners.mllm.vendors",),
    ("service",),
    ("batch.manifest",),
    ("batch.gallery",),
    ("batch.ledger",),
    ("batch.remote",),
    ("batch.runners",),
    ("batch.export",),
    ("batch",),
    ("studio",),
    ("benchmarks",),
    ("benchmarks.world",),
    ("benchmarks.batch",),
    ("benchmarks.figures",),
    ("benchmarks.figures.world",),
    ("benchmarks.figures.training",),
    ("benchmarks.world.training",),
    ("benchmarks.figures.judge",),
    ("benchmarks.world.judge",),
    ("benchmarks.speed",),
    ("benchmarks.tv2i",),
    ("benchmarks.tv2i.celeba",),
    ("benchmarks.tv2i.metrics",),
    ("benchmarks.tv2i.methods",),
    ("benchmarks.tv2i.report",),
    ("benchmarks.tv2i.preference",),
    ("benchmarks.tv2i.running",),
    ("benchmarks.tuning",),
    ("benchmarks.figures.studies",),
    ("cli",),
    ("__main__",),
)
# Old import paths that the README of earlier versions gave; they only pass on.
DOORS = {"benchmarks.same_pictures"}
DEVELOPMENT = {"benchmarks.world", "benchmarks.world.training", "benchmarks.world.judge"}
"""Rooms that nothing of `sow` imports, which need the extra `dev`: it draws with Skia."""
EXTRAS = {"studio": {"gradio", "starlette"}}
"""Rooms that are imported only if their extra is installed, and what it brings."""


def modules() -> dict[str, Path]:
    """All modules by name, without the leading `sow.`, but for the front door itself."""
    found = {}
    for home, folder in {"": ROOT / "sow", **HOMES}.items():
        for file in folder.rglob("*.py"):
            parts = [*([home] if home else []), *file.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = file
    found.pop("")
    return found


MODULES = modules()


def imports(name: str) -> set[str]:
    """The modules of this project that one imports, at its top or inside a function."""
    known = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        wanted: list[str] = []
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            wanted = [f"{node.module}.{alias.name}" for alias in node.names]
        for path in wanted:
            parts = path.split(".")[1:] if path.startswith("sow.") else []
            while parts and ".".join(parts) not in MODULES:
                parts.pop()
            if parts:
                known.add(".".join(parts))
    return known - {name}


def room(name: str) -> str:
    """The folder that a module is in, or a file on its own in `sow/`."""
    parts = name.split(".")
    own_folder = MODULES[name].name == "__init__.py"
    return name if len(parts) == 1 or own_folder else ".".join(parts[:-1])


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle in a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_knows_itself_by_a_detour():
    # A package's __init__ only passes on what is in it, so it is left out of its own circle.
    graph = {
        name: {other for other in imports(name) if not name.startswith(f"{other}.")}
        for name in MODULES
    }
    assert circle(graph) == []


def test_no_room_knows_a_room_above_it():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(name) for name in MODULES} <= set(floor)
    up = [
        f"{name} -> {other}"
        for name in MODULES
        if name not in DOORS
        for other in imports(name)
        if room(other) != room(name) and floor[room(other)] >= floor[room(name)]
    ]
    assert up == []


def test_nothing_imports_a_room_for_development():
    for name in MODULES:
        known = {room(other) for other in imports(name)}
        assert room(name) in DEVELOPMENT or not known & DEVELOPMENT, name


@pytest.mark.parametrize("half", ["planners", "prompts"])
def test_planners_and_the_engine_do_not_know_each_other(half):
    engine = {"backbones", "diffusion", "attention", "pipeline", "models"}
    for name in MODULES:
        parts = name.split(".")
        known = {other.split(".")[0] for other in imports(name)}
        if parts[0] == half:
            assert not known & engine, name
        if parts[0] in engine:
            assert half not in known, name


def test_what_is_imported_at_the_top_is_installed_with_sow():
    """Extras are imported where they are wanted: a plain installation has none of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    homes = packages_distributions()
    for name, file in MODULES.items():
        if room(name) in DEVELOPMENT:
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            wanted = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                wanted = [node.module]
            packages = {module.split(".")[0] for module in wanted}
            for package in packages - {"sow"} - EXTRAS.get(room(name), set()):
                if package not in sys.stdlib_module_names:
                    assert declared & {canonicalize_name(one) for one in homes[package]}, name


def test_every_import_is_found_by_its_path_alone():
    """Editors and type checkers find `from sow.planners …` where it says: no import hook knows
    more than the folders do."""
    for name in HOMES:
        assert (ROOT / "sow" / name).resolve() == ROOT / name
    for name, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            wanted = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted = [node.module]
            for path in wanted:
                assert path.split(".")[0] not in HOMES, f"{name}: import sow.{path}"
                if path == "sow" or path.startswith("sow."):
                    place = ROOT / path.replace(".", "/")
                    assert place.with_suffix(".py").is_file() or place.is_dir(), f"{name}: {path}"


def test_every_folder_with_code_is_a_package():
    """Else it is not in the wheel."""
    folders = {file.parent for file in MODULES.values()} | {ROOT / "sow"}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_data_that_is_read_is_in_the_wheel():
    """Files beside the code are found where it is installed, not only in a checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = {
        file.resolve()
        for package, patterns in project["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    for needed in (
        HELD_OUT, WEIGHTS, BUNDLED["figures"] / "unet" / "config.json",
        ROOT / "prompts" / "everything.md", ROOT / "prompts" / "offline.toml",
        ROOT / "sow" / "batch" / "gallery" / "gallery.html", LIST, PROMPTS,
        ROOT / "benchmarks" / "tv2i" / "report" / "page.html",
        ROOT / "benchmarks" / "tv2i" / "report" / "paper.json",
        ROOT / "benchmarks" / "tv2i" / "preference" / "page.html",
        ROOT / "benchmarks" / "tuning" / "sentences.toml",
    ):  # fmt: skip
        assert needed.resolve() in installed, needed
