"""Documentation that cannot drift."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sow
from sow import errors
from sow.models.memory import UNET_MAPS
from sow.plan.plan import Matte, Placement, Plan, Region, Relation, SceneObject
from sow.settings.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_and_exit_code_is_documented():
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"| `{name}` |" in settings, name
    commands = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    codes = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.SowError)
    }
    for code in codes | {0, 130}:
        assert re.search(rf"^\| {code} \|", commands, re.MULTILINE), code


def test_every_field_of_a_plan_is_documented():
    text = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    for part in (Plan, Region, Matte, SceneObject, Relation, Placement):
        for name, field in part.model_fields.items():
            assert field.description, (part, name)
            assert re.search(
                rf"^\| `{name}` \|.*{re.escape(field.description)}", text, re.MULTILINE
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r'<img src="([^"]+)"', text)
    for target in [*shown, *re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)]:
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short_and_its_names_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in set(re.findall(r"\bsow\.([A-Za-z_]+)\b(?!\.)", everything)):
        if name not in ("cli", "planners", "benchmarks", "plan", "recipe"):
            assert hasattr(sow, name), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_measure_is_explained_before_it_is_used(page):
    text = page.read_text(encoding="utf-8").replace("*", "")
    first = re.search("ID-Distance.{12}", text, re.DOTALL)
    assert first is None or first[0] == "ID-Distance is how far "


def test_memory_is_said_as_the_program_counts_it():
    costs = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    for width, height in ((512, 512), (768, 512)):
        latents, channels, branches, size = width * height / 64, 320, 4, 4
        takes = UNET_MAPS * latents * channels * branches * size / 1e9
        assert re.search(rf"{width} x {height} some\s{takes:.1f} GB", costs)


def test_public_names_are_documented():
    for name in sow.__all__:
        if name != "__version__":
            assert (getattr(sow, name).__doc__ or "").strip(), name


def test_contributing_names_files_that_exist():
    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:sow|cli|planners|prompts|benchmarks|tests|docs)/[^`\s]*)`", text)
    named += re.findall(r"^((?:sow|cli|planners|prompts|benchmarks)/\S*)", text, re.MULTILINE)
    assert len(named) > 40
    for path in named:
        assert (ROOT / path).exists(), path
