"""Pages of questions, files of answers, and votes, without a browser."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from tv2i_runs import METHODS, drawn_run

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.preference.answers import read_votes
from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.survey import PICTURES, write_survey
from sow.benchmarks.tv2i.preference.votes import share_estimate, truncated, votes
from sow.benchmarks.tv2i.report.markdown import markdown
from sow.benchmarks.tv2i.runs import Ablation, Results, Variant
from sow.errors import OutputError, UsageError


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Four pairs a setting, of which the fourth has no picture of one method."""
    return drawn_run(tmp_path_factory.mktemp("results"), pairs=4, size=48)


@pytest.fixture
def asked(results, tmp_path):
    """Writes a page, and gives its folder and key."""
    numbers = count()

    def ask(*kinds, **how):
        number = next(numbers)
        key = tmp_path / f"key-{number}.json"
        made = write_survey(results, tmp_path / f"page-{number}", key, kinds or ("best",), **how)
        return made, read_key(key)

    return ask


def say(path: Path, key, rater: str = "a" * 16, choose=None, **change) -> Path:
    """A file of answers to all questions; `choose` gives methods, or a verdict."""
    answers = []
    for number, (name, question) in enumerate(key.questions.items()):
        said = choose(question) if choose else [next(iter(question.methods.values()))]
        if said is None:
            continue
        verdict = said if isinstance(said, str) else "chosen"
        chosen = (
            []
            if isinstance(said, str)
            else [token for token, method in question.methods.items() if method in said]
        )
        answers.append(
            {
                "question": name,
                "verdict": verdict,
                "chosen": chosen,
                "order": number,
                "shown": list(question.methods),
                "seconds": 1.5,
                "changed": 0,
            }
        )
    data = {
        "kind": "sow-preference-answers",
        "version": 1,
        "survey": key.survey,
        "rater": rater,
        "answers": answers,
    }
    path.write_text(json.dumps(data | change))
    return path


def data_of(page: Path) -> dict:
    found = re.search(r'class="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found[1])


# ---- The page.


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
        for name in (method.name, method.said):
            assert not re.search(
                rf"(?<![a-z]){re.escape(name.lower())}(?![a-z])",
                page.replace('content="sow"', "").replace("sow-preference", ""),
            )
    assert not re.search(r"(normal|attribute|style)-\d", page)
    for file in folder.rglob("*"):
        assert re.fullmatch(r"index\.html|pictures|[0-9a-f]{16}\.webp", file.name)
    assert len({file.stat().st_mtime for file in (folder / PICTURES).iterdir()}) == 1
    assert key.methods == {method.name: method.said for method in METHODS}


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
    with pytest.raises(UsageError, match="handed out"):
        write_survey(results, tmp_path / "x", tmp_path / "x" / "key.json")
    with pytest.raises(UsageError, match="no choice"):
        asked(methods=["sow"])
    with pytest.raises(UsageError, match="no method 'y'"):
        asked(methods=["sow", "y"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="something in it"):
        write_survey(results, tmp_path / "full", tmp_path / "key.json")
    empty = Results(results.folder, results.run, ())
    with pytest.raises(UsageError, match="nothing to ask"):
        write_survey(empty, tmp_path / "empty", tmp_path / "key.json")


def test_hostile_prompts_cannot_end_the_script(results, tmp_path):
    prompt = "</script><script>alert(1)</script> {{policy}} \u2028"
    some = [Outcome(**{**one.model_dump(), "prompt": prompt}) for one in results.outcomes]
    made = write_survey(
        Results(results.folder, results.run, tuple(some)), tmp_path / "page", tmp_path / "key.json"
    )
    text = made.page.read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    assert any(row[3] == prompt for row in data_of(made.page)["questions"])


# ---- Votes.


def test_shares_by_hand(asked, tmp_path):
    _, key = asked("best")
    one = say(tmp_path / "1.json", key, "1" * 16, lambda q: ["sow"])
    two = say(tmp_path / "2.json", key, "2" * 16, lambda q: ["sow", "cow-release"])
    three = say(tmp_path / "3.json", key, "3" * 16, lambda q: "bad")
    made = votes([one, two, three], tmp_path / "key-0.json")
    grid = made.sections[0].grids[0]
    assert grid.title == "General fidelity: best of 3"
    assert [[said.main for said in row[:4]] for row in grid.rows] == [
        ["SOW", "50.0 %", "9", "9"],
        ["COW as released", "16.7 %", "0", "9"],
        ["Paste and SDEdit", "0.0 %", "0", "0"],
        ["all bad", "33.3 %", "9", "–"],
    ]
    # In all nine groups the first has one vote more: 2 of 2**9 ways.
    assert grid.rows[1][4].main == "p = 0.004"
    assert [said.tone for said in grid.rows[1]] == ["head", "worse", "", "", ""]
    words = markdown(made)
    assert "54 of 3 people, to 18 questions" in words
    assert "3 groups of which a picture was not made" in words
    alpha = next(part for part in made.sections if part.title == "Agreement").grids[0]
    # Of three answers no two are alike: 1 - 1 / ((27 * 27 - 3 * 81) / (27 * 26)).
    assert float(alpha.rows[0][1].main.replace("−", "-")) == pytest.approx(-0.44, abs=0.01)


def test_pairs_by_hand(asked, tmp_path):
    _, key = asked("pair", methods=["sow", "paste-sdedit"])
    file = say(
        tmp_path / "1.json",
        key,
        choose=lambda q: {
            "normal": ["sow"],
            "attribute": ["sow", "paste-sdedit"],
            "style": ["paste-sdedit"],
        }[q.setting],
    )
    grid = votes([file], tmp_path / "key-0.json").sections[0].grids[0]
    assert [said.main for said in grid.rows[0]] == [
        "Paste and SDEdit",
        "33.3 %",
        "33.3 %",
        "33.3 %",
        "0.0 %",
        "p = 1.000",
    ]


def test_marks_make_a_metric(asked, tmp_path):
    _, key = asked("outline")
    files = [
        say(
            tmp_path / f"{n}.json",
            key,
            str(n) * 16,
            lambda q, n=n: (
                "yes" if "cow-release" in q.methods.values() else ("no" if n else "unsure")
            ),
        )
        for n in range(3)
    ]
    found = truncated(files, tmp_path / "key-0.json")
    assert {found[picture] for picture in found if picture[0] == "cow-release"} == {1.0}
    assert {found[picture] for picture in found if picture[0] == "sow"} == {0.0}
    grid = votes(files, tmp_path / "key-0.json").sections[0].grids[0]
    assert [said.main for said in grid.rows[0]] == ["SOW", "0.0 %", "12 of 36"]
    assert [said.main for said in grid.rows[1]] == ["COW as released", "100.0 %", "0 of 27"]
    even = [
        say(tmp_path / f"e{n}.json", key, f"{n}e" * 8, lambda q, n=n: ("yes", "no")[n])
        for n in range(2)
    ]
    assert set(truncated(even, tmp_path / "key-0.json").values()) == {None}


def test_of_two_files_of_one_person_the_longer_counts(asked, tmp_path):
    _, key = asked("best")
    whole = say(tmp_path / "b.json", key)
    part = say(
        tmp_path / "a.json", key, choose=lambda q: ["sow"] if q.criterion == "fidelity" else None
    )
    found, notes = read_votes([part, whole], key)
    assert len(found) == 18
    assert notes == ("b.json: its rater has another file too; the longer one counts.",)


def test_intervals_are_wider_where_people_differ(asked, tmp_path):
    _, key = asked("best")
    agree = [
        say(
            tmp_path / f"{n}.json",
            key,
            str(n) * 16,
            lambda q: ["sow"] if int(q.pair[-1]) % 2 else ["cow-release"],
        )
        for n in range(4)
    ]
    differ = [
        say(
            tmp_path / f"d{n}.json",
            key,
            str(n) * 16,
            lambda q, n=n: ["sow"] if n % 2 else ["cow-release"],
        )
        for n in range(4)
    ]

    def width(files):
        some = read_votes(files, key)[0]
        found = share_estimate(some, [float(vote.chosen == ("sow",)) for vote in some])
        assert found.low <= found.value <= found.high
        return found.high - found.low

    assert width(differ) > width(agree) > 0
    assert width(agree[:1]) > 0


# ---- Strangers' files.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"survey": "0" * 16}, "another page"),
        ({"rater": "<script>"}, "rater"),
        ({"version": 7}, "version 7"),
        ({"kind": "else"}, "kind"),
        ({"more": 1}, "more"),
        ({"answers": [1]}, "answers"),
    ],
)
def test_files_of_no_answers_are_refused(asked, tmp_path, change, said):
    _, key = asked("best")
    file = say(tmp_path / "x.json", key, **change)
    with pytest.raises(UsageError, match=said) as caught:
        read_votes([file], key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda a: a.update(question="q999"), "no question q999"),
        (lambda a: a.update(shown=a["shown"][:2]), "did not show"),
        (lambda a: a.update(shown=[*a["shown"], a["shown"][0]]), "did not show"),
        (lambda a: a.update(chosen=["f" * 16]), "chose what it did not show"),
        (lambda a: a.update(chosen=[a["chosen"][0]] * 2), "chose what it did not show"),
        (lambda a: a.update(chosen=[]), "does not offer"),
        (lambda a: a.update(verdict="bad"), "does not offer"),
        (lambda a: a.update(verdict="yes", chosen=[]), "does not offer"),
        (lambda a: a.update(seconds=-1), "seconds"),
        (lambda a: a.update(order="1"), "order"),
        (lambda a: a.update(verdict="best"), "verdict"),
    ],
)
def test_answers_that_cannot_be_are_refused(asked, tmp_path, spoil, said):
    _, key = asked("best")
    file = say(tmp_path / "x.json", key)
    data = json.loads(file.read_text())
    spoil(data["answers"][3])
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=said):
        read_votes([file], key)


def test_answers_given_twice_and_no_files_are_refused(asked, tmp_path):
    _, key = asked("best")
    file = say(tmp_path / "x.json", key)
    data = json.loads(file.read_text())
    data["answers"].append(data["answers"][0])
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="answered twice"):
        read_votes([file], key)
    for text in ("", "{", "[" * 5000, '{"rater": NaN}'):
        file.write_text(text)
        with pytest.raises(UsageError, match="cannot be read"):
            read_votes([file], key)
    with pytest.raises(UsageError, match="cannot be read"):
        read_votes([tmp_path / "none.json"], key)
    with pytest.raises(UsageError, match="no key of a survey"):
        read_key(say(tmp_path / "y.json", key))


def test_no_answers_are_a_table_of_nothing(asked, tmp_path):
    asked("best")
    assert "0 of 0 people" in markdown(votes([], tmp_path / "key-0.json"))
