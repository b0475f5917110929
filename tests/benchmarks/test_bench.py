"""`sow bench`: pairs in, a report out; a run that was left off goes on and says the same."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest
from test_celeba import COUNT, celeba, copy

from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.running.ablations import PAPER, WHOLE, variants
from sow.benchmarks.tv2i.running.bench import anywhere, entrants
from sow.benchmarks.tv2i.runs import read_results
from sow.cli.main import main
from sow.errors import UsageError

__all__ = ["celeba", "copy"]  # the fixture is that of the reader of the data set


def typed(*words: object) -> tuple[int, str]:
    """What the command line answers: its exit code, and all that it says."""
    said, code = StringIO(), 0
    argv = ["sow", "bench", *map(str, words)]
    with patch.object(sys, "argv", argv), redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = int(str(end.code or 0))
    return code, said.getvalue()


FIGURES = ("figures-tv2i", "--limit", 3, "--methods", "sow,sdedit", "--batch-size", 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two methods on a pair of every setting."""
    out = tmp_path_factory.mktemp("bench") / "out"
    assert typed(*FIGURES, "--out", out)[0] == 0
    return out


def scores(out: Path) -> dict:
    found = read_results(out).outcomes
    return {(one.method, one.pair): (one.scores, one.missing, one.error) for one in found}


def stamps(out: Path) -> dict:
    return {path: path.stat().st_mtime_ns for path in out.glob("s*/*.png")}


def test_every_picture_of_every_method_is_measured(run):
    results = read_results(run)
    assert [method.name for method in results.run.methods] == ["sow", "sdedit"]
    assert len(results.outcomes) == 6
    assert {one.setting for one in results.outcomes} == {"normal", "attribute", "style"}
    for one in results.outcomes:
        assert one.error is None
        assert (run / one.file).is_file()
        assert (run / one.condition).is_file()
        assert one.scores["face_found"] == 1
        assert set(one.missing) == {name for name, score in one.scores.items() if score is None}
    spent = {method.name: (method.samples, method.calls) for method in results.run.methods}
    assert all(samples and calls for samples, calls in spent.values())
    assert [one.seed for one in results.outcomes[:3]] == [one.seed for one in results.outcomes[3:]]
    report = (run / "report.md").read_text()
    assert "sdedit(strength=" in report
    assert "Table I" in report
    assert (run / "report.html").is_file()


def test_a_run_goes_on_and_says_the_same(run):
    before, made, report = scores(run), stamps(run), (run / "report.md").read_text()
    assert typed(*FIGURES, "--out", run)[0] == 0
    assert stamps(run) == made  # nothing was made again
    assert (run / "report.md").read_text() == report
    (run / "sow" / sorted(path.name for path in (run / "sow").glob("*.png"))[0]).unlink()
    (run / "results.json").unlink()
    assert typed(*FIGURES, "--out", run)[0] == 0
    assert scores(run) == before


def test_a_picture_that_was_spoilt_is_an_outcome_with_a_reason(run):
    file = next((run / "sdedit").glob("*.png"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        assert typed(*FIGURES, "--out", run)[0] == 0
        lost = [one for one in read_results(run).outcomes if one.error]
        assert [one.pair for one in lost] == [file.stem]
    finally:
        file.write_bytes(whole)


def test_two_runs_are_compared_and_people_are_asked(run, tmp_path):
    code, said = typed("compare", run, run, "--out", tmp_path)
    assert code == 0
    assert (tmp_path / "comparison.html").is_file()
    code, said = typed("survey", run, "--out", tmp_path / "page", "--key", tmp_path / "key.json")
    assert code == 0, said
    assert "questions" in said
    page = (tmp_path / "page" / "index.html").read_text()
    assert "sdedit" not in page
    asked = ("--out", tmp_path / "other", "--key", tmp_path / "other.json")
    code, said = typed("survey", run, *asked, "--ask", "best,nonsense")
    assert code == 2
    assert "best, pair, outline" in said
    answers = tmp_path / "answers.json"
    answers.write_text("{}")
    code, said = typed("votes", answers, "--key", tmp_path / "key.json", "--out", tmp_path)
    assert code == 2
    assert len(said.strip().splitlines()) == 1


def test_celeba_by_the_same_command(celeba, tmp_path):
    asked = ("--split", "val", "--limit", COUNT // 2, "--methods", "sow", "--model", "figures")
    code, said = typed("celeba-tv2i", "--root", celeba, *asked, "--out", tmp_path / "out")
    assert code == 0, said
    assert "no ID-Distance: give FaceNet's weights" in said
    results = read_results(tmp_path / "out")
    assert len(results.outcomes) == COUNT // 2
    assert any("FaceNet" in note for note in results.run.notes)
    for one in results.outcomes:
        assert one.error is None
        assert one.scores["psnr"] is not None


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["figures-tv2i", "--methods", "sow,nobody"], "no method 'nobody'"),
        (["figures-tv2i", "--methods", "sow,sow"], "there twice"),
        (["figures-tv2i", "--methods", "instantid"], "not built"),
        (["figures-tv2i", "--weights", "sd2-inpainting=x"], "name the method, too"),
        (["figures-tv2i", "--weights", "nonsense"], "says no weights"),
        (["figures-tv2i", "--ablation", "nobody"], "no ablation 'nobody'"),
        (["figures-tv2i", "--split", "train"], "train"),
        (["celeba-tv2i", "--root", "nowhere"], "nowhere"),
        (["compare", "nowhere", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(words, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = typed(*words)
    assert code == 2
    assert what in said.strip().splitlines()[-1]
    assert "Traceback" not in said


PAIR = Pair("normal-1-a", "attribute", "a man", Path("face.png"), None, 1, 7)


@pytest.mark.parametrize("name", ["modules", "attention", "cycles"])
def test_variants_differ_in_what_their_table_says(name):
    made = variants(name, 512)
    jobs = {one.name: one.job(PAIR) for one in made.entrants}
    assert len({job.digest for job in jobs.values()}) == len(jobs)
    assert len({one.folder for one in made.entrants}) == len(jobs)
    assert {job.preset for job in jobs.values()} == {"paper-attribute"}
    assert {job.seed for job in jobs.values()} == {7}
    assert [group.method for group in made.table.groups] == list(jobs)
    assert made.table.reference in jobs


def test_each_part_of_the_modulation_is_left_out_once():
    jobs = {one.name: one.job(PAIR).settings for one in variants("attention", 512).entrants}
    assert jobs.pop(WHOLE) == PAPER
    for settings in jobs.values():
        changed = {name for name in PAPER if settings[name] != PAPER[name]}
        assert len(changed) == 1
        assert settings[changed.pop()] in (0.0, "none")


def test_places_by_chance_lie_on_the_canvas_and_are_the_same_for_all():
    boxes = [anywhere(Random(n), 512) for n in range(300)]
    assert {side for _, _, side, other in boxes if side == other} <= set(range(180, 257))
    assert len({side for _, _, side, _ in boxes}) > 5
    assert all(x >= 0 and y >= 0 and x + w <= 512 and y + h <= 512 for x, y, w, h in boxes)
    first, *_ = variants("modules", 512).entrants
    assert first.job(PAIR).box == first.job(PAIR).box


def test_methods_have_their_weights():
    (one,) = entrants(["sd2-inpainting"], ["sd2-inpainting=owner/name"])
    assert one.method.weights == "owner/name"
    with pytest.raises(UsageError, match="twice, or none"):
        entrants([])


def test_outcomes_are_lines_of_json(run):
    lines = (run / "results.json").read_text().splitlines()
    assert [json.loads(line)["method"] for line in lines] == ["sow"] * 3 + ["sdedit"] * 3
