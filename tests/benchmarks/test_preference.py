"""Pages of questions, files of answers, and votes, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from surveys import asked, results  # noqa: F401
from tv2i_runs import METHODS

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.survey import PICTURES, write_survey
from sow.benchmarks.tv2i.runs import Ablation, Results, Variant
from sow.errors import OutputError, PictureError, UsageError


def data_of(page: Path) -> dict:
    found = re.search(r'class="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found[1])


def test_variants_of_ablations_are_asked_about_where_they_are_named(results, tmp_path):
    rows = (Variant(method="cow-release"),)
    table = Ablation(title="Ablation", rows=rows, reference="cow-release")
    run = results.run.model_copy(update={"ablations": (table,)})
    some = Results(results.folder, run, results.outcomes)
    write_survey(some, tmp_path / "all", tmp_path / "all.json")
    assert set(read_key(tmp_path / "all.json").methods) == {"sow", "paste-sdedit"}
    named = ["sow", "cow-release"]
    write_survey(some, tmp_path / "named", tmp_path / "named.json", methods=named)
    assert set(read_key(tmp_path / "named.json").methods) == set(named)


def test_nothing_on_the_page_says_who_made_what(asked, results, tmp_path):
    made, key = asked("best", "pair", "outline")
    page = made.page.read_text(encoding="utf-8").lower()
    folder = made.page.parent
    for method in results.run.methods:
        # As a word: letters of a name may stand in a number by chance.
        for name in (method.name, method.display_name):
            assert not re.search(
                rf"(?<![a-z]){re.escape(name.lower())}(?![a-z])",
                page.replace('content="sow"', "").replace("sow-preference", ""),
            )
    assert not re.search(r"(normal|attribute|style)-\d", page)
    for file in folder.rglob("*"):
        assert re.fullmatch(r"index\.html|pictures|[0-9a-f]{16}\.webp", file.name)
    assert len({file.stat().st_mtime for file in (folder / PICTURES).iterdir()}) == 1
    assert key.methods == {method.name: method.display_name for method in METHODS}


def test_pictures_lose_what_their_files_carry(asked, results, tmp_path):
    told = PngImagePlugin.PngInfo()
    told.add_text("sow", "recipe of method sow")
    picture = results.folder / results.outcomes[0].file
    image = Image.open(picture).copy()
    image.save(picture, pnginfo=told)
    made, key = asked()
    for file in (made.page.parent / PICTURES).iterdir():
        assert b"recipe" not in file.read_bytes()
        with Image.open(file) as stored:
            assert stored.info.keys() <= {"background", "loop", "duration", "timestamp"}
    token = next(
        t
        for q in key.questions.values()
        for t, m in q.methods.items()
        if m == "sow" and q.pair == results.outcomes[0].pair
    )
    with Image.open(made.page.parent / PICTURES / f"{token}.webp") as stored:
        assert np.array_equal(stored.convert("RGB"), image)


def test_inputs_are_only_where_they_belong(asked):
    made, key = asked("best")
    rows = data_of(made.page)["questions"]
    for name, _kind, criterion, prompt, condition, tokens in rows:
        assert set(tokens) == set(key.questions[name].methods)
        assert tokens == sorted(tokens)  # not in the order of the methods
        assert bool(prompt) == bool(condition) == (criterion == "consistency")
        if condition:
            assert (made.page.parent / PICTURES / f"{condition}.webp").is_file()


def test_groups_with_a_lost_picture_are_left_out_and_counted(asked):
    made, key = asked("best")
    assert (made.questions, made.left_out, key.left_out) == (2 * 9, 3, 3)
    made, _ = asked("pair")
    assert (made.questions, made.left_out) == (2 * (12 + 9), 3)
    made, _ = asked("outline")
    assert (made.questions, made.left_out) == (12 + 9 + 12, 3)


def test_groups_are_drawn_evenly_from_all_settings(asked):
    _, key = asked("pair", groups=3, methods=["sow", "paste-sdedit"])
    assert sorted(q.setting for q in key.questions.values()) == sorted(
        2 * ["normal", "attribute", "style"]
    )


def test_chance_is_not_the_same_twice(asked):
    assert set(asked()[1].questions["q0"].methods) != set(asked()[1].questions["q0"].methods)
    (_, one), (_, other) = asked(seed=3), asked(seed=3)
    assert one == other


def test_what_cannot_be_asked_is_refused(asked, results, tmp_path):
    with pytest.raises(UsageError, match="must not lie"):
        write_survey(results, tmp_path / "x", tmp_path / "x" / "key.json")
    with pytest.raises(UsageError, match="no choice"):
        asked(methods=["sow"])
    with pytest.raises(UsageError, match="no method 'y'"):
        asked(methods=["sow", "y"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write_survey(results, tmp_path / "full", tmp_path / "key.json")
    empty = Results(results.folder, results.run, ())
    with pytest.raises(UsageError, match="nothing to ask"):
        write_survey(empty, tmp_path / "empty", tmp_path / "key.json")


def test_the_corrected_command_finds_nothing_in_its_way(results, tmp_path):
    """Whatever was refused, or went wrong: the folder of the page is as empty as before."""
    page, key = tmp_path / "page", tmp_path / "key.json"
    key.write_text("of an earlier page")
    with pytest.raises(OutputError, match="exists"):
        write_survey(results, page, key)
    key.unlink()
    with pytest.raises(UsageError, match="nothing to ask"):
        write_survey(Results(results.folder, results.run, ()), page, key)
    lost = results.outcomes[0].model_copy(update={"file": "sow/lost.png"})
    broken = Results(results.folder, results.run, (lost, *results.outcomes[1:]))
    with pytest.raises(PictureError):
        write_survey(broken, page, key)
    assert not list(page.iterdir())
    assert not key.exists()
    write_survey(results, page, key)
    write_survey(results, tmp_path / "new" / "page", tmp_path / "new" / "key.json")


def test_hostile_prompts_cannot_end_the_script(results, tmp_path):
    prompt = "</script><script>alert(1)</script> {{policy}} \u2028"
    some = [Outcome(**{**one.model_dump(), "prompt": prompt}) for one in results.outcomes]
    made = write_survey(
        Results(results.folder, results.run, tuple(some)), tmp_path / "page", tmp_path / "key.json"
    )
    text = made.page.read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    assert any(row[3] == prompt for row in data_of(made.page)["questions"])
