"""How commands end: what is written beside the pictures, what is said last, and when nothing is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import noise_picture
from PIL import Image

from sow.cli.generate import what_next
from sow.cli.main import main
from sow.cli.paths import contact_sheet_path, explanation_path, path_of_seed
from sow.service.request import Generation
from sow.settings.settings import Settings
from sow.utils.files import unused_path


@pytest.fixture
def sow_here(tmp_path, tiny_folder, monkeypatch, capsys):
    """Runs a command in this process, in an empty folder, with the tiny model and a masked face."""
    monkeypatch.chdir(tmp_path)
    noise_picture(1).save("face.png")
    Image.new("L", (48, 40), 255).save("mask.png")
    given = ("--model", str(tiny_folder), "--face", "face.png", "--mask", "mask.png", "--prompt",
             "a man", "--planner", "offline", "--box", "16,8,32,32")  # fmt: skip

    def run(command: str, *words: object):
        monkeypatch.setattr(sys, "argv", ["sow", command, *given, *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


QUICK = ("--set", "cycles=1", "--seed", "7")


def test_several_pictures_come_with_a_sheet_of_them_and_what_was_planted(sow_here, tmp_path):
    code, out, err = sow_here("generate", *QUICK, "--num", 2, "--out", "a/b/", "--save-cycles",
                              "cycles.png", "--json")  # fmt: skip
    assert code == 0, err
    assert sorted(file.name for file in (tmp_path / "a" / "b").iterdir()) == [
        "face-a-man-7-sheet.png", "face-a-man-7.png", "face-a-man-8.png",
    ]  # fmt: skip
    assert [entry["sheet"] for entry in json.loads(out)] == ["a/b/face-a-man-7-sheet.png"] * 2
    assert "cycles.png" in err
    assert "next:" not in err  # nobody sits there
    page = np.asarray(Image.open(tmp_path / "a/b/face-a-man-7-sheet.png").convert("RGB"), int)
    side = Image.open(tmp_path / "a/b/face-a-man-7.png").width
    for place, name in ((1, "face-a-man-7.png"), (2, "face-a-man-8.png")):
        made = np.asarray(Image.open(tmp_path / "a/b" / name).convert("RGB"), int)
        left = place * (side + 6)
        assert np.array_equal(page[24 : 24 + side, left : left + side], made)
    planted = page[24 : 24 + side, :side]
    assert (planted[0, 0] == 128).all()
    assert planted[8:40, 16:48].std() > 20


def test_a_single_picture_and_who_wants_none_have_no_sheet(sow_here, tmp_path):
    assert sow_here("generate", *QUICK, "--out", "one.png")[0] == 0
    assert sow_here("generate", *QUICK, "--out", "b.png", "--num", 2, "--no-sheet")[0] == 0
    assert list(tmp_path.glob("*sheet*")) == []


def test_quiet_says_nothing_but_errors_and_data(sow_here):
    code, out, err = sow_here("generate", *QUICK, "--out", "q.png", "--quiet", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)[0]["file"] == "q.png"
    code, out, err = sow_here("generate", *QUICK, "--out", "q.png", "-q")
    assert (code, out) == (6, "")
    assert err == "sow: 'q.png' exists; choose another name, or --force\n"
    code, _, err = sow_here("plan", "--no-draw", "--out", "p.json")
    assert code == 0
    assert "written: p.json\n" in err  # what was said once holds for one run


def test_at_a_terminal_the_last_line_names_what_to_do_next(sow_here, monkeypatch):
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    code, _, err = sow_here("generate", *QUICK, "--out", "o n e.png")
    assert code == 0
    assert err.splitlines()[-1].startswith("next: sow show 'o n e.png', --num 4, --likeness 0.3")


def test_what_was_done_already_is_not_proposed(tmp_path):
    assert "--num" not in what_next(tmp_path, Generation(image="a.png", num=4))
    assert "--likeness" not in what_next(tmp_path, Generation(image="a.png", likeness=0.5))
    assert "--num" not in what_next(tmp_path, Generation())  # of a recipe


def test_a_drawing_that_nobody_named_is_in_no_ones_way(sow_here, tmp_path):
    for name in ("face-plan.png", "face-plan-2.png", "face-plan-3.png"):
        code, _, err = sow_here("plan")
        assert code == 0, err
        assert f"drawn: {name}," in err
    before = (tmp_path / "face-plan.png").read_bytes()
    (tmp_path / "plans").mkdir()
    code, _, err = sow_here("plan", "--out", "plans/mine.json")
    assert (code, "drawn: plans/face-plan.png" in err) == (0, True)
    assert {path.name for path in (tmp_path / "plans").iterdir()} == {"mine.json", "face-plan.png"}
    assert sow_here("plan", "--draw", "face-plan.png")[0] == 6
    assert (tmp_path / "face-plan.png").read_bytes() == before
    assert sow_here("plan", "--force")[0] == 0
    assert len(list(tmp_path.glob("face-plan*"))) == 3


def test_what_would_be_sent_is_printed_whatever_is_there(sow_here, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-secret")
    (tmp_path / "face-plan.png").write_text("mine")
    before = sorted(tmp_path.iterdir())
    code, out, err = sow_here("plan", "--planner", "openai", "--dry-run", "--out", "face-plan.png")
    assert (code, json.loads(out)["vendor"]) == (0, "openai"), err
    assert sorted(tmp_path.iterdir()) == before


def test_names_that_nobody_chose_are_counted_up(tmp_path):
    first = tmp_path / "a.png"
    assert unused_path(first, False) == first
    first.symlink_to("nowhere")
    assert unused_path(first, False) == tmp_path / "a-2.png"
    assert unused_path(first, True) == first
    targets = [tmp_path / "x-1.png", tmp_path / "x-2.png"]
    assert contact_sheet_path(targets, tmp_path / "x.png", False) == tmp_path / "x-sheet.png"
    assert contact_sheet_path(targets, tmp_path, False) == tmp_path / "x-1-sheet.png"


def test_another_seeds_name_replaces_nothing(tmp_path):
    """It is known only once the picture is made, when nobody asks what is read any more."""
    asked, read = tmp_path / "a-1.png", tmp_path / "a-7.png"
    read.write_text("mine")
    (tmp_path / "a-7-2.explain.png").write_text("mine")
    sheet = asked.with_suffix(".explain.png")
    made = path_of_seed(asked, None, 1, 7)
    assert made == tmp_path / "a-7-2.png"
    assert explanation_path(made, asked, sheet) == tmp_path / "a-7-2.explain-2.png"
    assert path_of_seed(asked, None, 1, 8) == tmp_path / "a-8.png"
    assert explanation_path(tmp_path / "a-8.png", asked, sheet) == tmp_path / "a-8.explain.png"
    for out, seed in ((tmp_path / "x.png", 7), (None, 1)):
        assert path_of_seed(asked, out, 1, seed) == asked
    assert explanation_path(asked, asked, sheet) == sheet


def test_settings_are_told_in_words_and_as_the_model_has_them(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["sow", "settings", "--model", "figures"])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    rows = [line.split() for line in out.splitlines() if line.strip() and line[0] != " "]
    lines = {name: cells for name, *cells in rows}
    assert lines["outside"][:2] == ["none", "checkpoint"]
    assert lines["steps"][:3] == ["10", "paper,", "Sec."]
    told = "".join(out.split())
    for field in Settings.model_fields.values():
        for word in field.description.split():
            assert word in told, word


def test_help_is_in_panels_and_begins_with_examples(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sow", "generate", "--help"])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    places = [out.index(text) for text in (
        'sow generate img.png "an old person"', "The picture", "The plan",
        "The model", "The result", "The planner",
    )]  # fmt: skip
    assert places == sorted(places)
    assert out.count("sow generate") >= 3


@pytest.mark.parametrize(
    ("words", "says"), [("sow gen", "generate"), ("sow generate --liken", "--likeness")]
)
def test_shells_complete_commands_and_options(words, says):
    env = {**os.environ, "_SOW_COMPLETE": "complete_bash", "COMP_WORDS": words,
           "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
    code = "import sys; sys.argv = ['sow']; from sow.cli.entry import run; run()"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.split() == [says]
