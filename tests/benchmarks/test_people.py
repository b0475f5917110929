"""What people say of outlines gets into the report, and stays there when a run goes on."""

from __future__ import annotations

import json

import pytest
from conftest import FIGURES
from test_bench import typed
from tv2i_runs import drawn_run, say

from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.marks import PEOPLE, add_marks
from sow.benchmarks.tv2i.preference.survey import write_survey
from sow.benchmarks.tv2i.runs import read_results
from sow.errors import UsageError

NAME = "truncated_people"


@pytest.mark.timeout(1800)  # several runs: a busy machine takes its time
def test_from_a_page_to_the_report(figures_run, tmp_path):
    """The whole way by commands: a run, a page, its answers, the column, and the run again."""
    out, page, key_file = figures_run, tmp_path / "page", tmp_path / "key.json"
    asked = ("survey", out, "--out", page, "--key", key_file, "--ask", "outline", "--groups", 2)
    assert typed(*asked)[0] == 0
    key = read_key(key_file)

    def verdict(question):
        return "yes" if "sdedit" in question.methods.values() else "no"

    files = [say(tmp_path / f"{n}.json", key, f"{n:016x}", verdict) for n in range(3)]
    votes = ("votes", *files, "--key", key_file, "--out", tmp_path / "votes", "--into", out)
    code, said = typed(*votes)
    assert code == 0, said
    for again in range(2):
        if again:
            assert typed(*FIGURES, "--out", out)[0] == 0
        results = read_results(out)
        found = {(o.method, o.pair): o.scores[NAME] for o in results.outcomes}
        assert sorted(value for (who, _), value in found.items() if who == "sdedit"
                      and value is not None) == [1.0, 1.0]  # fmt: skip
        assert sorted(value for (who, _), value in found.items() if who == "sow"
                      and value is not None) == [0.0, 0.0]  # fmt: skip
        unmarked = [o for o in results.outcomes if o.scores[NAME] is None]
        assert {o.missing[NAME] for o in unmarked} == {"nobody was asked about it"}
        words = (out / "report.md").read_text()
        assert "Truncated, by people ↓" in words
        assert "12 votes of 3 people in all" in words


@pytest.fixture
def asked(tmp_path):
    results = drawn_run(tmp_path / "results", pairs=1, size=48)
    key = tmp_path / "key.json"
    write_survey(results, tmp_path / "page", key, ("outline",), ["sow"])
    return results, key


def test_the_majority_counts_and_a_tie_is_no_answer(asked, tmp_path):
    results, key = asked
    first = next(iter(read_key(key).questions.values())).pair

    def voter(number: int, of_first: str):
        def verdict(question) -> str:
            return of_first if question.pair == first else "yes"

        return say(tmp_path / f"{number}.json", read_key(key), f"{number:016x}", verdict)

    marked = add_marks([voter(1, "yes"), voter(2, "no")], key, results.folder)
    (even,) = [o for o in marked.outcomes if o.method == "sow" and o.pair == first]
    assert (even.scores[NAME], even.missing[NAME]) == (None, "people are divided")
    assert sum(o.scores.get(NAME) == 1 for o in marked.outcomes) == 2
    again = [voter(1, "no"), voter(2, "no")]  # they think again
    marked = add_marks(again, key, results.folder, force=True)
    (one,) = [o for o in marked.outcomes if o.method == "sow" and o.pair == first]
    assert one.scores[NAME] == 0
    assert NAME not in one.missing
    assert [measure.name for measure in marked.run.measures].count(NAME) == 1
    assert read_results(results.folder).outcomes == marked.outcomes


def test_what_does_not_belong_together_is_refused(asked, tmp_path):
    results, key = asked
    file = say(tmp_path / "a.json", read_key(key), choose=lambda question: "no")
    other = drawn_run(tmp_path / "other", pairs=1, size=48)
    lines = [o.model_copy(update={"seed": o.seed + 1}) for o in other.outcomes]
    (other.folder / "results.json").write_text(
        "".join(json.dumps(one.model_dump()) + "\n" for one in lines)
    )
    with pytest.raises(UsageError, match="has no picture of"):
        add_marks([file], key, other.folder)
    assert not (other.folder / PEOPLE).exists()
    write_survey(results, tmp_path / "pairs", tmp_path / "pairs.json", ("pair",))
    pairs = say(tmp_path / "b.json", read_key(tmp_path / "pairs.json"))
    with pytest.raises(UsageError, match="no answers about outlines"):
        add_marks([pairs], tmp_path / "pairs.json", results.folder)


def test_what_people_said_before_is_replaced_only_by_force(asked, tmp_path):
    results, key = asked
    first, second = (
        say(tmp_path / f"{word}.json", read_key(key), f"{n:016x}", lambda question, word=word: word)
        for n, word in enumerate(("no", "yes"))
    )
    add_marks([first], key, results.folder)
    before = {file: file.read_bytes() for file in results.folder.glob("*.*")}
    votes = ("votes", second, "--key", key, "--out", tmp_path / "votes", "--into", results.folder)
    code, said = typed(*votes)
    assert code == 6
    assert "already has people's answers; --force replaces them" in said.strip().splitlines()[-1]
    assert {file: file.read_bytes() for file in results.folder.glob("*.*")} == before
    assert not list(tmp_path.glob("votes/*"))  # else the same with --force had it in its way
    assert typed(*votes, "--force")[0] == 0
    scores = [o.scores[NAME] for o in read_results(results.folder).outcomes if o.method == "sow"]
    assert scores == [1.0, 1.0, 1.0]


def test_votes_leave_nothing_where_they_are_refused(asked, tmp_path):
    """The corrected command finds nothing of the first one in its way."""
    results, key = asked
    file = say(tmp_path / "a.json", read_key(key), choose=lambda question: "no")
    votes = ("votes", file, "--key", key, "--out", tmp_path / "votes")
    code, said = typed(*votes, "--into", tmp_path / "nowhere")
    assert code == 2
    assert "nowhere" in said.strip().splitlines()[-1]
    (tmp_path / "votes").mkdir(exist_ok=True)
    (tmp_path / "votes" / "votes.html").write_text("somebody's")
    code, said = typed(*votes, "--into", results.folder)
    assert code == 6
    assert not (tmp_path / "votes" / "votes.md").exists()
    assert not (results.folder / PEOPLE).exists()
    (tmp_path / "votes" / "votes.html").unlink()
    assert typed(*votes, "--into", results.folder)[0] == 0
