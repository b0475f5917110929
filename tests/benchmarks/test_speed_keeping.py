"""`sow bench speed` over time: every preset, estimates, what is kept, going on, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from commands import NO_KEYS
from conftest import hear_interrupts

import sow.settings.settings
from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.benchmarks.speed import attention, cost, estimates, presets, report, sections
from sow.benchmarks.speed.estimates import SAMPLE_ESTIMATES, calls_of, samples_of
from sow.benchmarks.speed.report import DECISIVE, facts_of, targets_in
from sow.benchmarks.speed.sections import SECTIONS, Part, at_once, measured
from sow.benchmarks.speed.store import ReportStore
from sow.benchmarks.speed.subject import PLANTS_NOTHING, Subject, nothing
from sow.benchmarks.speed.tables import Section, Table
from sow.errors import DeviceError, OutputError, UsageError
from sow.pipeline.calls import count_forwards
from sow.settings.settings import BRANCHES, PRESETS, Settings
from sow.utils.representation import duration_text

QUICK = Settings(steps=4, t1=2, t2=3, cycles=1, preserve=(), outside="none")
SHORT = {
    "normal": {},
    "twin": {},
    "drawn": {"eta": 1.0},
    PLANTS_NOTHING: {
        "seed_canvas": "none",
        "inversion": "alone",
        "replant": 0,
        "cycles": 0,
        "alpha_plus": 0.0,
    },
}
"""Presets of few steps, two of them the same."""


@pytest.fixture
def subject(tiny):
    return Subject(tiny, "tiny", QUICK, sizes=(1, 2))


@pytest.fixture
def short(monkeypatch, tiny):
    """The presets of this project for as long as a test takes, and a model that has them."""
    quick = {name: QUICK.changed(**changes) for name, changes in SHORT.items()}
    for module in (sow.settings.settings, presets, cost, report):
        monkeypatch.setattr(module, "PRESETS", quick)
    return Subject(tiny, "tiny", QUICK, sizes=(1,))


def keeper_of(folder, subject, force=False, repeats=1):
    keeper = ReportStore(folder, tuple(SECTIONS), force)
    keeper.begin(facts_of(subject, repeats))
    return keeper


def run(subject, names, keeper, told=lambda line: None):
    return list(measured(subject, names, 1, keeper, told))


def rows_of(section):
    (table,) = section.tables
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def section(name, number=1.0):
    return Section(name, name.title(), [Table(("of", "number"), [(name, number)], "Said.")])


@pytest.fixture
def counted_sections(monkeypatch):
    """Three sections that count how often they are measured; any of them can be made to fail."""
    made, broken = [], {}

    def part(name):
        def measure(subject, repeats):
            if name in broken:
                raise broken[name]
            made.append(name)
            return section(name, len(made) + 0.1)

        return Part(f"what {name} measures", at_once(measure))

    names = ("calls", "wall", "start")
    for name in names:
        monkeypatch.setitem(SECTIONS, name, part(name))
    return names, made, broken


def test_every_preset_is_drawn_once_and_counted_at_the_door(short):
    with count_forwards(short.pipe.unet) as at_the_door:
        *_, found = presets.presets(short, 1, None)
    assert found.complete
    rows = rows_of(found)
    assert [row["preset"] for row in rows] == ["normal, twin", "drawn", PLANTS_NOTHING]
    warm = samples_of(short.settings)
    seen = sum(row["UNet samples"] for row in rows)
    assert at_the_door.samples == warm + 2 * seen  # each run, and its calls alone
    for row in rows:
        name = row["preset"].split(", ")[0]
        with count_forwards(short.pipe.unet) as one:
            full = short.pipe.preset(name).changed(outside="pair")
            short.picture(full, bare=name == PLANTS_NOTHING)()
        assert (row["UNet calls"], row["UNet samples"]) == (one.calls, one.samples)
        words = "none" if name == PLANTS_NOTHING else "pair"  # without a noun they cancel out
        assert max(shape[0] for shape in one.shapes) == BRANCHES[words]
        assert row["run, s"] > 0
        assert row["run / UNet calls"] > 0
        assert row["memory of the run, MiB more"] is None or row["memory in all, MiB"] > 0


def test_what_is_set_holds_for_every_preset_or_is_refused(short):
    changed = replace(short, changed=("outside=none", "eta=0.5"))
    (first, _) = presets.drawn(changed)
    assert first == "normal, twin, drawn"  # now they come to the same
    assert all(each.settings.outside == "none" for each in presets.drawn(changed).values())
    with pytest.raises(UsageError, match="the preset normal with these settings"):
        presets.drawn(replace(short, changed=("t1=4",)))


def test_the_presets_are_those_there_are(subject):
    names = [name for names in presets.drawn(subject) for name in names.split(", ")]
    assert sorted(names) == sorted(PRESETS)
    assert nothing(subject.pipe.canvas)[1].preset == PLANTS_NOTHING


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_presets_are_drawn_in_half_precision_too(short, dtype):
    """With all of attention's changes: what a CPU cannot do in bfloat16 would be seen here."""
    pipe = random_pipeline(TINY)
    pipe.set_progress_bar_config(disable=True)
    pipe.to("cpu", dtype)
    modulated = ("alpha_minus=0.5", "alpha_plus=0.7", "gate=ramp", "lambda_c=0.1")
    half = replace(short, pipe=pipe, changed=modulated)
    assert half.dtype == dtype
    *_, found = presets.presets(half, 1, None)
    assert len(rows_of(found)) == 3


@pytest.mark.parametrize("name", list(PRESETS))
def test_samples_are_known_before_a_picture_is_drawn(tiny, name):
    """At the UNet's door they are the same; an estimate needs no picture."""
    drawn = Subject(tiny, "tiny", QUICK)
    few = {"cycles": 2} if tiny.preset(name).cycles else {}
    settings = tiny.preset(name).changed(outside="pair", **few)
    bare = name == PLANTS_NOTHING
    with count_forwards(tiny.unet) as spent:
        drawn.picture(settings, bare=bare)()
    assert (sum(calls_of(settings, bare).values()), samples_of(settings, bare)) == (
        spent.calls, spent.samples)  # fmt: skip


@pytest.mark.parametrize(
    "name", [n for n in SAMPLE_ESTIMATES if SAMPLE_ESTIMATES[n] is not estimates.unknown_samples]
)
def test_estimates_are_of_what_a_section_asks(short, name, monkeypatch):
    """Within a quarter: not every device has every kind of attention."""
    monkeypatch.setattr(attention, "layers", lambda *_: Table((), ()))  # no matter of the UNet's
    words = SAMPLE_ESTIMATES[name](short, 1, None)
    short.pipe.warn, warn = (lambda line: None), short.pipe.warn
    seen = []

    def enter(_, args, kwargs):
        (count, _, height, width) = (args[0] if args else kwargs["sample"]).shape
        seen.append(count * height * width / 64)

    hook = short.pipe.unet.register_forward_pre_hook(enter, with_kwargs=True)
    try:
        *_, found = SECTIONS[name].grown(short, 1, None)
    finally:
        hook.remove()
        short.pipe.warn = warn
    assert found.complete
    assert words == pytest.approx(sum(seen), rel=1 / 4)


def test_every_section_has_an_estimate_or_says_that_it_has_none(short):
    assert set(SAMPLE_ESTIMATES) == set(SECTIONS)
    assert [
        name for name in SAMPLE_ESTIMATES if SAMPLE_ESTIMATES[name](short, 1, None) is None
    ] == ["start", "compile"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "duration unknown"), (3, "a few seconds"), (44, "about 40 s"),
     (99, "about 100 s"), (720, "about 12 min"), (3599, "about 1 h"), (8000, "about 2 h 10 min")],
)  # fmt: skip
def test_time_is_told_in_words(seconds, said):
    assert duration_text(seconds) == said


def test_what_comes_is_told_before_it(subject, counted_sections, monkeypatch, tmp_path):
    names, _, _ = counted_sections
    monkeypatch.setattr(sections, "sample_seconds", lambda subject: 2.0)
    monkeypatch.setitem(SAMPLE_ESTIMATES, "calls", lambda *_: 30)
    monkeypatch.setitem(SAMPLE_ESTIMATES, "wall", lambda *_: 330)
    said = []
    run(subject, names, keeper_of(tmp_path, subject), said.append)
    assert said == [
        "3 sections to measure: about 12 min, start: duration unknown",
        "calls: what calls measures; about 60 s",
        "wall: what wall measures; about 11 min",
        "start: what start measures; duration unknown",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError("a bug")])
def test_a_run_that_ends_goes_on_with_what_is_missing(subject, counted_sections, tmp_path, error):
    names, made, broken = counted_sections
    broken["wall"] = error
    with pytest.raises(BaseException, match="a bug" if isinstance(error, RuntimeError) else None):
        run(subject, names, keeper_of(tmp_path, subject))
    assert made == ["calls"]
    broken.clear()
    said = []
    found = run(subject, names, keeper_of(tmp_path, subject), said.append)
    assert made == ["calls", "wall", "start"]
    assert "calls: measured before" in said
    assert found == [section("calls", 1.1), section("wall", 2.1), section("start", 3.1)]
    text, data = targets_in(tmp_path)
    kept = json.loads(data.read_text(encoding="utf-8"))
    assert kept["sections"] == [each.data() for each in found]
    assert text.read_text(encoding="utf-8").count("\n## ") == 3
    run(subject, names, keeper_of(tmp_path, subject))
    assert made == ["calls", "wall", "start"]


def test_other_sections_are_added_in_their_order(subject, counted_sections, tmp_path):
    run(subject, ["start"], keeper_of(tmp_path, subject))
    run(subject, ["calls"], keeper_of(tmp_path, subject))
    kept = json.loads(targets_in(tmp_path)[1].read_text(encoding="utf-8"))
    assert [each["name"] for each in kept["sections"]] == ["calls", "start"]


def test_presets_go_on_in_the_middle(short, tmp_path, monkeypatch):
    drawn, own = [], presets.row_of

    def row_of(subject, name, each):
        if len(drawn) == 1:
            raise KeyboardInterrupt
        drawn.append(name)
        return own(subject, name, each)

    monkeypatch.setattr(presets, "row_of", row_of)
    keeper = keeper_of(tmp_path, short)
    with pytest.raises(KeyboardInterrupt):
        run(short, ["presets"], keeper)
    assert "a part of presets saved in" in keeper.summary()
    text, data = targets_in(tmp_path)
    assert "## Presets with all branches, so far\n" in text.read_text(encoding="utf-8")
    first = json.loads(data.read_text(encoding="utf-8"))["sections"][0]["tables"][0]["rows"]

    monkeypatch.setattr(presets, "row_of", own)
    keeper = keeper_of(tmp_path, short)
    left = SAMPLE_ESTIMATES["presets"](short, 1, keeper.before("presets"))
    with count_forwards(short.pipe.unet) as spent:
        (found,) = run(short, ["presets"], keeper)
    rows = rows_of(found)
    assert found.complete
    assert rows[0] == first[0]  # as it was measured, not again
    assert [row["preset"] for row in rows] == ["normal, twin", "drawn", PLANTS_NOTHING]
    told = BRANCHES[short.settings.outside]  # the call by which the time is told, and one before
    assert spent.samples == left + 2 * told
    assert "so far" not in text.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"name": "another"}, "measured tiny, .* there, another, .* here"),
        ({"bare_calls": 2}, "bare calls at most 1000 of each shape there, at most 2 of"),
        ({"sizes": (1,)}, "batches 1, 2 there, 1 here"),
        ({"settings": QUICK.changed(eta=0.5)}, "settings .* there, .* here"),
    ],
)
def test_other_runs_are_not_mixed(subject, counted_sections, tmp_path, other, said):
    names, made, _ = counted_sections
    run(subject, names, keeper_of(tmp_path, subject))
    before = [path.read_bytes() for path in targets_in(tmp_path)]
    with pytest.raises(OutputError, match=f"was measured under other conditions: {said}"):
        keeper_of(tmp_path, replace(subject, **other))
    assert [path.read_bytes() for path in targets_in(tmp_path)] == before
    run(replace(subject, **other), names[:1], keeper_of(tmp_path, replace(subject, **other), True))
    kept = json.loads(targets_in(tmp_path)[1].read_text(encoding="utf-8"))
    assert [each["name"] for each in kept["sections"]] == ["calls"]
    assert made == [*names, "calls"]


@pytest.mark.parametrize("fact", DECISIVE)
def test_each_decisive_fact_is_looked_at(subject, counted_sections, tmp_path, fact):
    run(subject, ["calls"], keeper_of(tmp_path, subject))
    keeper = ReportStore(tmp_path, tuple(SECTIONS))
    with pytest.raises(
        OutputError, match=f"was measured under other conditions: {fact} .* there, else here"
    ):
        keeper.begin({**facts_of(subject, 1), fact: "else"})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"sections": 3}', '{"sections": [{"name": "calls"}]}',
             '{"sections": [{"name": "a", "title": "b", "tables": [{"columns": ["x"], "rows": '
             '[{"x": []}], "said": ""}]}]}'],
)  # fmt: skip
def test_what_is_no_report_is_left_alone(tmp_path, text):
    file = targets_in(tmp_path)[1]
    file.write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match="is not a report of `sow bench speed`"):
        ReportStore(tmp_path, tuple(SECTIONS))
    assert file.read_text(encoding="utf-8") == text
    ReportStore(tmp_path, tuple(SECTIONS), force=True)


def test_somebody_s_page_is_not_overwritten(tmp_path):
    targets_in(tmp_path)[0].write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists"):
        ReportStore(tmp_path, tuple(SECTIONS))


def test_reports_of_before_there_was_going_on_are_refused(subject, tmp_path):
    old = {"measured": "figures", "sections": []}
    targets_in(tmp_path)[1].write_text(json.dumps(old), encoding="utf-8")
    with pytest.raises(OutputError, match="settings unknown there"):
        keeper_of(tmp_path, subject)


def test_a_device_that_is_too_small_is_told_and_the_rest_kept(subject, counted_sections, tmp_path):
    names, _, broken = counted_sections
    broken["wall"] = RuntimeError("CUDA out of memory. Tried to allocate")
    keeper = keeper_of(tmp_path, subject)
    with pytest.raises(DeviceError, match="too little memory for the section wall"):
        run(subject, names, keeper)
    assert "calls saved in" in keeper.summary()


def test_a_bar_fills_by_samples_and_leaves_the_unet_alone(subject, monkeypatch):
    class Bar:
        disable, n, total, closed = False, 0.0, 0.0, False

        def update(self, share):
            self.n += share

        def close(self):
            self.closed = True

    bar = Bar()

    def made(said, total):
        bar.total = total
        return bar

    monkeypatch.setattr(sections, "progress_bar", made)
    unet = subject.pipe.unet
    with sections.progress(subject, "wall", 6):
        subject.unet((2, 4, 8, 8))()
        subject.unet((1, 4, 16, 8))()  # a canvas twice as large counts twice
        assert bar.n == 4
        subject.unet((9, 4, 8, 8))()
        assert bar.n == 6  # never more than all
    assert bar.closed
    bar.disable = True
    with sections.progress(subject, "wall", 6):
        assert not unet._forward_pre_hooks  # away from a terminal nothing is counted


@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent otherwise there")
def test_an_interrupt_says_what_is_kept(run_sow, tiny_folder, tmp_path):
    words = ["bench", "speed", "--sections", "calls,start", "--out", "kept", "--repeats", "1000",
             "--model", str(tiny_folder)]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from sow.cli.entry import run; run()", *words], cwd=tmp_path,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env={**os.environ, **NO_KEYS}, preexec_fn=hear_interrupts,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("start:"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(30) == 130
    assert rest == "sow: interrupted; calls saved in kept: run the same command to resume\n"
    assert "Traceback" not in "".join(lines)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"speed.md", "speed.json"}
    words[words.index("calls,start")] = "calls"
    again = run_sow(*words)
    assert again.returncode == 0, again.stderr
    assert "calls: measured before" in again.stderr
    other = run_sow(*words, "--bare-calls", 3)
    assert other.returncode == 6
    assert "bare calls at most 1000 of each shape there" in other.stderr
    assert "--force to start over" in other.stderr
