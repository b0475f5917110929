"""Runs of a benchmark for tests: small drawn pictures, and scores that chance gives them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

from sow.benchmarks.tv2i.outcomes import OUTCOMES, Outcome, write_outcomes
from sow.benchmarks.tv2i.runs import RUN, Measure, Method, Results, Run, read_results, write_run

SKINS = ("#f1c7a3", "#c98d5f", "#7d4e2f", "#e5b18c")
SETTINGS = ("normal", "attribute", "style")
PROMPTS = {
    "normal": ("a person in a red coat in the forest", "a person on the beach at noon"),
    "attribute": ("an old person with grey hair", "a smiling person with glasses"),
    "style": ("a watercolour of a person in a garden", "a pencil sketch of a person"),
}
METHODS = (
    Method(name="sow", label="SOW", samples=60, calls=20, settings={"likeness": 1.0}),
    Method(name="cow-release", label="COW as released", samples=114, calls=37),
    Method(name="paste-sdedit", label="Paste and SDEdit", samples=60, calls=20),
)
MEASURES = (
    Measure(name="id_distance", label="ID-Distance", better="lower", note="MTCNN and FaceNet"),
    Measure(name="face", label="Face found", better="higher", rate=True),
    Measure(name="clip", label="CLIP text", better="higher", unit="%"),
)
# ID-Distance, faces found: what chance is around.
TRUE = {"sow": (0.45, 0.99), "cow-release": (0.95, 0.85), "paste-sdedit": (0.5, 0.97)}


def head(size: int, skin: str, ground: str, shift: int = 0) -> Image.Image:
    """A drawn face before a wall."""
    picture = Image.new("RGB", (size, size), ground)
    pen, unit = ImageDraw.Draw(picture), size / 16
    x = shift * unit / 4
    pen.ellipse((4 * unit + x, 2 * unit, 12 * unit + x, 12 * unit), fill=skin)
    pen.rectangle((2 * unit + x, 12 * unit, 14 * unit + x, size), fill="#335577")
    for eye in (6, 9.4):
        pen.ellipse((eye * unit + x, 6 * unit, (eye + 0.9) * unit + x, 7 * unit), fill="#222")
    pen.arc((6 * unit + x, 7 * unit, 10 * unit + x, 10.5 * unit), 20, 160, fill="#822", width=2)
    return picture


def drawn_run(
    folder: Path, pairs: int = 6, size: int = 96, prompt: str = "", methods: tuple = METHODS
) -> Results:
    """A folder of results: so many pairs a setting, one picture each and method, some failed."""
    dice = Random(7)
    outcomes = []
    for setting in SETTINGS:
        for number in range(pairs):
            pair = f"{setting}-{number:03d}"
            skin = SKINS[number % len(SKINS)]
            condition = folder / "conditions" / f"{pair}.png"
            condition.parent.mkdir(parents=True, exist_ok=True)
            head(size, skin, "#dddddd").save(condition)
            asked = prompt or PROMPTS[setting][number % 2]
            for place, method in enumerate(methods):
                outcomes.append(_outcome(folder, dice, method, pair, setting, asked, number, place,
                                         size, skin))  # fmt: skip
    run = Run(
        benchmark="drawn-tv2i", split="test", pairs=3 * pairs, methods=methods, measures=MEASURES,
        model="drawn", device="cpu", dtype="float32", versions={"torch": "2.6"}, date="2026-01-01",
        seeds="the pair's own",
    )  # fmt: skip
    write_run(run, folder / RUN)
    write_outcomes(outcomes, folder / OUTCOMES)
    return read_results(folder)


def _outcome(folder, dice, method, pair, setting, prompt, number, place, size, skin) -> Outcome:
    near, seen = TRUE.get(method.name, (0.8, 0.9))
    given = {
        "method": method.name, "pair": pair, "setting": setting, "prompt": prompt,
        "person": number, "seed": 100 + number, "condition": f"conditions/{pair}.png",
        "seconds": 1 + dice.random(), "samples": method.samples or 60, "calls": method.calls or 20,
    }  # fmt: skip
    if method.name == "cow-release" and number == 3:
        return Outcome(**given, error="the device ran out of memory")
    file = folder / method.name / f"{pair}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    ground = ("#3f7a4f", "#c58b3a", "#6a5aa8", "#8aa8c0", "#aa5a6a")[place % 5]
    head(size, skin, ground, number + place).save(file)
    found = dice.random() < seen
    identity = round(max(0.05, dice.gauss(near, 0.15)), 4) if found else None
    scores = {
        "id_distance": identity,
        "face": float(found),
        "clip": round(0.2 + dice.random() / 9, 4),
    }
    missing = {} if found else {"id_distance": "no face found"}
    return Outcome(**given, file=f"{method.name}/{pair}.png", scores=scores, missing=missing)


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
