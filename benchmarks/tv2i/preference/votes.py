"""Tables of people's answers: shares with intervals, ties, “all bad”, and agreement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sow.benchmarks.statistics import Estimate, holm, rate, sign_flips, sign_test
from sow.benchmarks.tv2i.preference.agreement import alpha_estimate
from sow.benchmarks.tv2i.preference.answers import Vote, read_votes
from sow.benchmarks.tv2i.preference.key import Key, read_key
from sow.benchmarks.tv2i.report import paper
from sow.benchmarks.tv2i.report.comparison_table import LEVEL
from sow.benchmarks.tv2i.report.grid import Grid, GridCell, Tone, p_value
from sow.benchmarks.tv2i.report.report import SETTINGS, Report, Section

CRITERIA = {"fidelity": "General fidelity", "consistency": "Condition consistency"}
Group = tuple[str, int]
NOTE = (
    "Shares of all answers, a tie shared out among those that were chosen. Intervals: 95 %, people "
    "and groups of pictures both drawn anew (the pigeonhole bootstrap, Owen 2007); with one person "
    "groups alone."
)


def votes(files: Iterable[Path], key: Path) -> Report:
    """Return the tables of a page's answers.

    Raises:
        UsageError: if a file is none of answers to the page that the key is of.
    """
    known = read_key(key)
    found, notes = read_votes(files, known)
    people = len({vote.rater for vote in found})
    facts = [("Answers", f"{len(found)} of {people} people, to {len(known.questions)} questions")]
    if known.left_out:
        facts.append(("Not asked", f"{known.left_out} groups of which a picture was not made"))
    facts += [("Note", note) for note in notes]
    sections = []
    for criterion, title in CRITERIA.items():
        ballots = [vote for vote in found if vote.question.criterion == criterion]
        if ballots:
            sections.append(Section(title, (), tuple(_grids(title, known, ballots))))
    if marked := [vote for vote in found if vote.question.kind == "outline"]:
        sections.append(Section("Truncated outlines", (), (_marked(known, marked),)))
    if found:
        sections.append(Section("Agreement", (), (_agreement(found),)))
        sections.append(Section("Where pictures stood", (), (_places(found),)))
    if any(vote.question.kind == "best" for vote in found):
        sections.append(Section("The paper's votes", (), (paper.grid_of(paper.printed("I")),)))
    title = f"{known.benchmark}: what people prefer"
    return Report(title, tuple(facts), tuple(sections), known.methods)


def _grids(title: str, key: Key, ballots: Sequence[Vote]) -> Iterable[Grid]:
    best = [vote for vote in ballots if vote.question.kind == "best"]
    if best:
        yield best_grid(f"{title}: best of {len(key.methods)}", key, best)
        present = [name for name in SETTINGS if any(v.question.setting == name for v in best)]
        for name in present if len(present) > 1 else ():
            part = [vote for vote in best if vote.question.setting == name]
            yield best_grid(f"{title}: {SETTINGS[name][0].lower()}", key, part)
    if pairs := [vote for vote in ballots if vote.question.kind == "pair"]:
        yield pair_grid(f"{title}: pairs", key, pairs)


def best_grid(title: str, key: Key, ballots: Sequence[Vote]) -> Grid:
    """Return the table of who was chosen, with a test of every method against the first."""
    names = [name for name in key.methods if any(name in vote.shown for vote in ballots)]
    shares = {name: [_share(vote, name) for vote in ballots] for name in names}
    tests = [sign_flips(_by_group(ballots, shares[names[0]], shares[name])) for name in names[1:]]
    corrected = dict(zip(names[1:], zip(tests, holm(tests), strict=True), strict=True))
    rows = []
    for name in names:
        alone = sum(vote.chosen == (name,) for vote in ballots)
        tied = sum(name in vote.chosen and len(vote.chosen) > 1 for vote in ballots)
        p, holms = corrected.get(name, (None, None))
        test, tone = _tested(p, holms, sum(shares[name]) < sum(shares[names[0]]))
        rows.append(
            (
                GridCell(key.methods[name] or name, ("reference",) if p is None else (), "head"),
                _share_cell(share_estimate(ballots, shares[name]), tone),
                GridCell(str(alone)),
                GridCell(str(tied)),
                test,
            )
        )
    bad = [float(vote.verdict == "bad") for vote in ballots]
    share = _share_cell(share_estimate(ballots, bad))
    none = (GridCell(str(int(sum(bad)))), GridCell("–"), GridCell("–"))
    rows.append((GridCell("all bad", (), "head"), share, *none))
    first = key.methods[names[0]] or names[0]
    notes = (
        NOTE,
        f"Test: of every group of pictures, the votes for “{first}” less those for the "
        f"row, by flipped signs; Holm for the {len(tests)} tests of this table.",
    )
    return Grid(title, ("", "Share", "Alone", "In a tie", "Against the first"), tuple(rows), notes)


def pair_grid(title: str, key: Key, ballots: Sequence[Vote]) -> Grid:
    """Return the table of the first method against each other one, two pictures at a time."""
    first = next(iter(key.methods))
    others = [
        name for name in key.methods if name != first and any(name in v.shown for v in ballots)
    ]
    rows, tests = [], []
    for name in others:
        here = [vote for vote in ballots if name in vote.shown]
        won, lost = ([float(vote.chosen == (one,)) for vote in here] for one in (first, name))
        tied = [float(len(vote.chosen) == 2) for vote in here]
        bad = [float(vote.verdict == "bad") for vote in here]
        nets = _by_group(here, won, lost)
        more, less = sum(net > 0 for net in nets), sum(net < 0 for net in nets)
        tests.append(sign_test(more, less))
        shares = [share_estimate(here, part) for part in (won, lost, tied, bad)]
        rows.append((name, shares, more > less))
    shown = []
    for (name, shares, worse), p, holms in zip(rows, tests, holm(tests), strict=True):
        test, tone = _tested(p, holms, worse)
        cells = [_share_cell(one, tone if place == 1 else "") for place, one in enumerate(shares)]
        shown.append((GridCell(key.methods[name] or name, (), "head"), *cells, test))
    label = key.methods[first] or first
    head = ("", f"“{label}” better", "This one better", "Equally good", "Both bad", "Test")
    notes = (
        NOTE,
        "Test: in how many groups of pictures the one or the other has more votes, by "
        f"the sign test; Holm for the {len(tests)} tests of this table.",
    )
    return Grid(title, head, tuple(shown), notes)


def truncated(files: Iterable[Path], key: Path) -> dict[tuple[str, str, int], float | None]:
    """Return whether people call an outline truncated, by method, pair and seed: 1, 0, or None.

    The majority of yes and no counts; None for a tie, or if all are unsure.

    Raises:
        UsageError: as `votes`.
    """
    counts: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for vote in read_votes(files, read_key(key))[0]:
        if vote.question.kind == "outline":
            counts[(vote.shown[0], vote.question.pair, vote.question.seed)][vote.verdict] += 1
    return {
        picture: None if count["yes"] == count["no"] else float(count["yes"] > count["no"])
        for picture, count in counts.items()
    }


def _marked(key: Key, ballots: Sequence[Vote]) -> Grid:
    rows = []
    for name in key.methods:
        here = [vote for vote in ballots if vote.shown == (name,)]
        sure = [vote for vote in here if vote.verdict != "unsure"]
        if not here:
            continue
        yes = share_estimate(sure, [float(vote.verdict == "yes") for vote in sure])
        rows.append(
            (
                GridCell(key.methods[name] or name, (), "head"),
                _share_cell(yes) if sure else GridCell("–"),
                GridCell(f"{len(here) - len(sure)} of {len(here)}"),
            )
        )
    return Grid("Truncated outlines", ("", "Truncated ↓", "Not sure"), tuple(rows), (NOTE,))


def _agreement(ballots: Sequence[Vote]) -> Grid:
    """Return the table of alpha by criterion and kind of question."""
    rows = []
    for criterion, kind in dict.fromkeys((v.question.criterion, v.question.kind) for v in ballots):
        units: dict[tuple[str, int, tuple[str, ...]], list[str]] = defaultdict(list)
        here = [v for v in ballots if (v.question.criterion, v.question.kind) == (criterion, kind)]
        for vote in here:
            label = (
                vote.verdict
                if vote.verdict != "chosen"
                else (vote.chosen[0] if len(vote.chosen) == 1 else "tie")
            )
            shown = tuple(sorted(vote.shown))
            units[(vote.question.pair, vote.question.seed, shown)].append(label)
        alpha = alpha_estimate(list(units.values()))
        shown_cell = GridCell("–", ("no question has two answers that can differ",))
        if not np.isnan(alpha.value):
            shown_cell = GridCell(f"{alpha.value:.2f}", (f"[{alpha.low:.2f}, {alpha.high:.2f}]",))
        name = f"{CRITERIA.get(criterion, 'Truncated outlines')}, {kind}"
        people = len({vote.rater for vote in here})
        rows.append(
            (
                GridCell(name, (), "head"),
                shown_cell,
                GridCell(str(people)),
                GridCell(str(alpha.count)),
            )
        )
    notes = (
        "Krippendorff's alpha for categories: 1 is perfect, 0 is chance. What was said is one "
        "method, a tie, or that all are bad. Its interval: questions drawn anew.",
    )
    head = ("", "Alpha", "People", "Questions with two answers or more")
    return Grid("Agreement", head, tuple(rows), notes)


def _places(ballots: Sequence[Vote]) -> Grid:
    """Return how often the picture at each place was chosen; places are random."""
    rows = []
    for count in sorted({len(vote.shown) for vote in ballots if len(vote.shown) > 1}):
        here = [vote for vote in ballots if len(vote.shown) == count and len(vote.chosen) == 1]
        for place in range(count):
            hits = rate([vote.chosen[0] == vote.shown[place] for vote in here])
            shown_cell = GridCell(hits.percent()) if here else GridCell("–")
            rows.append(
                (
                    GridCell(f"{place + 1} of {count}", (), "head"),
                    shown_cell,
                    GridCell(str(len(here))),
                )
            )
    notes = ("Of answers that chose one picture. By chance all places of a row are alike.",)
    return Grid("Where pictures stood", ("", "Chosen", "Answers"), tuple(rows), notes)


def _share(vote: Vote, name: str) -> float:
    """Return a method's share of a vote: all of it, its part of a tie, or nothing."""
    return 1 / len(vote.chosen) if name in vote.chosen else 0.0


def _by_group(
    ballots: Sequence[Vote], ones: Sequence[float], others: Sequence[float]
) -> list[float]:
    """Return for every group of pictures how much more the first got than the second."""
    nets: dict[Group, float] = defaultdict(float)
    for vote, one, other in zip(ballots, ones, others, strict=True):
        nets[vote.group] += one - other
    return list(nets.values())


def share_estimate(ballots: Sequence[Vote], values: Sequence[float], draws: int = 2000) -> Estimate:
    """Return the mean over votes; its interval resamples people and groups (Owen 2007)."""
    if not ballots:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    dice, array = np.random.default_rng(0), np.asarray(values, float)
    raters = np.unique([vote.rater for vote in ballots], return_inverse=True)[1]
    keys = {key: n for n, key in enumerate(dict.fromkeys(v.group for v in ballots))}
    groups = np.array([keys[vote.group] for vote in ballots])
    # Votes and answers by people and groups: each pair of them weighs as often as both are drawn.
    worth, answers = np.zeros((2, raters.max() + 1, len(keys)))
    np.add.at(worth, (raters, groups), array)
    np.add.at(answers, (raters, groups), 1)
    people = dice.multinomial(len(worth), _even(len(worth)), draws)
    things = dice.multinomial(len(keys), _even(len(keys)), draws)
    total = ((people @ answers) * things).sum(1)
    drawn = ((people @ worth) * things).sum(1)[total > 0] / total[total > 0]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(float(array.mean()), float(low), float(high), len(ballots))


def _even(count: int) -> list[float]:
    return [1 / count] * count


def _share_cell(estimate: Estimate, tone: Tone = "") -> GridCell:
    """Return a cell with a share, its interval and the number of answers."""
    span = f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}] n = {estimate.count}"
    return GridCell(f"{100 * estimate.value:.1f} %", (span,), tone)


def _tested(p: float | None, corrected: float | None, worse: bool) -> tuple[GridCell, Tone]:
    if p is None or corrected is None:
        return GridCell("–"), ""
    shown = corrected < LEVEL
    lines = (f"Holm {p_value(corrected).removeprefix('p ').removeprefix('= ')}",)
    return GridCell(p_value(p), lines), ("worse" if worse else "better") if shown else ""
