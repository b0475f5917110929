"""Outlines judged by a multimodal model: the vendors' own clients over HTTP, on loopback."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from conftest import FIGURES
from mllm_server import whole
from PIL import Image
from planner_helpers import KEY, asker_of
from test_bench import typed
from tv2i_runs import head

from sow.benchmarks.tv2i.metrics.base import measure
from sow.benchmarks.tv2i.metrics.outline_judge import MOST_FAILURES, OutlineJudge, outline_judge
from sow.benchmarks.tv2i.runs import read_results
from sow.errors import PlannerError, UsageError


class Looked:
    """As much of a case as the judge looks at."""

    def __init__(self, picture: Image.Image | None) -> None:
        self.result = self.picture = picture


def yes(asked) -> str:
    return json.dumps({"truncated": "yes"})


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SOW_CONFIG", str(tmp_path / "config"))


def cases(count: int = 3) -> list:
    return [Looked(head(96, "#c98d5f", "#456", shift)) for shift in range(count)]


def judged(server, some, name: str = "openai") -> list:
    judge = OutlineJudge(asker_of(name, server, retries=0))
    return [scores[judge.name] for scores in measure([judge], some)]


@pytest.mark.parametrize("name", ["openai", "gemini", "legacy"])
def test_one_question_about_each_picture(server, name):
    some = cases(2)
    pixels = {np.asarray(case.picture).tobytes(): n for n, case in enumerate(some)}

    def reply(asked) -> str:
        sent = Image.open(io.BytesIO(asked.picture))
        assert sent.info == {}
        return json.dumps({"truncated": ("yes", "no")[pixels[np.asarray(sent).tobytes()]]})

    server.reply = reply
    assert [score.value for score in judged(server, some, name)] == [1.0, 0.0]
    assert len(server.asked) == 2
    for asked in server.asked:
        assert set(asked.schema["properties"]) == {"truncated"}
        assert "cut off where it should go on" in asked.prompt
        assert asked.model == "some-model"
        assert KEY not in json.dumps(asked.body) + asked.path


def test_answers_are_kept_and_not_paid_for_twice(server, tmp_path):
    server.reply = yes
    some = cases(2)
    assert [score.value for score in judged(server, some)] == [1.0, 1.0]
    assert [score.value for score in judged(server, cases(2))] == [1.0, 1.0]
    assert len(server.asked) == 2
    # An entry that is not a legal answer is ignored.
    for file in (tmp_path / "cache" / "outlines").glob("*.json"):
        entry = json.loads(file.read_text())
        file.write_text(json.dumps({**entry, "answer": {"truncated": "maybe"}}))
    assert [score.value for score in judged(server, cases(2))] == [1.0, 1.0]
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"truncated": "maybe"}', "no legal answer: truncated"),
        ('{"truncated": true}', "no legal answer: truncated"),
        ('{"sure": "yes"}', "no legal answer: truncated"),
        ("Yes, it is.", "no legal answer: it has no JSON object"),
        ("[]", "no legal answer"),
        (whole("openai", None, refusal="I will not look at people"), "refused: "),
        ((500, {"error": {"message": "broken"}}), "openai: "),
        ((401, {"error": {"message": f"bad key {KEY}"}}), "openai: "),
        (b"\xff\xfe", "openai: "),
    ],
)
def test_what_is_no_answer_is_a_missing_score_with_its_reason(server, answer, why, tmp_path):
    server.reply = lambda asked: answer if not isinstance(answer, bytes) else (200, answer)
    (score,) = judged(server, cases(1))
    assert score.value is None
    assert score.missing.startswith(why)
    assert KEY not in score.missing
    assert not list((tmp_path / "cache").rglob("*.json"))  # it is asked again
    server.reply = yes
    assert judged(server, cases(1))[0].value == 1.0


def test_one_that_fails_does_not_cost_the_others(server):
    some = cases(4)
    bad = np.asarray(some[1].picture)

    def reply(asked) -> str:
        sent = np.asarray(Image.open(io.BytesIO(asked.picture)))
        return "no JSON" if np.array_equal(sent, bad) else yes(asked)

    server.reply = reply
    assert [score.value for score in judged(server, some)] == [1.0, None, 1.0, 1.0]


def test_a_server_that_is_not_there_is_not_asked_for_ever(server):
    server.reply = lambda asked: (500, {"error": {"message": "broken"}})
    scores = judged(server, cases(3 * MOST_FAILURES))
    assert all(score.value is None for score in scores)
    assert len(server.asked) < 3 * MOST_FAILURES
    assert scores[-1].missing.startswith("not asked any more: openai: ")


def test_pictures_that_are_not_there_are_not_asked_about(server):
    judge = OutlineJudge(asker_of("openai", server))
    judge.prepare([Looked(None)])
    assert not server.asked


def test_a_judge_needs_its_key_and_its_name(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PlannerError, match="no API key"):
        outline_judge("openai")
    with pytest.raises(UsageError, match="unknown outline judge 'offline'"):
        outline_judge("offline")


def test_it_is_a_column_of_the_bench(server, figures_run, monkeypatch):
    """By the command, with the addresses of the environment, as planning has them."""
    server.reply = yes
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.address}/v1")
    monkeypatch.setenv("SOW_PLANNER_KEY", KEY)
    code, said = typed(*FIGURES, "--out", figures_run, "--outline-judge", "openai")
    assert code == 0, said
    assert f"at {server.address.removeprefix('http://')}" in said
    assert len(server.asked) == 6
    results = read_results(figures_run)
    assert all(one.scores["truncated_mllm"] == 1 for one in results.outcomes)
    (column,) = [one for one in results.run.measures if one.name == "truncated_mllm"]
    assert "(question outline 1)" in column.note
    assert "Truncated, by a model ↓" in (figures_run / "report.md").read_text()
    assert typed(*FIGURES, "--out", figures_run, "--outline-judge", "openai")[0] == 0
    assert len(server.asked) == 6
