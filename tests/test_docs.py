"""Documentation that cannot drift."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sow
from sow import errors
from sow.settings import Settings

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short_and_its_names_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in set(re.findall(r"\bsow\.([A-Za-z_]+)\b(?!\.)", everything)):
        if name not in ("cli", "planners", "benchmarks", "plan", "recipe"):
            assert hasattr(sow, name), name


def test_public_names_are_documented():
    for name in sow.__all__:
        if name != "__version__":
            assert (getattr(sow, name).__doc__ or "").strip(), name
