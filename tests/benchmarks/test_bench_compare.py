"""Two folders of results against each other."""

from __future__ import annotations

import re

import pytest
from tv2i_runs import METHODS, drawn_run

from sow.benchmarks.tv2i.report.comparing import compare
from sow.benchmarks.tv2i.report.markdown import markdown
from sow.benchmarks.tv2i.runs import Method, Results
from sow.errors import UsageError


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return drawn_run(tmp_path_factory.mktemp("one"), pairs=8, size=32)


def changed(results: Results, outcomes=None, **run) -> Results:
    """The same results with another run or other outcomes."""
    made = tuple(results.outcomes if outcomes is None else outcomes)
    return Results(results.folder, results.run.model_copy(update=run), made)


def better(results: Results, by: float) -> Results:
    """All ID-Distances lower by so much."""

    def moved(one):
        score = one.scores.get("id_distance")
        if score is None:
            return one
        return one.model_copy(update={"scores": {**one.scores, "id_distance": score - by}})

    return changed(results, [moved(outcome) for outcome in results.outcomes])


def cells(made, row=0):
    return {
        name.split(" ")[0]: said
        for name, said in zip(
            made.sections[0].grids[0].head, made.sections[0].grids[0].rows[row], strict=True
        )
    }


def test_a_folder_against_itself_shows_nothing(one):
    made = compare(one, one)
    for said in cells(made).values():
        assert said.tone in ("", "head")
    assert "Δ +0.000 [+0.000, +0.000]" in cells(made)["ID-Distance"].lines
    assert "p = 1.000, Holm 1.000: n.s." in cells(made)["ID-Distance"].lines[-1]
    only = made.sections[-1].grids[0].rows
    assert [[said.main for said in row] for row in only] == [
        ["only A", "–", "–", "–"],
        ["only B", "–", "–", "–"],
    ]


def test_differences_are_paired_and_tested(one):
    said = cells(compare(one, better(one, 0.2)))["ID-Distance"]
    assert said.tone == "better"
    assert "Δ −0.200 [−0.200, −0.200]" in said.lines
    assert re.search(r"Holm < 0.001: better \(\d\d pairs\)", said.lines[-1])
    assert cells(compare(better(one, 0.2), one))["ID-Distance"].tone == "worse"


def test_what_only_one_has_is_said(one):
    fewer = [o for o in one.outcomes if o.pair != "style-003" and o.method != "paste-sdedit"]
    other = changed(one, fewer, methods=METHODS[:2], device="cuda", versions={"torch": "2.7"})
    words = markdown(compare(one, other))
    assert "Both have 23 pairs with their seeds." in words
    assert "1: style-003 (103)" in words
    assert "Paste and SDEdit" in words
    assert "A cpu, B cuda" in words
    assert "A 2.6, B 2.7" in words


def test_changed_settings_are_said(one):
    methods = (METHODS[0].model_copy(update={"settings": {"likeness": 0.4}}), *METHODS[1:])
    facts = dict(compare(one, changed(one, methods=methods)).facts)
    assert facts["SOW: likeness"] == "A 1.0, B 0.4"


def test_single_methods_of_other_names_are_compared(one):
    def alone(name, called):
        some = [o.model_copy(update={"method": called}) for o in one.outcomes if o.method == name]
        return changed(one, some, methods=(Method(name=called),))

    made = compare(alone("sow", "new"), alone("sow", "old"))
    assert made.sections[0].grids[0].rows[0][0].main == "A: new, B: old"


def test_what_does_not_belong_together_is_refused_in_one_line(one):
    def refused(other, said):
        with pytest.raises(UsageError, match=said) as caught:
            compare(one, other)
        assert "\n" not in str(caught.value)

    refused(changed(one, benchmark="celeba-tv2i"), "different benchmarks")
    asked = [o.model_copy(update={"prompt": "else"}) for o in one.outcomes]
    refused(changed(one, asked), "'attribute-000' is not the same in both")
    others = [o.model_copy(update={"pair": "x" + o.pair}) for o in one.outcomes]
    refused(changed(one, others), "no pairs in common")
    seeds = [o.model_copy(update={"seed": 9000 + o.seed}) for o in one.outcomes]
    refused(changed(one, seeds), "no seeds in common")
    methods = tuple(Method(name="x" + m.name) for m in METHODS)
    strange = [o.model_copy(update={"method": "x" + o.method}) for o in one.outcomes]
    refused(changed(one, strange, methods=methods), "no method in common")
