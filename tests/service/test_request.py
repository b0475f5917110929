"""One declaration of a field serves every front: command line, Python, manifests, planners."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer
from commands import run_here
from typer.testing import CliRunner

import sow
from sow.batch.manifest.cell_values import FIELDS_BY_NAME, from_text
from sow.batch.manifest.job import TV2IJob
from sow.cli.request_options import with_request
from sow.planners.request import RESULT, option, options_of
from sow.service.request import Generation, Request
from sow.service.resolved import ResolvedRequest, read_request

FACE = Path("examples/drawn-beard.png")
RULES = sow.PlannerChoice("offline")


def command(record):
    """A program of one command that remembers the record it was given."""
    app, seen = typer.Typer(), []

    @app.command()
    @with_request(record)
    def run(request, loud: bool = False) -> None:
        seen.append((request, loud))

    return app, seen


def test_a_field_that_is_declared_is_an_option_of_the_command_line():
    @dataclass(frozen=True)
    class More(Request):
        grain: float | None = option(
            "How grainy.", RESULT, json=float, argument=float, minimum=0, maximum=1
        )

    app, seen = command(More)
    runner = CliRunner()
    assert runner.invoke(app, ["--face", "a.png", "--grain", "0.5", "--loud"]).exit_code == 0
    assert seen == [(More(image=Path("a.png"), grain=0.5), True)]
    assert "How grainy." in runner.invoke(app, ["--help"]).output
    assert runner.invoke(app, ["--grain", "2"]).exit_code == 2


def test_options_that_may_be_repeated_are_lists_and_are_none_without():
    app, seen = command(Request)
    CliRunner().invoke(app, ["--related", "body=1,2,8,8", "--related", "hat=3,4,8,8"])
    CliRunner().invoke(app, [])
    assert seen[0][0].related == ["body=1,2,8,8", "hat=3,4,8,8"]
    assert seen[1][0] == Request()


def test_python_takes_the_same_fields_with_the_same_defaults():
    arguments = inspect.signature(sow.generate).parameters
    for name, (declared, described) in options_of(Generation).items():
        assert arguments[name].default == declared.default
        assert described.help in sow.generate.__doc__


def test_every_field_of_a_request_is_a_field_of_a_job_and_a_column_of_a_table():
    for name, (_, described) in options_of(Request).items():
        for written in (name, *described.aliases):
            assert FIELDS_BY_NAME[written] == name
    job = TV2IJob.parse({"face": "a.png", "prompt": "a man", "likeness": 1, "suppress": "cat"})
    assert job.request() == Request("a.png", "a man", likeness=1.0, suppress="cat")
    assert from_text("suppress", "cat") == "cat"
    both = TV2IJob.parse({"face": "a.png", "prompt": "a man", "negative_prompt": "hat"})
    assert both.request() == Request("a.png", "a man", negative="hat")
    assert from_text("canvas", "64x48") == [64, 48]


def test_what_is_read_keeps_every_field_and_converts_shorthands():
    asked = Request(FACE, "a man", canvas="128x96", box="8,8,48,48", related=["hat=8,0,48,16"],
                    settings={"cycles": 1}, likeness=0.5)  # fmt: skip
    read = read_request(asked)
    assert isinstance(read, ResolvedRequest)
    assert (read.canvas, read.box.corners) == ((128, 96), (8, 8, 56, 56))
    assert [(r.label, r.box.corners) for r in read.related] == [("hat", (8, 0, 56, 16))]
    assert (read.settings, read.likeness, read.name) == ({"cycles": 1}, 0.5, "drawn-beard")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"related": ["=1,2,3,4"]}, "has no name"),
        ({"related": ["hat=1,2"]}, "related region"),
        ({"canvas": "bigxbig"}, "not a canvas"),
        ({"canvas": "512x"}, "not a canvas"),
        ({"canvas": "4x4"}, "not a canvas"),
        ({"canvas": "9" * 5000}, "not a canvas"),
        ({"suppress": 5}, "suppress= is an int"),
        ({"suppress": "x" * 201}, "too long"),
    ],
)
def test_text_that_cannot_be_read_is_refused(fields, says):
    with pytest.raises(sow.SowError, match=says):
        read_request(Request(FACE, "a man", **fields))


def test_the_noun_to_suppress_is_the_users_where_it_is_given():
    service = sow.Service("figures", device="cpu", planner=RULES)
    asked = Request(FACE, "a man in the forest")
    assert service.plan(asked).plan.suppress == "human face"
    assert service.plan(replace(asked, suppress="a beard")).plan.suppress == "a beard"
    assert service.plan(replace(asked, suppress="")).plan.suppress == ""
    pair = replace(asked, suppress="a beard", settings={"outside": "pair"})
    without = replace(asked, suppress="a beard", settings={"outside": "none"})
    assert not any("suppress" in note for note in service.resolve(pair).notes)
    assert any("has no effect" in note for note in service.resolve(without).notes)


def test_the_noun_to_suppress_on_the_command_line(tmp_path):
    out = tmp_path / "plan.json"
    done = run_here(
        tmp_path, "plan", "--model", "figures", "--planner", "offline", "--face", FACE.resolve(),
        "--prompt", "a man",
        "--suppress", "second head", "--no-draw", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sow.Plan.read(out).suppress == "second head"


def test_a_job_is_checked_where_it_is_made_and_holds_json():
    job = TV2IJob(image=Path("a.png"), prompt="a man", canvas=(64, 48))
    assert (job.image, job.canvas) == ("a.png", [64, 48])
    assert TV2IJob.from_json(job.as_json()) == job
    for wrong in ({"count": 0}, {"seed": -1}, {"likeness": 2}, {"image": 5}, {"setting": "warp"}):
        with pytest.raises(sow.SowError):
            TV2IJob(**{"image": "a.png", "prompt": "a man", **wrong})
    with pytest.raises(ValueError, match="cannot name files"):
        TV2IJob(id="../a", image="a.png", prompt="a man")
