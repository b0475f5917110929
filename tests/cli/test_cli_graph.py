"""`sow graph`, `--verify` and `--retries`."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from sow.benchmarks.figures.world.drawing import TUNING, make

BASE = ("generate", "--model", "figures", "--prompt", "a red ball left of a blue box in the snow",
        "--triple", "red ball,left of,blue box", "--seed", "1")  # fmt: skip


@pytest.fixture
def photo(tmp_path):
    """A drawing of somebody with something beside them."""
    seeds = iter(range(TUNING + 9_100_000, TUNING + 9_200_000))
    specs = ((drawing, drawing.spec) for drawing in map(make, seeds))
    drawing = next(
        drawing
        for drawing, spec in specs
        if spec.person and spec.relation == "left of" and spec.style == "none"
    )
    drawing.image.resize((300, 300)).save(tmp_path / "photo.png")
    return drawing.spec.things[0].kind


def test_a_graph_is_written_drawn_and_laid_out_again(run_sow, tmp_path, photo):
    words = ("graph", "photo.png", "--labels", f"person,{photo}", "--model", "figures")
    done = run_sow(*words, "--condition", "person", "--out", "scene.json", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("canvas") == [128, 128]
    assert told == json.loads((tmp_path / "scene.json").read_text())
    assert told["objects"][0]["condition"] is True
    assert Image.open(tmp_path / "photo-graph.png").size == (512, 512)

    refused = run_sow(*words, "--out", "scene.json")
    assert refused.returncode == 6
    assert not (tmp_path / "photo-graph-2.png").exists()
    again = run_sow("plan", "--model", "figures", "--face", "photo.png", "--prompt", "a person",
                    "--graph", "scene.json", "--out", "plan.json", "--no-draw")  # fmt: skip
    assert again.returncode == 0, again.stderr


def test_what_makes_no_graph_is_refused_in_a_line(run_sow, photo):
    for words, code in (
        (("photo.png", "--labels", "dog,dog"), 2),
        (("photo.png", "--labels", "dog", "--condition", "cat"), 2),
        (("no.png", "--labels", "dog"), 3),
        (("photo.png", "--labels", "dog", "--out", "photo.png"), 2),
    ):
        done = run_sow("graph", *words, "--model", "figures")
        assert done.returncode == code, done.stderr
        assert done.stderr.count("\n") == 1


def test_relations_are_looked_for_in_results(run_sow, tmp_path):
    done = run_sow(*BASE, "--verify", "--json", "--out", "a.png")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    (told,) = entry["relations"]
    assert told["predicate"] == "left of"
    said = {True: "holds", False: "cannot be seen", None: "cannot be judged"}[told["holds"]]
    assert f"{said}: ball left of box" in done.stderr
    assert told["reason"] in done.stderr


def test_what_the_model_does_not_know_is_not_said_to_hold(run_sow):
    words = ("generate", "--model", "figures", "--prompt", "a person riding a horse", "--verify",
             "--triple", "person,riding,horse", "--seed", "1", "--json")  # fmt: skip
    done = run_sow(*words)
    assert done.returncode == 0, done.stderr
    reason = "the model does not know horse, riding"
    assert f"cannot be judged: person riding horse ({reason})" in done.stderr
    (entry,) = json.loads(done.stdout)
    assert (entry["relations"][0]["holds"], entry["relations"][0]["reason"]) == (None, reason)


def test_another_seed_gives_its_name(run_sow, tmp_path):
    """A relation that no picture of this prompt has: all retries are used up, the best is kept."""
    plan = {"canvas": [128, 128], "prompt": "an empty beach", "box": [0, 0, 128, 128],
            "subject": "nothing", "suppress": "",
            "objects": [{"id": "a", "label": "ball"}, {"id": "b", "label": "car"}],
            "relations": [{"subject": "a", "predicate": "left of", "object": "b"}]}  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    words = ("generate", "--model", "figures", "--plan", "plan.json", "--seed", "5",
             "--retries", "1", "--json")  # fmt: skip
    done = run_sow(*words)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert entry["file"].endswith(f"-{entry['seed']}.png")
    assert entry["seed"] in (5, 6)
    assert (tmp_path / entry["file"]).exists()

    beside = run_sow("generate", "--recipe", entry["file"], "--retries", "2", "--out", "b.png")
    assert beside.returncode == 2
    assert "--recipe already decides everything" in beside.stderr
