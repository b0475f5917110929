"""The study of attention modulation: rows, places, and what they are compared with."""

from __future__ import annotations

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.modulation import (
    ABLATION,
    BASE,
    CYCLES,
    FRESH,
    TUNING,
    Row,
    placed,
    run,
    source,
)
from sow.benchmarks.figures.studies.study import COW, tasks
from sow.settings import PRESETS


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
    assert len({p.prompt for p in fresh}) == len({p.identity_seed for p in fresh}) == 200
    assert not {p.identity_seed for p in tuning} & {p.identity_seed for p in fresh}
    tuning += fresh
    assert not {p.prompt for p in tuning} & {p.prompt for p in testing}
    assert not {p.identity_seed for p in tuning} & {p.identity_seed for p in testing}


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


def test_a_table(figures):
    rows = (Row("off", {**BASE, **COW}), Row("again", {**BASE, **COW}), Row("on", {**BASE}))
    said: list[str] = []
    lines = run(figures, Judge.load(), rows, source("tuning", 2), said.append)
    header, rule, *body = lines
    assert said == body
    columns = {line.count("|") for line in (header, rule, *body)}
    assert len(columns) == 1
    assert body[1].endswith("| 0, 0 |")
    assert body[0].split("|")[2:] == body[1].split("|")[2:]
