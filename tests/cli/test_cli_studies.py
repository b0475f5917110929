"""Looking inside from the command line: `--explain` and `sow bench interference`, its forecast."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image

from sow.benchmarks.figures.studies.interference import KINDS, interference
from sow.benchmarks.studies import STUDIES
from sow.cli.long_runs import Forecast

FACE = EXAMPLES / "drawn-beard.png"
BASE = ("generate", "--model", "figures", "--set", "cycles=2", "--seed", "1", "--face", FACE,
        "--prompt", "a person in a red coat", "--out", "a.png")  # fmt: skip


def test_explain_writes_a_sheet_beside_each_picture_and_changes_nothing(run_sow, tmp_path):
    plain = run_sow(*BASE)
    assert plain.returncode == 0, plain.stderr
    picture = (tmp_path / "a.png").read_bytes()
    done = run_sow(*BASE, "--explain", "--force", "--json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").read_bytes() == picture
    assert json.loads(done.stdout)[0]["explained"] == "a.explain.png"
    sheet = np.asarray(Image.open(tmp_path / "a.explain.png"))
    # Two flow maps, six words, a plan, a curve: a page that is neither blank nor one picture.
    assert sheet.shape[0] > 500
    assert sheet.shape[1] > 640
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 2000

    again = run_sow(*BASE[:-1], "b.png", "--explain", "--num", "2")
    assert again.returncode == 0, again.stderr
    for name in ("b-1.explain.png", "b-2.explain.png"):
        assert (tmp_path / name).exists()


def test_explain_overwrites_nothing(run_sow, tmp_path):
    (tmp_path / "a.explain.png").write_text("precious")
    refused = run_sow(*BASE, "--explain")
    assert refused.returncode == 6
    assert "exists" in refused.stderr
    assert not (tmp_path / "a.png").exists()
    clash = run_sow(*BASE, "--explain", "--save-cycles", "a.explain.png", "--force")
    assert clash.returncode == 2
    assert "written twice" in clash.stderr
    assert (tmp_path / "a.explain.png").read_text() == "precious"


def test_interference_grows_with_noise_and_attention_steers_it(figures):
    """The paper's Fig. 4: merged near the noise, halves blend; enhanced more, suppressed less."""
    result = interference(figures, steps=6, strength=0.8)
    moved = {kind: result.moved[kind].mean(1) for kind in KINDS}
    assert all(len(result.images[kind]) == 7 for kind in KINDS)
    for kind in KINDS:
        assert moved[kind][0] == pytest.approx(moved["plain"][0])  # nothing is denoised there
    assert moved["plain"][-1] > 1.3 * moved["plain"][0]
    late = slice(2, None)
    assert (moved["enhanced"][late] > moved["plain"][late]).all()
    assert (moved["suppressed"][late] < moved["plain"][late]).all()
    nothing = interference(figures, steps=3, strength=1e-6)
    for kind in KINDS:
        assert np.allclose(nothing.moved[kind], nothing.moved["plain"], atol=0.05)


def test_the_command_writes_a_sheet_and_the_numbers(run_sow, tmp_path):
    done = run_sow("bench", "interference", "--model", "figures", "--steps", "3", "--out", "f.png",
                   "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert set(data["moved"]) == set(KINDS)
    table = (tmp_path / "f.md").read_text()
    assert f"{data['moved']['plain'][3][0]:.1f}, {data['moved']['plain'][3][1]:.1f}" in table
    assert Image.open(tmp_path / "f.png").width > 400
    refused = run_sow("bench", "interference", "--model", "figures", "--out", "f.png")
    assert refused.returncode == 6
    assert run_sow("bench", "interference", "--out", "f.jpg").returncode == 2


def test_the_studies_are_listed_with_what_they_take_and_their_tables(run_sow):
    listed = run_sow("bench", "study")
    assert listed.returncode == 0, listed.stderr
    for study in STUDIES:
        assert f"{study.name}: {study.question}" in listed.stdout
        assert f"{study.duration} on one core; {study.table}" in listed.stdout
    helped = run_sow("bench", "study", "relations", "--help")
    assert {"--count", "--first", "--tuning", "--workers", "--out", "--force"} <= set(
        helped.stdout.split()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("recognizable",), "unknown study 'recognizable'; did you mean 'recognisable'?"),
        (("modulation", "sheat"), "unknown table 'sheat'; did you mean 'sheet'?"),
        (
            ("recognisable", "fresh", "--setting", "x"),
            "unknown setting 'x'; choose one of normal, ",
        ),
        (("mattes", "--count", "0"), "--count"),
        (("mattes", "--out", "taken"), "the folder 'taken' cannot be created"),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else "",
)
def test_what_makes_no_sense_is_told_in_a_line(run_sow, tmp_path, words, said):
    (tmp_path / "taken").write_text("a file")
    refused = run_sow("bench", "study", *words)
    assert refused.returncode in (2, 6)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_study_writes_where_it_is_told_and_nothing_over(run_sow, tmp_path):
    words = ("bench", "study", "mattes", "--count", "2", "--out", "here")
    done = run_sow(*words, "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    table = tmp_path / "here" / "mattes.md"
    assert "`sow bench study mattes --count 2`" in table.read_text(encoding="utf-8")
    table.write_text("precious")
    refused = run_sow(*words)
    assert refused.returncode == 6
    assert "exists" in refused.stderr
    assert table.read_text() == "precious"
    assert run_sow(*words, "--force").returncode == 0
    assert table.read_text() != "precious"


def test_the_end_is_estimated_from_the_first_picture_and_again_at_every_method():
    said: list[str] = []
    now = [0.0]
    forecast = Forecast(61, said.append, lambda: now[0])
    forecast.begin()
    assert said == []  # nothing is known yet
    now[0] = 100.0  # of which the model took 98
    forecast.add(1, 2.0)
    assert said[-1].startswith("about 2 min for 60 more pictures, if all are like the first")
    now[0] += 20.0
    forecast.add(2, 4.0)
    forecast.begin()
    assert said[-1] == "about 7 min left, for 58 pictures"
    forecast.add(58, 0.0)  # were there before
    forecast.begin()
    assert len(said) == 2
