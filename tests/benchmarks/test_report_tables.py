"""The numbers of a report, by hand; the paper's beside them; what is missing is said."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from pydantic import ValidationError
from scipy import stats
from tv2i_runs import MEASURES, METHODS, drawn_run

from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report import paper
from sow.benchmarks.tv2i.report.columns import headed
from sow.benchmarks.tv2i.report.comparison_table import table
from sow.benchmarks.tv2i.report.failures import failure_grids
from sow.benchmarks.tv2i.report.grid import grid
from sow.benchmarks.tv2i.report.markdown import markdown, plain
from sow.benchmarks.tv2i.report.pictures import ROWS, read, sheet
from sow.benchmarks.tv2i.report.report import ablation, measures_of, report
from sow.benchmarks.tv2i.report.writing import write_report
from sow.benchmarks.tv2i.runs import Ablation, Ceiling, Measure, Method, Results, Run, Variant
from sow.errors import OutputError, PictureError, UsageError

FACE = Measure(name="face", better="higher", rate=True)
ID = Measure(name="id", better="lower")


def outcome(method: str, number: int, score: float | None = None, **more) -> Outcome:
    given = {"method": method, "pair": f"p{number}", "setting": "normal", "prompt": "a person",
             "person": number, "seed": number, "file": f"{method}/{number}.png"}  # fmt: skip
    if score is None:
        given["missing"] = {"id": "no face found"}
    return Outcome(**given | {"scores": {"id": score}} | more)


def faces(method: str, said: str) -> list[Outcome]:
    return [outcome(method, n, scores={"face": float(x == "1")}, missing={})
            for n, x in enumerate(said)]  # fmt: skip


def test_rates_are_tested_by_the_pairs_that_differ():
    ours, quoted = "1111111111", "1100000010"
    made = table([*faces("a", ours), *faces("b", quoted)], ["a", "b"], [FACE])
    test = made.rows[1].cells[0].against
    assert made.rows[0].cells[0].against is None
    assert test.p == pytest.approx(2 / 2**7)  # 7 pairs, all the same way
    assert test.difference.value == pytest.approx(-0.7)
    assert test.difference.count == 10
    assert made.tests == 1
    assert test.verdict(FACE) == "worse"
    assert test.verdict(FACE.model_copy(update={"better": "lower"})) == "better"


def test_means_are_compared_where_both_have_a_score():
    ones = [outcome("a", n, value) for n, value in enumerate([0.1, 0.2, None, 0.4, 0.5])]
    others = [outcome("b", n, value) for n, value in enumerate([0.3, 0.5, 0.9, None, 0.6])]
    made = table([*ones, *others], ["a", "b"], [ID])
    mine, test = made.rows[1].cells[0], made.rows[1].cells[0].against
    assert (mine.estimate.count, mine.missing) == (4, 1)
    assert mine.estimate.value == pytest.approx((0.3 + 0.5 + 0.9 + 0.6) / 4)
    assert test.difference.count == 3
    assert test.difference.value == pytest.approx((0.2 + 0.3 + 0.1) / 3)
    assert test.p == pytest.approx(2 / 8)
    assert test.verdict(ID) == ""


def test_other_seeds_of_a_pair_are_not_compared():
    made = table([outcome("a", 1, 0.1), outcome("b", 1, 0.3, seed=2)], ["a", "b"], [ID])
    assert made.rows[1].cells[0].against is None
    assert made.tests == 0


def test_pictures_that_failed_are_counted_and_not_scored():
    lost = outcome("a", 3, file=None, error="out of memory", scores={}, missing={})
    made = table([outcome("a", 1, 0.1), outcome("a", 2), lost], ["a"], [ID])
    row = made.rows[0]
    assert (row.requested, row.made, row.cells[0].estimate.count, row.cells[0].missing) == (
        3,
        2,
        1,
        1,
    )


def test_holm_is_over_all_tests_of_a_table():
    outcomes = [one for name, said in (("a", "1" * 8), ("b", "0" * 8), ("c", "1" * 7 + "0"))
                for one in faces(name, said)]  # fmt: skip
    made = table(outcomes, ["a", "b", "c"], [FACE])
    tests = [row.cells[0].against for row in made.rows[1:]]
    assert [test.p for test in tests] == pytest.approx([2 / 2**8, 1.0])
    assert [test.corrected for test in tests] == pytest.approx([4 / 2**8, 1.0])


def test_another_reference_can_be_named():
    made = table([*faces("a", "11"), *faces("b", "10")], ["a", "b"], [FACE], reference="b")
    assert [row.cells[0].against is None for row in made.rows] == [False, True]


def test_cells_say_n_interval_missing_and_test():
    ones = [outcome("a", n, 0.5) for n in range(6)]
    others = [outcome("b", n, 0.5 + n) for n in range(5)] + [outcome("b", 5)]
    shown = grid("T", table([*ones, *others], ["a", "b"], [ID]), {"a": "A", "b": "B"})
    cell = shown.rows[1][1]
    assert cell.main == "2.500"
    assert cell.lines[0].startswith("[")
    assert cell.lines[0].endswith("n = 5, 1 missing")
    assert cell.lines[1].startswith("Δ +2.000 [")
    # The pair in which both are alike says nothing: 2 of 16 ways.
    assert cell.lines[2] == "p = 0.125, Holm 0.125: n.s. (5 pairs)"
    assert "this row minus “A”" in shown.notes[0]


def test_metrics_that_the_run_does_not_describe_are_shown():
    run = Run(benchmark="x", pairs=1, methods=(Method(name="a"),), measures=(ID,))
    some = [outcome("a", 1, scores={"id": 0.3, "yes": 1.0, "much": 2.5}, missing={}),
            outcome("a", 2, scores={"yes": 0.0, "much": 1.0}, missing={})]  # fmt: skip
    assert [(m.name, m.rate) for m in measures_of(run, some)] == [
        ("id", False), ("yes", True), ("much", False)
    ]  # fmt: skip


def test_yes_and_no_are_1_and_0():
    run = Run(benchmark="x", pairs=1, methods=(Method(name="a"),), measures=(FACE,))
    with pytest.raises(UsageError, match=r"'face' is described as yes or no, and 'p1' has 0.7"):
        measures_of(run, [outcome("a", 1, scores={"face": 0.7}, missing={})])


# ---- The paper.


def test_the_papers_rates_are_of_whole_pictures():
    for printed in paper.tables():
        for column in printed.columns:
            if column["kind"] == "rate":
                for value in printed.values(column["name"]).values():
                    hits = round(value * printed.pictures / 100)
                    assert value == pytest.approx(100 * hits / printed.pictures, abs=0.01)


def test_no_ablation_of_the_paper_shows_fewer_failures():
    for number in ("II", "III", "A-V", "A-VI", "A-VII"):
        printed = paper.printed(number)
        rates = printed.values("Failure Rate")
        assert all(paper.p_of(rate, rates["SOW"], printed.pictures) > 0.05
                   for rate in rates.values())  # fmt: skip
    words = " ".join(paper.grid_of(paper.printed("II")).notes)
    assert "p = 0.075: not significant" in words
    assert "differ from no other row" in words


def test_the_papers_tables_are_means_of_their_settings():
    """What was copied is what was printed: sums that must come out, and the one that does not."""
    for column in ("Condition Consistency", "General Fidelity"):
        settings = [paper.printed(number).values(column) for number in ("A-I", "A-II", "A-III")]
        for name, value in paper.printed("I").values(column).items():
            near = value == pytest.approx(sum(one[name] for one in settings) / 3, abs=0.02)
            assert near == (name != "SOW")
    assert "59.89 %" in paper.misprint()
    assert "65.19 % in General Fidelity" in paper.misprint()
    rows = [paper.printed(number).values("Failure Rate") for number in ("A-V", "A-VI", "A-VII")]
    for name, value in paper.printed("II").values("Failure Rate").items():
        assert value == pytest.approx(sum(row[name] for row in rows) / 3, abs=0.01)


def test_votes_behind_shares():
    assert paper.smallest_count([50.0, 50.0]) == 50
    assert paper.smallest_count([3.92, 22.79, 13.48, 9.07, 50.74]) == 408
    assert paper.votes_of(paper.printed("A-II"), "Condition Consistency") == 408
    assert paper.votes_of(paper.printed("A-I"), "General Fidelity") is None
    assert paper.votes_of(paper.printed("I"), "General Fidelity") is None


def test_the_papers_rates_have_wilsons_interval():
    found = paper.rate_of(5.0, 60)
    low, high = stats.binomtest(3, 60).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


# ---- All of it.


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return drawn_run(tmp_path_factory.mktemp("results"), pairs=4)


def test_a_report_has_every_part(made, tmp_path):
    text, page = write_report(report(made), tmp_path)
    words = text.read_text(encoding="utf-8")
    for part in (
        "# drawn-tv2i",
        "## All settings together",
        "## Normal prompts",
        "Table I:",
        "Table A-I:",
        "Table A-II:",
        "Table A-III:",
        "## What it costs",
        "the device ran out of memory",
        "3 of 12",
        "no face found",
        "likeness 1.0",
        "float32",
        "torch 2.6",
        "2026-01-01",
        "McNemar",
        "sheets/style.webp",
    ):
        assert part in words, part  # fmt: skip
    with Image.open(tmp_path / "sheets" / "style.webp") as picture:
        assert picture.width > 4 * 96
    assert page.read_text(encoding="utf-8").count("<img") == 3 * 4 * 4 - 3
    with pytest.raises(OutputError, match="exists"):
        write_report(report(made), tmp_path)
    write_report(report(made), tmp_path, force=True)


def test_the_same_results_give_the_same_report(made):
    assert markdown(report(made)) == markdown(report(made))


def test_one_setting_alone_is_one_table(made):
    some = tuple(one for one in made.outcomes if one.setting == "style")
    titles = [part.title for part in report(Results(made.folder, made.run, some)).sections]
    assert titles[:2] == ["Results", "What it costs"]


def test_runs_without_scores_or_pictures_do_not_break(tmp_path):
    run = Run(benchmark="x", pairs=2, methods=METHODS, measures=MEASURES)
    assert "Every picture was made" in markdown(report(Results(tmp_path, run, ())))
    lost = outcome("sow", 1, file=None, error="lost", scores={}, missing={})
    words = markdown(report(Results(tmp_path, run, (lost,))))
    assert "0 of 1 pictures" in words
    gone = outcome("sow", 1, 0.5)
    assert "gone.png" not in markdown(report(Results(tmp_path, run, (gone,))))


def test_ablations_have_marks_and_the_papers_table(made):
    rows = (Variant(method="cow-release", marks=("✗", "✗")),
            Variant(method="sow", marks=("✓", "✓")))  # fmt: skip
    wanted = Ablation(title="Modules", rows=rows, reference="sow", marks=("AP", "DAM"),
                      paper=("II",))  # fmt: skip
    ours, quoted = ablation(made, wanted).grids
    assert ours.head[:4] == ("", "AP", "DAM", "ID-Distance ↓")
    assert [[said.main for said in row[:3]] for row in ours.rows] == [
        ["COW as released", "✗", "✗"], ["SOW", "✓", "✓"]
    ]  # fmt: skip
    assert any("pairs)" in line for line in ours.rows[0][3].lines)
    assert quoted.title.startswith("The paper's Table II")
    with pytest.raises(ValidationError, match="no method 'sow'"):
        Run(benchmark="x", pairs=1, methods=METHODS[1:], ablations=(wanted,))


def grouped(run: Run) -> Run:
    """The same with metrics in groups, and a ceiling."""
    near, face, clip = run.measures
    ceiling = Ceiling(of="Between two photographs", scores=(0.9, 1.0, 1.1), missing=2)
    likeness = near.model_copy(update={"group": "Likeness", "main": True, "ceiling": ceiling})
    return run.model_copy(update={"measures": (
        face.model_copy(update={"group": "Heads"}), likeness,
        clip.model_copy(update={"group": "Likeness"}),
    )})  # fmt: skip


def test_columns_stand_in_groups_below_an_overview(made):
    parts = report(Results(made.folder, grouped(made.run), made.outcomes)).sections
    assert [part.title for part in parts[:3]] == [
        "In short", "All settings together", "Normal prompts"
    ]  # fmt: skip
    assert parts[0].grids[0].head == ("", "ID-Distance ↓", "UNet samples ↓")
    heads = {shown.title: shown.head for shown in parts[1].grids if not shown.quoted}
    assert heads == {
        "Heads": ("", "Face found ↑"),
        "Likeness": ("", "ID-Distance ↓", "CLIP text ↑"),
    }
    # 2 methods against the first by 3 metrics; the cells are the same in every table.
    assert "corrected for all 6 tests of all columns of “All settings" in parts[0].words[0]
    assert "corrected for all 6 tests of the tables of this section" in parts[1].words[0]
    assert [row[1] for row in parts[0].grids[0].rows] == [row[1] for row in parts[1].grids[1].rows]


def test_the_ceiling_says_who_has_kept_pixels(made):
    results = Results(made.folder, grouped(made.run), made.outcomes)
    (note,) = report(results).sections[0].grids[0].notes
    assert note.startswith("Between two photographs: ID-Distance 1.000 [0.9")
    assert "n = 3, 2 missing" in note
    assert note.endswith("Below it here: SOW, Paste and SDEdit.")  # both of about 0.5


def test_no_table_is_wider_than_can_be_read():
    many = [Measure(name=f"m{n}", group="G" if n < 9 else "") for n in range(24)]
    found = headed(many)
    assert [name for name, _ in found] == ["G", "G, more", "", "more", "more"]
    assert [measure for _, some in found for measure in some] == many
    assert max(len(some) for _, some in found) <= 7


def test_what_is_so_for_all_is_said_once():
    some = [outcome(name, n) for name in "abc" for n in range(2)]
    some[-1] = outcome("c", 1, missing={"id": "too small"})
    (shown,) = failure_grids(some, [ID], {"a": "A", "b": "B", "c": "C"})
    assert [[said.main for said in row] for row in shown.rows] == [
        ["id", "2 of 2", "no face found", "A; B"],
        ["id", "1 of 2", "no face found", "C"],
        ["id", "1 of 2", "too small", "C"],
    ]
    (shown,) = failure_grids(some[:4], [ID], {"a": "A", "b": "B"})
    assert shown.rows[0][-1].main == "all"


def test_a_run_of_ablations_alone_is_a_report(made):
    rows = tuple(Variant(method=method.name) for method in METHODS)
    table = Ablation(title="Ablation: all", rows=rows, reference="sow")
    run = grouped(made.run).model_copy(update={"ablations": (table,)})
    parts = report(Results(made.folder, run, made.outcomes)).sections
    assert parts[0].title == "Ablation: all"
    assert parts[0].words[0] == "12 pairs: 4 normal, 4 attribute, 4 style."
    assert not [part for part in parts if part.title == "In short"]
    (pictures,) = [part for part in parts if part.sheet]
    assert {strip.pair[:5] for strip in pictures.sheet.strips} == {"norma", "attri", "style"}


def test_sheets_are_bounded_and_links_out_of_the_folder_are_refused(tmp_path):
    run = drawn_run(tmp_path / "results", pairs=ROWS + 3, size=32)
    some = [one for one in run.outcomes if one.setting == "normal"]
    shown = sheet("normal", run.folder, some, ["sow", "cow-release"], "id_distance")
    assert (len(shown.strips), shown.left_out) == (ROWS, 3)
    assert shown.strips[3].results[1].caption == "the device ran out of memory"
    Image.new("RGB", (32, 32)).save(tmp_path / "private.png")
    (run.folder / "link.png").symlink_to(tmp_path / "private.png")
    with pytest.raises(PictureError, match="points outside"):
        read(run.folder, "link.png")


def test_texts_in_markdown_stay_texts():
    said = plain("a|b <img src=x> [x](javascript:1) `c` *d*\n# e @f https://g\u202e")
    assert "<" not in said
    assert "\n" not in said
    assert said.count("\\|") == 1
    assert "\\[x\\](javascript:1)" in said
    assert "https://" not in said
    assert "\u202e" not in said


def test_data_of_the_paper_is_plain():
    data = json.loads(paper.DATA.read_text(encoding="utf-8"))
    assert "2411.19182" in data["source"]
    assert [one["number"] for one in data["tables"]][:3] == ["I", "II", "III"]
