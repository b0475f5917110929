"""`sow tune`: the rule that proposes, the pairs, and a run that was killed and goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
import pytest

import sow
from sow.batch.runners.options import Options
from sow.benchmarks.tuning.candidates import LISTED, OWN, PUBLISHED, Candidate, candidates
from sow.benchmarks.tuning.measures import Measuring, check_identity
from sow.benchmarks.tuning.pairs import drawn, halved, of_file, of_folder, sentences
from sow.benchmarks.tuning.pictures import can_plot, plot
from sow.benchmarks.tuning.plan import PLAN, PROPOSAL, REPORT, WRITTEN
from sow.benchmarks.tuning.proposing import (
    LEAST,
    Proposal,
    faces_lost,
    front,
    propose,
    standings,
)
from sow.benchmarks.tuning.report import save_proposal, write_report
from sow.benchmarks.tuning.running import begin
from sow.benchmarks.tv2i.metrics.base import LIKENESS, Case, Metric
from sow.benchmarks.tv2i.metrics.suites import Weights, photograph_spread
from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome
from sow.benchmarks.tv2i.pairs import SETTINGS, Pair
from sow.benchmarks.tv2i.report.comparison_table import Table, table
from sow.benchmarks.tv2i.running.bench import entrants
from sow.benchmarks.tv2i.runs import Measure
from sow.checkpoints.spec import CheckpointSpec
from sow.errors import OutputError, UsageError
from sow.models import find_model
from sow.models.tuned import read_tuned
from sow.service.methods import Sow
from sow.service.planning import PlannerChoice
from sow.settings.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
RULES = PlannerChoice("offline")


# The rule.

ID = Measure(name="id_distance", label="ID-Distance", better="lower")
FOUND = Measure(name="face_found", label="Faces", better="higher", rate=True)
COPY = Measure(name="copy_paste", label="Copies", better="lower", rate=True)
CLIP = Measure(name="clip", label="CLIP", better="higher")
ALL = (ID, FOUND, COPY, CLIP)
SAME = {"id_distance": 0.8, "face_found": 1.0, "copy_paste": 0.0, "clip": 25.0, "arcface": 0.4}


def half(count: int, measures=ALL, lost: tuple[str, ...] = (), **candidates) -> Table:
    """Candidates by what they are around; every pair is a little off, for all of them alike."""
    outcomes = []
    for name, means in {PUBLISHED: {}, **candidates}.items():
        dice = Random(name)
        for n in range(count):
            scores = {}
            for measure in measures:
                mean = {**SAME, **means}[measure.name]
                off = 0.0 if measure.rate else 0.03 * np.sin(n) + dice.gauss(0, 0.01)
                scores[measure.name] = float(dice.random() < mean) if measure.rate else mean + off
            made = {"error": "no memory"} if name in lost and n == 0 else {
                "file": "a.png", "scores": scores
            }  # fmt: skip
            asked = {"method": name, "pair": f"p{n}", "setting": "normal", "prompt": "a person",
                     "person": n, "seed": n}  # fmt: skip
            outcomes.append(Outcome.model_validate({**asked, **made}))
    return table(outcomes, [PUBLISHED, *candidates], measures)


ALIKE = {"id_distance": 0.5}
MORE = {"id_distance": 0.6}


def test_the_most_alike_of_those_that_are_no_worse_is_proposed():
    some = {"more": MORE, "most": ALIKE, "as ever": {}}
    found = propose(half(20, **some), half(20, **some))
    assert (found.candidate, found.changes, found.confirmed) == ("most", True, True)
    assert not found.contradicted
    assert "20 pairs" in found.line
    for measured in ("Faces", "Copies", "CLIP"):
        assert measured in found.line


@pytest.mark.parametrize(
    ("loses", "label"),
    [({"face_found": 0.3}, "Faces"), ({"copy_paste": 0.9}, "Copies"), ({"clip": 20.0}, "CLIP")],
)
def test_who_is_worse_in_anything_is_out(loses, label):
    some = {"more": MORE, "most": {**ALIKE, **loses}}
    found = propose(half(30, **some), half(30, **some))
    assert found.candidate == "more"
    alone = propose(half(30, most=some["most"]), half(30, most=some["most"]))
    assert (alone.candidate, alone.changes) == (PUBLISHED, False)
    assert any("most" in note and label in note for note in alone.notes)
    assert (label == "Faces") == bool(faces_lost(half(30, most=some["most"])))


def test_who_has_not_made_all_pictures_is_out():
    some = {"more": MORE, "most": ALIKE}
    assert propose(half(20, lost=("most",), **some), half(20, **some)).candidate == "more"


@pytest.mark.parametrize("better", [{}, {"id_distance": 0.799}, {"id_distance": 0.9}])
def test_published_stays_where_nobody_is_shown_to_be_more_alike(better):
    found = propose(half(20, other=better), half(20, other=better))
    assert (found.candidate, found.changes) == (PUBLISHED, False)


def test_of_a_few_pairs_nothing_is_said():
    few = LEAST - 1
    found = propose(half(few, most=ALIKE), half(few, most=ALIKE))
    assert found.candidate == PUBLISHED
    assert any("--minutes" in note for note in found.notes)
    assert not standings(half(few, most={**ALIKE, "clip": 20.0}))[0].worse


@pytest.mark.parametrize(
    "there", [{"id_distance": 0.95}, {**ALIKE, "face_found": 0.2}, {**ALIKE, "clip": 20.0}]
)
def test_the_half_that_reports_may_contradict(there):
    found = propose(half(30, most=ALIKE), half(30, most=there))
    assert found.candidate == "most"
    assert found.contradicted
    assert not found.confirmed or there["id_distance"] < 0.8
    assert any("contradicts" in note for note in found.notes)


def test_the_half_that_reports_may_show_nothing():
    found = propose(half(30, most=ALIKE), half(30, most={}))
    assert (found.candidate, found.confirmed, found.contradicted) == ("most", False, ())
    assert any("no more likeness" in note for note in found.notes)


def test_where_the_prompt_is_not_measured_nobody_says_that_it_is_no_worse():
    measures = (ID, FOUND, COPY)
    found = propose(half(20, measures, most=ALIKE), half(20, measures, most=ALIKE))
    assert found.candidate == "most"
    assert "prompt alignment was not measured" in found.line
    assert "prompt" not in propose(half(20, most=ALIKE), half(20, most=ALIKE)).line


def test_what_was_measured_on_a_few_pairs_is_not_called_no_worse():
    made = half(20, most=ALIKE)
    cells = {row.method: list(row.cells) for row in made.rows}
    few = half(3, most=ALIKE)
    for row in few.rows:
        cells[row.method][3] = row.cells[3]
    rows = [row.__class__(row.method, row.requested, row.made, tuple(cells[row.method]))
            for row in made.rows]  # fmt: skip
    found = propose(Table(ALL, PUBLISHED, tuple(rows), 0), made)
    assert "CLIP" not in found.line
    assert any("CLIP" in note for note in found.notes)


def test_higher_can_be_more_alike():
    near = Measure(name="arcface", label="ArcFace", better="higher")
    some = {"most": {"arcface": 0.7}, "least": {"arcface": 0.2}}
    assert propose(half(20, (near, FOUND), **some), half(20, (near,), **some)).candidate == "most"


def test_without_a_face_the_front_means_nothing():
    made = half(20, most=ALIKE)
    for row in made.rows:
        object.__setattr__(row.cells[0].estimate, "count", 0)
    found = propose(made, made)
    assert found.meaningless
    assert "means nothing" in found.line


def test_the_front_has_those_whom_nobody_beats_in_both():
    made = half(
        20,
        near={**ALIKE, "clip": 22.0},
        far={**MORE, "clip": 20.0},
        other={"clip": 28.0, "id_distance": 0.75},
    )
    assert set(front(made)) == {"near", "other"}
    drawn_front = plot(made, "a title")
    assert (drawn_front is None) != can_plot()
    assert drawn_front is None or drawn_front.startswith(b"\x89PNG")
    assert plot(half(8, (ID,), near=ALIKE), "nothing to set it against") is None


# What is tried, and on whom.


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("checkpoint", [CheckpointSpec(), find_model("figures").checkpoint_spec])
def test_candidates_are_settings_each_by_a_name_of_its_own(setting, checkpoint):
    found = candidates(setting, checkpoint)
    assert found[0].settings(checkpoint, setting) == checkpoint.preset(f"published-{setting}")
    assert len({one.folder for one in found}) == len({one.name for one in found}) == len(found)
    made = [one.settings(checkpoint, setting) for one in found]
    assert all(one.why for one in found)
    assert all(a != b for n, a in enumerate(made) for b in made[:n])
    by_name = dict(zip((one.name for one in found), made, strict=True))
    assert by_name["swift"] == checkpoint.preset(f"swift-{setting}")
    assert (OWN in by_name) == bool(checkpoint.presets)
    if checkpoint.presets:
        assert by_name[OWN] == checkpoint.preset(setting)
    named = [one.name for one in LISTED]
    assert {"guidance 1 inside", "guidance 3 inside", "interval of guidance"} <= set(named)
    assert {f"planted again, {n} cycles" for n in (3, 5, 10)} <= set(named)


def test_sentences_are_alike_for_both_halves():
    words = find_model("figures").checkpoint_spec.words
    for setting in SETTINGS:
        for resumed in (False, True):
            some = sentences(setting, resumed)
            assert len(set(some)) == len(some) == 20
        assert {word for one in some for word in re.findall(r"\w+", one)} <= words
    clothes = re.compile(r"coat|suit|sweater|shirt|jacket|gown|vest")
    coloured = re.compile(r"red|blue|yellow|green|white|orange|purple|pink|black|brown|denim|strip")
    for resumed in (False, True):
        normal = sentences("normal", resumed)
        for some in (normal[0::2], normal[1::2]):
            named = [one for one in some if clothes.search(one) and coloured.search(one)]
            assert 3 <= len(named) <= 6


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_nobody_and_no_sentence_is_in_both_halves(count, tmp_path):
    for n in range(count):
        (tmp_path / f"{n:02d}.PNG").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("none")
    halves = of_folder(tmp_path, "normal")
    assert bool(halves.notes) == (count == 1)
    for most in (2, 10, 1000):
        some = halves.limited(most)
        assert len(some.choosing) == len(some.reporting) <= max(1, most // 2)
        one, other = ([(p.person, p.prompt) for p in part]
                      for part in (some.choosing, some.reporting))  # fmt: skip
        assert len(set(one)) == len(one)
        assert not {prompt for _, prompt in one} & {prompt for _, prompt in other}
        if count > 1:
            assert not {who for who, _ in one} & {who for who, _ in other}
        seeds = [seed for pair in some.pairs for seed in pair.seeds]
        assert len(set(seeds)) == len(seeds) == 2 * len(some.pairs)
        assert len({pair.id for pair in some.pairs}) == len(some.pairs)


def test_people_of_a_list_go_where_there_are_fewer():
    people = "aaabbc"
    pairs = [Pair(f"{n}", "normal", "x", Path("x"), None, who, 0) for n, who in enumerate(people)]
    halves = halved(pairs)
    assert [pair.person for pair in halves.choosing] == ["a"] * 3
    assert [pair.person for pair in halves.reporting] == ["b", "b", "c"]
    assert halved(pairs[:3]).notes


def test_the_drawn_world_has_pairs_of_its_own():
    some = drawn("normal")[:8]
    assert len({pair.identity_seed for pair in some}) == 8
    for part in (some[0::2], some[1::2]):
        assert sum("clothing_colour" in pair.mentions for pair in part) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"image": "a.png", "prompt": "x"}'], "fewer than two"),
        (['{"image": "a.png", "prompt": "x", "seed": 3}'], "line 1"),
        (['{"image": "a.png", "prompt": "x"}', '{"image": "b.png", "prompt": "x"}'], "line 2"),
        (['{"image": "a.png", "prompt": ""}'], "line 1"),
        (['{"image": "a.png", "image": "a.png", "prompt": "x"}'], "duplicate key"),
        (['{"image": "a.png", "prompt": "x", "id": "../x"}'], "line 1"),
        (['{"image": "a.png", "prompt": "x"}'] * 2, "twice"),
        (["[1]"], "line 1"),
    ],
)
def test_a_list_of_pairs_is_read_strictly(lines, said, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=said) as caught:
        of_file(tmp_path / "pairs.jsonl", "normal")
    assert "\n" not in str(caught.value)


def test_a_list_of_pairs(tmp_path):
    (tmp_path / "faces").mkdir()
    for name in "ab":
        (tmp_path / "faces" / f"{name}.png").write_bytes(b"")
    lines = [f'{{"image": "{n}.png", "prompt": "x", "id": "{n}"}}' for n in "ab"]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    halves = of_file(tmp_path / "pairs.jsonl", "style", tmp_path / "faces")
    assert [pair.id for pair in halves.pairs] == ["a", "b"]
    assert halves.pairs[0].setting == "style"


def test_without_a_metric_of_likeness_it_says_what_is_needed():
    with pytest.raises(UsageError, match="facenet") as caught:
        check_identity(Weights(clip=Path("clip")))
    assert "arcface" in str(caught.value)


def test_benchmarks_do_not_run_what_was_tuned_here():
    pair = Pair("a", "style", "a person", Path("a.png"), None, 1, 1)
    for one in entrants(["sow", "sdedit", "blended", "langevin"]):
        assert one.job(pair).preset == "style"
    for one in entrants(["cow", "cow-release", "text"]):  # they name their own
        assert one.job(pair).preset is None


# A run, on random weights.


class Near(Metric):
    """Stands in for a network that knows faces: how far the pixels are."""

    name, label, better = "id_distance", "ID-Distance", "lower"
    note, group = "pixels", LIKENESS

    def value(self, case: Case) -> float:
        inside = case.inside
        return float(np.abs(inside.found.astype(float) - inside.planted).mean() / 255)


MEASURING = Measuring((Near(),), photograph_spread())
TRIED = (Candidate(PUBLISHED, "", {"cycles": 1}), Candidate("two cycles", "more", {"cycles": 2}))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    for name in ("drawn-curls.png", "drawn-beard.png"):
        shutil.copy(EXAMPLES / name, folder)
    return folder


def run_of(model, people, out, *, tried=TRIED, setting="normal", **how):
    out.mkdir(exist_ok=True)
    options = Options(str(model), device="cpu", planner=RULES, batch_size=1)
    return begin(out, options, of_folder(people, setting), MEASURING, setting, limit=2,
                 tried=tried, **how)  # fmt: skip


def drawn_all(tuning, most=1000):
    """All batches; or a program that ends after so many calls of the engine."""
    calls, draw = [], Sow.draw

    def counted(self, *words, **more):
        if len(calls) == most:
            raise KeyboardInterrupt
        calls.append(1)
        return draw(self, *words, **more)

    with patch.object(Sow, "draw", counted):
        for _, batch in tuning.batches():
            assert all(result.done for result in batch)
    return len(calls)


@pytest.fixture(scope="module")
def whole(tiny_folder, people, tmp_path_factory):
    """A run that nobody interrupted."""
    out = tmp_path_factory.mktemp("tune") / "whole"
    tuning = run_of(tiny_folder, people, out)
    assert drawn_all(tuning) == tuning.plan.pictures == 8
    return tuning, write_report(tuning, tuning.measured())


def written(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in WRITTEN if (out / name).exists()}


def test_a_run_that_was_killed_comes_to_the_same(whole, tiny_folder, people, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        drawn_all(run_of(tiny_folder, people, out), most=3)
    again = run_of(tiny_folder, people, out)
    assert again.resumed
    assert drawn_all(again) == 5
    told = write_report(again, again.measured())
    assert told.data == whole[1].data
    assert written(out) == written(whole[0].out)
    assert set(written(out)) >= {OUTCOMES, REPORT, PROPOSAL}


def test_a_run_says_all(whole):
    tuning, told = whole
    assert "8 pictures" in tuning.plan.summary
    assert [row["candidate"] for row in told.data["choosing"]] == [PUBLISHED, "two cycles"]
    other = told.data["reporting"][1]
    assert {"mean", "low", "high", "n", "against_published"} == set(
        other["measures"]["id_distance"]
    )
    assert other["measures"]["variety_pixels"]["n"] == 1
    assert other["samples"] > told.data["reporting"][0]["samples"]
    assert told.proposal.candidate == PUBLISHED  # of two pairs nothing is said
    report = (tuning.out / REPORT).read_text()
    assert "two cycles" in report
    assert "prompt" not in told.proposal.line
    assert "sheet.webp" in report
    assert can_plot() == (not told.notes)
    assert "against published" in told.text


def test_another_run_is_not_mixed_in(whole, tiny_folder, people, tmp_path):
    out = shutil.copytree(whole[0].out, tmp_path / "out")
    before = (out / PLAN).read_bytes()
    with pytest.raises(OutputError, match="setting"):
        run_of(tiny_folder, people, out, setting="style")
    with pytest.raises(OutputError, match="faces"):
        run_of(tiny_folder, people, out, asked={"faces": "/other"})
    assert (out / PLAN).read_bytes() == before
    assert not run_of(tiny_folder, people, out, setting="style", force=True).resumed
    (out / PLAN).unlink()
    with pytest.raises(OutputError, match="did not write"):
        run_of(tiny_folder, people, out)


# Keeping it.


@pytest.fixture
def kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("SOW_CONFIG", str(tmp_path / "config"))


GOOD = Proposal("two cycles", "", (), False, True, (), True)


def work_of(folder, **how):
    service = sow.Service(folder, device="cpu", planner=RULES)
    asked = sow.Request(EXAMPLES / "drawn-curls.png", "a person in the forest", **how)
    return service.resolve(asked)


def test_what_is_saved_runs_by_default_on_these_weights(whole, tiny_folder, kept_apart, tmp_path):
    tuning, model = whole[0], find_model(str(tiny_folder))
    other = shutil.copytree(tiny_folder, tmp_path / "other")
    index = other / "model_index.json"
    index.write_text(index.read_text() + "\n")
    file = save_proposal(tuning, GOOD, model)
    assert file is not None
    assert file.is_file()
    work = work_of(tiny_folder)
    assert work.settings.cycles == 2
    assert [note for note in work.notes if "sow tune" in note and "two cycles" in note]
    assert work_of(tiny_folder, preset="normal").settings == Settings()
    assert read_tuned(find_model(str(other))).presets == {}
    assert work_of(other).settings == Settings()
    with pytest.raises(UsageError, match="has changed"):
        save_proposal(tuning, GOOD, find_model(str(other)))


def test_what_is_contradicted_is_saved_only_by_force(whole, tiny_folder, kept_apart):
    tuning, model = whole[0], find_model(str(tiny_folder))
    bad = Proposal("two cycles", "", (), False, False, ("Faces",), True)
    with pytest.raises(UsageError, match="Faces"):
        save_proposal(tuning, bad, model)
    assert save_proposal(tuning, Proposal(PUBLISHED, "", meaningless=True), model, True) is None
    assert save_proposal(tuning, Proposal(PUBLISHED, ""), model) is None
    assert read_tuned(model).presets == {}
    assert save_proposal(tuning, bad, model, True) is not None
    assert read_tuned(model).presets["normal"].pairs == 1
