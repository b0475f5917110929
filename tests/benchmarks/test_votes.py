"""Files of answers and the votes they hold."""

from __future__ import annotations

import json

import pytest
from surveys import asked, results  # noqa: F401
from tv2i_runs import say

from sow.benchmarks.tv2i.preference.answers import read_votes
from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.votes import share_estimate, truncated, votes
from sow.benchmarks.tv2i.report.markdown import markdown
from sow.errors import UsageError


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
    with pytest.raises(UsageError, match="not the key of a survey"):
        read_key(say(tmp_path / "y.json", key))


def test_no_answers_are_a_table_of_nothing(asked, tmp_path):
    asked("best")
    assert "0 of 0 people" in markdown(votes([], tmp_path / "key-0.json"))
