"""The studies: all of them are behind one door, and each runs, at its smallest size."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest
from conftest import EXAMPLES
from PIL import Image

from sow.benchmarks.figures.studies.picture_cache import PictureSpec, generate
from sow.benchmarks.figures.studies.relation_cases import PEOPLE, case_of
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.studies import STUDIES, choose
from sow.errors import OutputError, UsageError

ROOT = Path(__file__).parents[2]
BY_NAME = {study.name: study for study in STUDIES}
SMALLEST = {
    "recognisable fresh": {"setting": "normal", "count": 1},
    "recognisable limit": {"setting": "normal", "count": 1},
    "modulation sheet": {"count": 1},
    "planning": {"count": 1},
    "model": {"count": 1, "captions": 2, "drawings": 1},
    "contact-sheet": {"examples": EXAMPLES},
    "things-sheet": {"count": 1},
    "mattes": {"count": 2},
    "finding": {"count": 2},
    "proxies": {"count": 3},
    "judge": {"count": 24},
    "judge-keeping": {"count": 12},
    "judge-colour": {"count": 12, "pairs": 3},
    "eye-sheet": {"count": 5},
    "keeping-sheet": {"count": 2},
    "seeing": {"count": 1},
    "absent": {"count": 1, "workers": 1},
    "refining": {"count": 1},
    "relations": {"count": 1, "workers": 1},
    "relations-planted": {"count": 1, "workers": 1},
    "fewer fresh": {"kind": "figures"},
    "presets fresh": {"setting": "attribute", "count": 1},
    "idle": {"jobs": 2, "delay": 0.1},
    "throughput": {"jobs": 1, "rounds": 1},
}
"""What is asked of each here, by its name and its table."""
FEWER = {
    "contact-sheet": {"FACES": ("drawn-curls",), "PROMPTS": ("a person in a red coat",)},
    "refining": {"ARMS": {"follow": (True, False)}, "ALONE": [("left of", PEOPLE)],
                 "PLANTED": ("left of",)},
    "relations": {"CLASSES": (("left of", PEOPLE),)},
    "relations-planted": {"CLASSES": ("left of",),
                          "by_processes": lambda work, given, workers: map(work, given)},
    "seeing": {"CLASSES": (("left of", PEOPLE),)},
    "absent": {"SOURCES": ("drawing",),
               "by_processes": lambda work, given, workers: map(work, given)},
    "finding": {"photographs": lambda: []},
    "judge": {"read_truncation": lambda *_: [], "read_identity": lambda *_: []},
    "judge-colour": {"SEEDS": 2},
    "throughput": {"SIZES": (1, 2), "SAMPLES": 2},
    "model": {"CYCLES": (0, 10)},
    "fewer": {"FRESH": 1},
}  # fmt: skip
"""Of some only a part, for every picture takes about a second; what is left out of the judge's has
numbers of its own, and tests/benchmarks/test_judge.py."""
NOT_RUN = {
    "survival": "it waits for seconds before every kill; tests/batch has the same, smaller",
    "resume": "six processes that load everything; tests/batch has the same, smaller",
    "cluster": "it needs Ray; tests/batch has the same, where that is installed",
}
"""Studies that are not run here, and why."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all of them write: what one has drawn the others need not draw."""
    return tmp_path_factory.mktemp("studies")


def options_of(words: str) -> dict[str, object]:
    """Its own by default, then the smallest."""
    name, _, table = words.partition(" ")
    given = {option.name: option.default for option in BY_NAME[name].options}
    return {**given, **({"table": table} if table else {}), **SMALLEST[words]}


def test_each_is_run_here_or_it_is_said_why_not():
    run = {words.split()[0] for words in SMALLEST}
    assert run | set(NOT_RUN) == set(BY_NAME)
    assert not run & set(NOT_RUN)


def test_every_module_that_is_a_study_is_behind_the_door():
    rooms = ("figures/studies", "figures/judge", "batch")
    files = [file for room in rooms for file in (ROOT / "benchmarks" / room).glob("*.py")]
    studies = {
        f"sow.{'.'.join(file.relative_to(ROOT).with_suffix('').parts)}"
        for file in files
        if "\ndef study(" in file.read_text(encoding="utf-8")
    }
    assert studies == {study.module for study in STUDIES}
    doors = [file.name for file in files if "__main__" in file.read_text(encoding="utf-8")]
    assert doors == ["train.py"]  # what trains the judge is no study


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_its_options_are_what_it_takes_and_its_table_is_there(study):
    assert (ROOT / study.table).is_file()
    if study.name == "cluster":
        pytest.importorskip("ray")
    taken = inspect.signature(import_module(study.module).study).parameters
    assert list(taken) == ["output", *(option.name for option in study.options)]


@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize("words", SMALLEST)
def test_it_runs(words, folder, monkeypatch):
    """It writes what it says, says so, and is not written over without being told to."""
    study, said = BY_NAME[words.split()[0]], list[str]()
    before = set(folder.iterdir())
    module = import_module(study.module)
    for name, value in FEWER.get(study.name, {}).items():
        monkeypatch.setattr(module, name, value)
    study.run(StudyOutput(folder, f"sow bench study {words}", log=said.append), options_of(words))
    made = {file for file in folder.iterdir() if file.is_file()} - before
    assert made
    assert {str(file) for file in made} <= set(said)
    for file in made:
        if file.suffix == ".png":
            assert Image.open(file).size[0] > 100
        else:
            text = file.read_text(encoding="utf-8")
            assert text.startswith("# ")
            assert f"`sow bench study {words}`" in text
            widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
            assert widths
    # Before anything is loaded or drawn.
    monkeypatch.setattr("sow.models.load_pipeline", lambda *_, **__: pytest.fail("it began"))
    with pytest.raises(OutputError, match="exists"):
        study.run(StudyOutput(folder, "again"), options_of(words))


@pytest.mark.usefixtures("quick_pictures")
def test_a_study_that_was_made_is_not_made_again(folder, monkeypatch):
    """With --force its table is written anew, out of the pictures that were kept."""
    table = folder / "planning.md"
    if not table.exists():
        BY_NAME["planning"].run(
            StudyOutput(folder, "sow bench study planning"), options_of("planning")
        )
    before = table.read_text(encoding="utf-8")
    monkeypatch.setattr(
        "sow.pipeline.pipeline.SowPipeline.__call__", lambda *_, **__: pytest.fail("drawn")
    )
    output = StudyOutput(folder, "sow bench study planning", force=True)
    BY_NAME["planning"].run(output, options_of("planning"))
    assert table.read_text(encoding="utf-8") == before


@pytest.fixture
def wanted(figures):
    """Three pictures of a plan without anything planted."""
    plan = case_of("near", 0, PEOPLE, "tests").plan
    settings = figures.preset("text").changed(steps=2, t1=1, t2=2, preserve=())
    return [PictureSpec(None, plan, settings, seed) for seed in (1, 2, 3)]


def test_kept_pictures_are_those_that_were_made(figures, wanted, tmp_path):
    made = generate(figures, wanted, tmp_path, batch=2)
    assert made.seconds > 0
    files = sorted(tmp_path.rglob("*.png"))
    assert len(files) == 3
    stamps = [file.stat().st_mtime_ns for file in files]
    again = generate(figures, wanted, tmp_path, batch=2)
    assert [image.tobytes() for image in again.images] == [i.tobytes() for i in made.images]
    assert again.seconds == pytest.approx(made.seconds)
    assert [file.stat().st_mtime_ns for file in files] == stamps


def test_what_was_interrupted_goes_on_and_what_is_damaged_is_made_again(figures, wanted, tmp_path):
    made = generate(figures, wanted, tmp_path, batch=1)
    first, second, third = sorted(tmp_path.rglob("*.png"), key=lambda file: file.stat().st_mtime_ns)
    kept = first.stat().st_mtime_ns
    second.unlink()
    third.write_bytes(third.read_bytes()[:200])
    again = generate(figures, wanted, tmp_path, batch=1)
    assert [image.tobytes() for image in again.images] == [i.tobytes() for i in made.images]
    assert first.stat().st_mtime_ns == kept
    assert len(list(tmp_path.rglob("*.png"))) == 3


@pytest.mark.parametrize("change", ["seed", "settings", "plan", "condition"])
def test_a_picture_of_something_else_has_another_name(wanted, change):
    one = wanted[0]
    other = {
        "seed": 2, "settings": one.settings.changed(eta=0.5),
        "plan": one.plan.changed(prompt="a dog"), "condition": Image.new("RGB", (8, 8)),
    }[change]  # fmt: skip
    fields = {name: getattr(one, name) for name in ("condition", "plan", "settings", "seed")}
    assert PictureSpec(**{**fields, change: other}).key != one.key


def test_a_wrong_table_is_told_in_a_line():
    for name, table in (("modulation", "sheat"), ("recognisable", "x")):
        study = BY_NAME[name]
        given = {option.name: option.default for option in study.options}
        with pytest.raises(UsageError, match=f"unknown table '{table}'"):
            study.check({**given, "table": table})
    assert choose("sheat", ("tuning", "sheet")) == "did you mean 'sheet'?"
    assert choose("qqq", ("tuning", "sheet")) == "choose one of tuning, sheet"


def test_a_package_that_is_missing_is_told_in_a_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setattr("sow.benchmarks.figures.studies.things_sheet.service", lambda: None)
    with pytest.raises(UsageError, match="things-sheet needs skimage") as caught:
        BY_NAME["things-sheet"].run(StudyOutput(folder / "new", "again"), {"count": 1})
    assert caught.value.hint == "pip install 'sow[benchmarks]'"
