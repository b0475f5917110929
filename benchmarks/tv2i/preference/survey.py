"""Write a page that asks people blindly what they prefer, and the key that stays with the asker.

The paper asks fifty people which of five results they like best, by two criteria (Sec. V-A):
condition consistency, with the inputs shown, and general fidelity, without. So does this page;
fidelity comes first, since people who have seen the inputs cannot forget them. Pictures are decoded
and stored again under meaningless names: a PNG of ours says how it was made.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random

from PIL import Image

from sow.batch.gallery.gallery import inline_hash
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.preference.key import Criterion, Key, Kind, Question, write_key
from sow.benchmarks.tv2i.report.comparison_table import by_method
from sow.benchmarks.tv2i.report.pictures import read
from sow.benchmarks.tv2i.runs import Results
from sow.errors import OutputError, UsageError
from sow.utils.files import check_output_path, make_folder, write_text

PAGE, PICTURES = "index.html", "pictures"
TEMPLATE = Path(__file__).with_name("page.html")
MOST_CHOICES = 9
"""Keys 1 to 9 choose."""
SIDE, EXACT = 768, 200
"""Pixels of a picture's longer side at most; below the second it is stored without loss."""
NEVER = 1_000_000_000
"""When all pictures were written, in seconds: their times say nothing either."""


@dataclass(frozen=True)
class Survey:
    """The files of a survey and its number of questions."""

    page: Path
    key: Path
    questions: int
    left_out: int


@dataclass
class _SurveyBuilder:
    """A survey in the making: names of pictures, and questions."""

    folder: Path
    source: Path
    dice: Random
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    questions: list[tuple[Question, str, str]] = field(default_factory=list)
    left_out: int = 0

    def token(self, file: str, method: str = "") -> str:
        """Return the name of a method's picture, or of a condition, on the page."""
        return self.tokens.setdefault((method, file), f"{self.dice.getrandbits(64):016x}")


def write_survey(
    results: Results,
    folder: Path,
    key: Path,
    kinds: Sequence[Kind] = ("best",),
    methods: Sequence[str] | None = None,
    groups: int | None = None,
    seed: int | None = None,
) -> Survey:
    """Write the page with its pictures into a new folder, and the key elsewhere.

    methods: None for all but the variants of ablations.
    kinds: best asks for the best of all methods, pair for the better of the first and each other
    one, outline whether a single picture is cut off at what was planted. groups: pairs that are
    asked about, drawn by chance, as many of each setting; None for all. seed: of all chance, for
    tests; it reveals which method made which picture.

    Raises:
        UsageError: if there is nothing to ask, or the key would lie beside the page.
        OutputError: if the folder has something in it, or something cannot be written.
        PictureError: if a picture cannot be read.
    """
    all_of_them = results.run.compared or results.run.methods
    named = list(methods or (method.name for method in all_of_them))
    labels = {method.name: method.display_name for method in results.run.methods}
    _check(named, labels, kinds, folder, key)
    _check_targets(folder, key)
    dice = Random(secrets.randbits(128) if seed is None else seed)
    builder = _SurveyBuilder(folder, results.folder, dice)
    found = by_method(results.outcomes)
    for one in _chosen(results.outcomes, named, groups, dice):
        here = {name: found[name][one] for name in named if one in found.get(name, {})}
        for kind in kinds:
            _ask(builder, kind, named, here)
    if not builder.questions:
        raise UsageError("there is nothing to ask", "check that the methods have pictures")
    dice.shuffle(builder.questions)
    survey = f"{dice.getrandbits(64):016x}"
    questions = {f"q{n}": one for n, (one, _, _) in enumerate(builder.questions)}
    methods_said = {name: labels[name] for name in named}
    key_record = Key(
        survey=survey,
        benchmark=results.run.benchmark,
        questions=questions,
        methods=methods_said,
        left_out=builder.left_out,
    )
    with _pictures(builder):
        write_key(key_record, key)
        write_text(_page(survey, builder), folder / PAGE)
    return Survey(folder / PAGE, key, len(questions), builder.left_out)


def _check(
    named: Sequence[str], labels: dict[str, str], kinds: Sequence[Kind], folder: Path, key: Path
) -> None:
    for name in named:
        if name not in labels:
            raise UsageError(f"the run has no method {name!r}", f"it has {', '.join(labels)}")
    if len(named) < 2 and set(kinds) != {"outline"}:
        raise UsageError("one method leaves no choice", "compare two or more")
    if len(named) > MOST_CHOICES and "best" in kinds:
        raise UsageError(
            f"{len(named)} methods are too many to choose from", f"name {MOST_CHOICES} or fewer"
        )
    if key.resolve().is_relative_to(folder.resolve()):
        raise UsageError("the key must not lie in the page's folder", "write it elsewhere")


def _check_targets(folder: Path, key: Path) -> None:
    """Make an empty folder, and check that the key may be written."""
    make_folder(folder)
    if any(folder.iterdir()):
        raise OutputError(f"{str(folder)!r} is not empty", "give a new folder")
    check_output_path(key)


@contextmanager
def _pictures(builder: _SurveyBuilder) -> Iterator[None]:
    """Write the pictures; remove them if they, or files written while open, fail: they would
    block the next attempt."""
    try:
        make_folder(builder.folder / PICTURES)
        _write_pictures(builder)
        yield
    except BaseException:
        shutil.rmtree(builder.folder / PICTURES, ignore_errors=True)
        raise


def _chosen(
    outcomes: Sequence[Outcome], named: Sequence[str], groups: int | None, dice: Random
) -> Iterator[tuple[str, int]]:
    """Yield the pairs and seeds to ask about, balanced over the settings."""
    settings: dict[str, list[tuple[str, int]]] = {}
    for outcome in outcomes:
        if outcome.method in named:
            keys = settings.setdefault(outcome.setting, [])
            if outcome.key not in keys[-1:]:
                keys.append(outcome.key)
    queues = []
    for keys in settings.values():
        unique = list(dict.fromkeys(keys))
        dice.shuffle(unique)
        queues.append(unique)
    left = sum(map(len, queues)) if groups is None else groups
    while left > 0 and any(queues):
        for queue in queues:
            if queue and left > 0:
                left -= 1
                yield queue.pop()


def _ask(
    builder: _SurveyBuilder, kind: Kind, named: Sequence[str], here: dict[str, Outcome]
) -> None:
    """Add the questions of one kind about the pictures of one pair."""
    made = {name: outcome for name, outcome in here.items() if outcome.file}
    if kind == "outline":
        sets: list[tuple[str, ...]] = [(name,) for name in named]
    elif kind == "pair":
        sets = [pair for pair in combinations(named, 2) if named[0] in pair]
    else:
        sets = [tuple(named)]
    criteria: tuple[Criterion, ...] = (
        ("outline",) if kind == "outline" else ("fidelity", "consistency")
    )
    for names in sets:
        if any(name not in made for name in names):
            builder.left_out += 1
            continue
        group = [made[name] for name in names]
        for criterion in criteria:
            _add(builder, kind, criterion, group)


def _add(
    builder: _SurveyBuilder, kind: Kind, criterion: Criterion, group: Sequence[Outcome]
) -> None:
    one = group[0]
    methods = {
        builder.token(outcome.file, outcome.method): outcome.method
        for outcome in group
        if outcome.file
    }
    question = Question(
        kind=kind,
        criterion=criterion,
        pair=one.pair,
        seed=one.seed,
        setting=one.setting,
        methods=methods,
    )
    condition, prompt = "", ""
    if criterion == "consistency":
        prompt = one.prompt
        planted = next((outcome.condition for outcome in group if outcome.condition), None)
        condition = builder.token(planted) if planted else ""
    builder.questions.append((question, condition, prompt))


def _write_pictures(builder: _SurveyBuilder) -> None:
    # By their new names: not even the order in which they were written says anything. The folder
    # is new and the page comes last, so nothing is lost if this ends early.
    for (_, file), token in sorted(builder.tokens.items(), key=lambda item: item[1]):
        path = builder.folder / PICTURES / f"{token}.webp"
        picture = _anew(read(builder.source, file))
        try:
            path.write_bytes(picture)
            os.utime(path, (NEVER, NEVER))
        except OSError as error:
            raise OutputError(
                f"{str(path)!r} cannot be written ({error.strerror or error})",
                "choose another folder",
            ) from None


def _anew(picture: Image.Image) -> bytes:
    """Return a picture's pixels as a new file."""
    made = Image.new("RGB", picture.size)
    made.paste(picture)
    made.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    made.save(file, "WEBP", quality=92, lossless=max(made.size) < EXACT)
    return file.getvalue()


def _page(survey: str, builder: _SurveyBuilder) -> str:
    template = TEMPLATE.read_text(encoding="utf-8")
    rows = [
        [f"q{n}", one.kind, one.criterion, prompt, condition, sorted(one.methods)]
        for n, (one, condition, prompt) in enumerate(builder.questions)
    ]
    data = json.dumps({"survey": survey, "pictures": PICTURES, "questions": rows})
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src {inline_hash(template, 'style')}; "
        f"script-src {inline_hash(template, 'script')}; require-trusted-types-for 'script'; "
        "base-uri 'none'; form-action 'none'"
    )
    given = {"policy": policy, "data": data}
    return re.sub(r"\{\{(\w+)\}\}", lambda place: given[place[1]], template)
