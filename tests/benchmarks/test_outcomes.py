"""Outcomes and runs on disk: whole, and read as strangers' files."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError
from tv2i_runs import METHODS, drawn_run

from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, read_outcomes, write_outcomes
from sow.benchmarks.tv2i.runs import RUN, Results, Run, read_results, read_run, write_run
from sow.errors import OutputError, UsageError

GIVEN = {
    "method": "sow", "pair": "normal-000", "setting": "normal", "prompt": "a person", "person": 3,
    "seed": 2**63, "file": "sow/a.png", "condition": "conditions/a.png",
    "scores": {"id": 0.5, "face": None}, "missing": {"face": "too small"}, "error": None,
    "seconds": 1.5, "samples": 60, "calls": 20,
}  # fmt: skip


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_outcomes_come_back_as_they_were(tmp_path):
    one = Outcome(**GIVEN)
    two = Outcome(**{**GIVEN, "pair": "ü\u2028 b", "file": None, "error": "out of memory",
                     "scores": {}, "missing": {}})  # fmt: skip
    path = tmp_path / OUTCOMES
    write_outcomes(iter([one, two]), path)
    assert list(read_outcomes(path)) == [one, two]
    assert path.read_text(encoding="utf-8").count("\n") == 2
    assert json.loads(path.read_text(encoding="utf-8").split("\n")[0])["person"] == 3
    with pytest.raises(OutputError, match="exists"):
        write_outcomes([], path)


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path):
    def broken():
        yield Outcome(**GIVEN)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_outcomes(broken(), tmp_path / OUTCOMES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "../../etc/passwd"}, "points outside"),
        ({"file": "/etc/passwd"}, "not a name inside"),
        ({"condition": "a\\..\\b"}, "not a name inside"),
        ({"file": "C:/x.png"}, "not a name inside"),
        ({"file": None}, "either a file or an error"),
        ({"error": "lost"}, "either a file or an error"),
        ({"scores": {"id": None}}, "missing without a reason"),
        ({"missing": {"id": "?", "face": "?"}}, "there is a score"),
        ({"scores": {"id": True}}, "valid number"),
        ({"scores": {"id": "0.5"}}, "valid number"),
        ({"setting": "other"}, "setting"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"samples": -3}, "samples"),
        ({"method": ""}, "method"),
        ({"extra": 1}, "extra"),
        ({"prompt": "x" * 20_001}, "prompt"),
    ],
)
def test_lines_that_are_none_are_refused(tmp_path, change, said):
    path = write(tmp_path / OUTCOMES, GIVEN, {**GIVEN, **change})
    with pytest.raises(UsageError, match="line 2") as caught:
        list(read_outcomes(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"a": 1, "a": 2}', '{"seed": NaN}', "\x00", "[" * 9999]
)
def test_lines_that_are_no_json_are_refused(tmp_path, line):
    path = tmp_path / OUTCOMES
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match="line 1"):
        list(read_outcomes(path))


def test_numbers_that_are_none_are_not_even_made():
    with pytest.raises(ValidationError):
        Outcome(**{**GIVEN, "scores": {"id": float("nan")}})


def test_runs_come_back_as_they_were(tmp_path):
    run = drawn_run(tmp_path, pairs=1).run
    assert read_run(tmp_path / RUN) == run
    with pytest.raises(OutputError, match="exists"):
        write_run(run, tmp_path / RUN)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 99}, "version 99"),
        ({"methods": []}, "methods"),
        ({"methods": [{"name": "a"}, {"name": "a"}]}, "there twice"),
        ({"measures": [{"name": "a", "better": "bigger"}]}, "better"),
        ({"pairs": -1}, "pairs"),
    ],
)
def test_runs_that_are_none_are_refused(tmp_path, change, said):
    path = tmp_path / RUN
    given = Run(benchmark="x", pairs=1, methods=METHODS).model_dump(mode="json")
    path.write_text(json.dumps({**given, **change}))
    with pytest.raises(UsageError, match=said):
        read_run(path)


def test_results_have_every_picture_once_and_no_strange_method(tmp_path):
    made = drawn_run(tmp_path, pairs=1)
    assert len(made.outcomes) == 9
    with pytest.raises(UsageError, match="twice"):
        Results(tmp_path, made.run, (*made.outcomes, made.outcomes[0]))
    with pytest.raises(UsageError, match="unknown method 'other'"):
        Results(tmp_path, made.run, (Outcome(**{**GIVEN, "method": "other"}),))
    (tmp_path / RUN).unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        read_results(tmp_path)
