"""The study of attention modulation: rows, places, and what they are compared with."""

from __future__ import annotations

from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.modulation import (
    ABLATION,
    BASE,
    CYCLES,
    FRESH,
    TUNING,
    Row,
    grids,
    placed,
    run,
    source,
)
from sow.benchmarks.figures.studies.tasks import COW, judged, tasks
from sow.benchmarks.figures.world.tv2i import TUNED_ON, more_tuning
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.tv2i.running.ablations import CYCLES as SPANS
from sow.benchmarks.tv2i.running.ablations import attention
from sow.settings.settings import PRESETS


def test_every_row_has_legal_settings_and_something_to_be_compared_with():
    for rows in (TUNING, FRESH, ABLATION, CYCLES):
        names = [row.name for row in rows]
        assert len(set(names)) == len(names)
        for number, row in enumerate(rows):
            PRESETS[row.setting].changed(**row.changes)
            earlier = {other.name: other for other in rows[: number + 1]}
            other = earlier[row.versus or rows[0].name]
            # The same faces, sentences and places, or the comparison says nothing.
            assert (other.places, other.setting) == (row.places, row.setting)


def test_tuning_and_reporting_share_neither_faces_nor_sentences():
    tuning, testing = ([t.pair for t in tasks(200, tuning=t)] for t in (True, False))
    fresh = [task.pair for task in source("fresh", 200)("normal")]
    chosen_by = more_tuning(TUNED_ON)
    assert not {p.prompt for p in chosen_by} & {p.prompt for p in fresh}
    assert not {p.identity_seed for p in chosen_by} & {p.identity_seed for p in fresh}
    assert len({p.prompt for p in fresh}) == len({p.identity_seed for p in fresh}) == 200
    assert not {p.identity_seed for p in tuning} & {p.identity_seed for p in fresh}
    tuning += fresh
    assert not {p.prompt for p in tuning} & {p.prompt for p in testing}
    assert not {p.identity_seed for p in tuning} & {p.identity_seed for p in testing}


def test_a_lost_head_is_not_the_same_person():
    """As in the benchmark, whose name and description the column has."""
    empty = Image.new("RGB", (128, 128), (120, 170, 200))
    (row,) = judged("row", Judge.load(), tasks(1), [empty])
    assert (row.scores["found"], row.scores["same_person"]) == (0, 0)
    assert row.scores["id_distance"] is None
    assert row.missing["stranger"] == "no head where it was planted"


def test_places():
    work = tasks(6, tuning=True)
    assert placed(work, "given position") == work
    rules, outline = placed(work, "rules"), placed(work, "outline")
    assert [t.box for t in rules] == [t.box for t in outline]
    assert all(t.outline for t in outline)
    assert all(t.box.bottom < 128 for t in rules)
    worded = placed(work, "prompt intensification")
    assert all(w.sentence.startswith(t.pair.prompt) for w, t in zip(worded, work, strict=True))
    assert [t.seed for t in placed(work, "random position")] == [t.seed for t in work]


def test_what_is_left_out_is_what_the_benchmark_leaves_out():
    """The same strengths, parts and cycles as `sow bench figures-tv2i --ablation`."""
    rows = {row.name: row.changes for row in ABLATION}
    for variant in attention().entrants:
        if variant.name.startswith("without"):
            assert dict(variant.settings).items() <= rows[variant.name].items()
    assert len([name for name in rows if name.startswith("without")]) == 5
    found = [(row.changes["cycles"], row.changes["t2"], row.changes["t1"]) for row in CYCLES[1::2]]
    assert found == list(SPANS)


def test_a_table(figures, tmp_path):
    plain = {**BASE, **COW}
    rows = (
        Row("off", plain), Row("again", plain), Row("on", BASE),
        Row("alone", plain, versus="alone"), Row("on too", BASE, versus="alone"),
    )  # fmt: skip
    said: list[str] = []
    found = run(
        figures, Judge.load(), rows, source("tuning", 2), StudyOutput(tmp_path, "", log=said.append)
    )
    first, second = grids("A title", rows, found)
    assert [line.split(":")[0] for line in said] == [row.name for row in rows]
    assert [[cells[0].main for cells in grid.rows] for grid in (first, second)] == [
        ["off", "again", "on"], ["alone", "on too"]
    ]  # fmt: skip
    assert first.rows[0][0].lines == second.rows[0][0].lines == ("reference",)
    assert (first.title, second.title) == ("A title", "Compared with alone")
    off, again, on = ([cell.main for cell in cells[1:]] for cells in first.rows)
    assert off == again
    assert [cell.main for cell in second.rows[1][1:]] == on
    # The rows that agree share their pictures.
    assert len(list(tmp_path.rglob("*.png"))) == 2 * 2
