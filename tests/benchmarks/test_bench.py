"""`sow bench`: pairs in, a report out; a run that was left off goes on and says the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from random import Random
from unittest.mock import patch

import helpers
import pytest
from conftest import FIGURES
from test_celeba import COUNT, celeba, copy

from sow.benchmarks.tv2i.figures import figures_pairs, intensified, known
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.suites import figures_metrics
from sow.benchmarks.tv2i.pairs import SETTINGS, Pair, PairList
from sow.benchmarks.tv2i.running.ablations import (
    USUAL,
    WHOLE,
    attention,
    cycles,
    modules,
)
from sow.benchmarks.tv2i.running.bench import Bench, anywhere, entrants
from sow.benchmarks.tv2i.running.finishing import finish, part_begun
from sow.benchmarks.tv2i.running.program import TABLES, make_program
from sow.benchmarks.tv2i.runs import read_results, write_run
from sow.cli.main import main
from sow.errors import UsageError
from sow.settings.settings import PRESETS

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


@pytest.fixture(scope="module")
def run(figures_run):
    """A run of two methods on a pair of every setting."""
    return figures_run


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
        assert one.samples
        assert one.calls
    stated = {method.name: method.samples for method in results.run.methods}
    assert stated["sow"] is None  # its settings differ: each picture has its own
    assert stated["sdedit"] == 60
    assert [one.seed for one in results.outcomes[:3]] == [one.seed for one in results.outcomes[3:]]
    report = (run / "report.md").read_text()
    assert "Tuning is unequal" in report
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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("results.json", "results.json, which no"),
        ("report.md", "report.md, which no"),
        ("sheets/mine.webp", "sheets, which no"),
        ("run.json", "run.json' cannot be read"),
        (f"faces/{next(iter(known().values())).identity_seed}.png", "exists"),
    ],
)
def test_what_is_there_is_not_written_over(name, said, tmp_path):
    """It is refused before anything is drawn, and stays as it is."""
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    code, told = typed("figures-tv2i", "--split", "val", "--limit", 3, "--methods", "sow",
                       "--out", tmp_path / "out")  # fmt: skip
    assert code == 6
    assert said in told.strip().splitlines()[-1]
    assert "--force" in told.strip().splitlines()[-1]
    assert mine.read_text() == "mine"
    assert not list(tmp_path.glob("out/sow*"))


def test_results_of_another_benchmark_or_split_are_replaced_only_by_force(run):
    made, ours = stamps(run), read_results(run).run
    for other in ({"benchmark": "celeba-tv2i"}, {"split": "val"}):
        write_run(ours.model_copy(update=other), run / "run.json", force=True)
        before = (run / "run.json").read_bytes()
        code, said = typed(*FIGURES, "--out", run)
        assert code == 6
        assert "has the results of" in said.strip().splitlines()[-1]
        assert (run / "run.json").read_bytes() == before
    assert typed(*FIGURES, "--out", run, "--force")[0] == 0
    assert read_results(run).run.split == "test"
    assert stamps(run) == made  # pictures of the same jobs stay


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


@pytest.mark.usefixtures("quick_pictures")
def test_celeba_by_the_same_command(celeba, tmp_path):
    asked = ("--split", "val", "--limit", COUNT // 2, "--methods", "sow", "--model", "figures")
    code, said = typed("celeba-tv2i", "--root", celeba, *asked, "--out", tmp_path / "out")
    assert code == 0, said
    assert "no ID-Distance: give FaceNet's weights" in said
    results = read_results(tmp_path / "out")
    assert len(results.outcomes) == COUNT // 2
    assert any("FaceNet" in note for note in results.run.notes)
    assert any("no ceiling of ID-Distance" in note for note in results.run.notes)
    assert [method.name for method in results.run.methods] == ["sow"]  # no ablations by itself
    for one in results.outcomes:
        assert one.error is None
        assert one.scores["psnr"] is not None


def test_who_is_who_is_asked_before_anything_is_drawn(celeba, tmp_path):
    people = tmp_path / "identity_CelebA.txt"
    asked = ("--split", "val", "--limit", 3, "--model", "figures", "--identities", people)
    code, said = typed("celeba-tv2i", "--root", celeba, *asked, "--out", tmp_path / "out")
    assert code == 2
    assert "no identity_CelebA.txt" in said.strip().splitlines()[-1]
    assert not list((tmp_path / "out").glob("sow/*"))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["figures-tv2i", "--methods", "sow,nobody"], "unknown method 'nobody'"),
        (["figures-tv2i", "--methods", "sow,sow"], "missing or repeated"),
        (["figures-tv2i", "--methods", "instantid"], "not available"),
        (["figures-tv2i", "--weights", "sd2-inpainting=x"], "add it to the methods"),
        (["figures-tv2i", "--weights", "nonsense"], "is not method=weights"),
        (["figures-tv2i", "--tables", "methods,nobody"], "unknown table: 'nobody'"),
        (["figures-tv2i", "--tables", ","], "unknown table: no name given"),
        (["figures-tv2i", "--outline-judge", "nobody"], "unknown outline judge 'nobody'"),
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
VARIANTS = {
    "modules": lambda: modules(512, lambda pair: f"{pair.prompt}, old"),
    "attention": attention,
    "cycles": cycles,
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_differ_in_what_their_table_says(name):
    made = VARIANTS[name]()
    jobs = {one.name: one.job(PAIR) for one in made.entrants}
    assert len({job.digest for job in jobs.values()}) == len(jobs)
    assert len({one.folder for one in made.entrants}) == len(jobs)
    assert {job.preset for job in jobs.values()} == {"published-attribute"}
    assert {job.seed for job in jobs.values()} == {7}
    assert [row.method for row in made.table.rows] == list(jobs)
    assert made.table.reference == WHOLE in jobs
    assert {len(row.marks) for row in made.table.rows} == {len(made.table.marks)}


def test_each_part_of_the_modulation_is_left_out_once():
    jobs = {one.name: one.job(PAIR).settings for one in attention().entrants}
    assert not jobs.pop(WHOLE)  # the published preset, as it is
    published = PRESETS["published-attribute"]
    for settings in jobs.values():
        ((name, value),) = settings.items()
        assert value in (0.0, "none")
        assert getattr(published, name) != value


def test_what_tables_share_is_drawn_once():
    """The presets' own cycles are those of the shared row, so that it is that row indeed."""
    for name in ("published-normal", "published-attribute", "published-style"):
        preset = PRESETS[name]
        assert (preset.cycles, preset.t2, preset.t1) == USUAL
    bench = Bench("x", "test", PairList((PAIR,)), ())
    methods = entrants(["sow", "cow"])
    asked = make_program(bench, methods, TABLES, 30, 512, lambda pair: "a man, old")
    names = [entrant.name for entrant, _ in asked.tasks]
    assert len(set(names)) == len(names) == 2 + 4 + 5 + 5
    assert len({entrant.folder for entrant, _ in asked.tasks}) == len(names)
    jobs = [entrant.job(PAIR) for entrant, _ in asked.tasks[2:]]
    assert len({job.digest for job in jobs}) == len(jobs)
    rows = [row.method for table in asked.ablations for row in table.rows]
    assert set(rows) == set(names[2:])
    assert rows.count(WHOLE) == 3


def test_ablations_have_fewer_pairs_of_the_same():
    pairs = tuple(replace(PAIR, id=f"{s}-{n}", setting=s) for s in SETTINGS for n in range(4))
    asked = make_program(Bench("x", "test", PairList(pairs), ()), entrants(["sow"]), TABLES, 6, 512)
    missing_samples = {entrant.name: bench.listed.pairs for entrant, bench in asked.tasks}
    assert missing_samples["sow"] == pairs
    assert {len(some) for name, some in missing_samples.items() if name != "sow"} == {6}
    assert all(pair in pairs for pair in missing_samples[WHOLE])
    assert [len(table.rows) for table in asked.ablations] == [3, 6, 6]
    assert asked.ablations[0].notes  # nobody can say what the condition shows


def test_words_of_the_condition_come_behind_the_sentence():
    """As much as the model reads, and nothing that the sentence says otherwise."""
    found = figures_pairs_of_the_world()
    for pair, drawn in found:
        said = intensified(pair)
        assert said.startswith(pair.prompt)
        more = said.removeprefix(pair.prompt)
        hair = "hair_colour" in drawn.mentions or "hair_style" in drawn.mentions
        assert ("glasses" in more) == (drawn.identity.glasses and "glasses" not in drawn.mentions)
        assert not hair or "hair" not in more
    assert any("hair" in intensified(pair) for pair, _ in found)


def figures_pairs_of_the_world() -> list:
    """Some pairs without their pictures, and what they were drawn by."""
    some = [one for number, one in enumerate(known().values()) if number % 25 == 0]
    return [(replace(PAIR, id=one.id, prompt=one.prompt), one) for one in some]


QUICKLY = "import helpers; helpers.draw_quickly(); from sow.cli.main import main; main()"
"""The command line in a process of its own that draws as `quick_pictures` does."""


@pytest.mark.timeout(1800)  # several runs: a busy machine takes its time
@pytest.mark.usefixtures("quick_pictures")
def test_ablations_are_in_the_report_and_a_run_that_was_killed_says_the_same(tmp_path):
    """Killed among the variants; what was made stands, and the report is that of a whole run."""
    asked = ("figures-tv2i", "--limit", 3, "--methods", "sow", "--tables", "methods,modules",
             "--ablation-limit", 2, "--batch-size", 1, "--quiet", "--out")  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert typed(*asked, whole)[0] == 0
    command = [sys.executable, "-c", QUICKLY, "bench", *map(str, asked), str(killed)]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(helpers.__file__).parent)},
    )  # fmt: skip
    while running.poll() is None and not list(killed.glob("ap/*.png")):
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert not (killed / "report.md").exists()
    before = {path: path.stat().st_mtime_ns for path in killed.glob("*/*-*.png")}
    assert typed(*asked, killed)[0] == 0
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert without_times(killed) == without_times(whole)
    words = (killed / "report.md").read_text()
    for part in ("## In short", "### Likeness", "## Ablation: the main modules", "+ PI", "✗",
                 "2 pairs: 1 normal, 1 attribute.", "no language model was asked",
                 "The paper's Table II", "Between two drawings of one person"):  # fmt: skip
        assert part in words, part
    run = read_results(killed).run
    assert [method.name for method in run.compared] == ["sow"]
    assert (killed / "sheets" / "ablation-the-main-modules.webp").is_file()


def without_times(out: Path) -> str:
    """A report without what a clock says."""
    words = (out / "report.md").read_text().split("## What it costs")
    return words[0] + words[1].partition("\n## ")[2]


def test_places_by_chance_lie_on_the_canvas_and_are_the_same_for_all():
    boxes = [anywhere(Random(n), 512) for n in range(300)]
    assert {side for _, _, side, other in boxes if side == other} <= set(range(180, 257))
    assert len({side for _, _, side, _ in boxes}) > 5
    assert all(x >= 0 and y >= 0 and x + w <= 512 and y + h <= 512 for x, y, w, h in boxes)
    first, *_ = modules(512, None).entrants
    assert first.job(PAIR).box == first.job(PAIR).box


def test_methods_have_their_weights():
    (one,) = entrants(["sd2-inpainting"], ["sd2-inpainting=owner/name"])
    assert one.method.weights == "owner/name"
    with pytest.raises(UsageError, match="missing or repeated"):
        entrants([])


def test_outcomes_are_lines_of_json(run):
    lines = (run / "results.json").read_text().splitlines()
    assert [json.loads(line)["method"] for line in lines] == ["sow"] * 3 + ["sdedit"] * 3


def test_an_interrupted_run_leaves_a_report_of_what_is_there(run, tmp_path):
    """Two of the methods have pictures; the third and the variants have not begun."""
    out = tmp_path / "out"
    shutil.copytree(run, out)
    listed = figures_pairs(out, "test", 3, True)
    bench = Bench("figures-tv2i", "test", listed, figures_metrics(Verdicts()))
    program = make_program(
        bench, entrants(["sow", "sdedit", "cow"]), ("methods", "modules"), 2, 128
    )
    part = part_begun(program, out)
    assert [entrant.name for entrant, _ in part.tasks] == ["sow", "sdedit"]
    assert part.ablations == ()
    finish(part, out)
    words = (out / "report.md").read_text()
    assert f"interrupted: 6 of {program.num_pictures} pictures are there. Run the same" in words
