"""A hundred prompts with two objects and a spatial relation, and a detector that checks it.

In the four categories of the spatial prompts of LLM-grounded Diffusion (Lian et al., 2023): left
of, right of, above, below; the sentences are our own. A detector finds the most certain box
for each of the two words; a picture passes if the centres lie as the sentence says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from sow.benchmarks.output import bar
from sow.benchmarks.statistics import rate, sign_test, turned
from sow.errors import ModelError
from sow.pictures.loading import load_image
from sow.plan.scene_graph import article
from sow.service.request import Request
from sow.service.service import Service

SIDES = ("left of", "right of", "above", "below")
BESIDE = (
    ("cat", "dog"), ("bicycle", "bench"), ("apple", "banana"), ("car", "bus"), ("chair", "table"),
    ("horse", "cow"), ("cup", "teapot"), ("book", "lamp"), ("suitcase", "backpack"),
    ("sheep", "tree"), ("guitar", "piano"), ("sofa", "plant"), ("bird", "rabbit"),
    ("truck", "motorcycle"), ("vase", "clock"), ("bottle", "bowl"), ("elephant", "zebra"),
    ("umbrella", "ball"), ("laptop", "mug"), ("boat", "lighthouse"), ("hat", "shoe"),
    ("pizza", "cake"), ("fire hydrant", "mailbox"), ("bear", "fox"), ("toaster", "kettle"),
)  # fmt: skip
UPRIGHT = (
    ("kite", "dog"), ("balloon", "car"), ("bird", "horse"), ("airplane", "boat"), ("clock", "sofa"),
    ("lamp", "table"), ("drone", "bicycle"), ("umbrella", "chair"), ("butterfly", "cat"),
    ("candle", "drawer"), ("helicopter", "truck"), ("mirror", "sink"), ("cloud", "house"),
    ("lantern", "tree"), ("owl", "barrel"), ("shelf", "desk"), ("flag", "bus"), ("bee", "flower"),
    ("frisbee", "sheep"), ("bell", "door"), ("parrot", "suitcase"), ("kettle", "stove"),
    ("hat", "vase"), ("parachute", "cow"), ("ball", "basket"),
)  # fmt: skip
METHODS: Mapping[str, Mapping[str, Any]] = {"prompt only": {"layout_steps": 0}, "layout": {}}
LEAST = 0.1
"""How certain a detection has to be: what OWL-ViT's authors and LMD use."""

Find = Callable[[Image.Image, Sequence[str]], dict[str, tuple[float, float]]]
OnPicture = Callable[[int, float], object]
"""The centre of the most certain box for each of these words that is found in a picture."""


@dataclass(frozen=True)
class Sentence:
    """A prompt with two objects and a relation."""

    one: str
    side: str
    other: str

    @property
    def prompt(self) -> str:
        """The text for the model."""
        return f"a photo of {article(self.one)} {self.side} {article(self.other)}"

    @property
    def triple(self) -> tuple[str, str, str]:
        """Subject, relation and object, for the layout."""
        return self.one, self.side, self.other

    def holds(self, centres: Mapping[str, tuple[float, float]]) -> bool:
        """Return whether both objects are found and lie as the prompt says."""
        if not {self.one, self.other} <= set(centres):
            return False
        (x, y), (u, v) = centres[self.one], centres[self.other]
        return {"left of": x < u, "right of": x > u, "above": y < v, "below": y > v}[self.side]


def sentences() -> list[Sentence]:
    """Return all hundred prompts, 25 per relation; for "below", the lower object is named first."""
    return [
        Sentence(*((other, side, one) if side == "below" else (one, side, other)))
        for number in range(len(BESIDE))
        for side in SIDES
        for one, other in [(BESIDE if side in SIDES[:2] else UPRIGHT)[number]]
    ]


def detector(name: str, device: str) -> Find:
    """Return a function that finds objects by name: OWL-ViT, OWLv2 and the like, by transformers.

    Args:
        name: a folder, or a hub id; only safetensors are loaded, and no code.
        device: as transformers has it.

    Raises:
        ModelError: if it cannot be had.
    """
    from transformers import pipeline

    try:
        find = pipeline(
            "zero-shot-object-detection",
            model=name,
            device=device,
            model_kwargs={"use_safetensors": True},
        )
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ModelError(
            f"the detector {name!r} cannot be loaded: {reason}",
            "give detector= a folder or a hub id of OWL-ViT or OWLv2",
        ) from None

    def found(image: Image.Image, words: Sequence[str]) -> dict[str, tuple[float, float]]:
        seen = find(image, candidate_labels=[article(word) for word in words], threshold=LEAST)
        best: dict[str, tuple[float, float]] = {}
        for each in sorted(seen, key=lambda one: one["score"]):
            box = each["box"]
            centre = ((box["xmin"] + box["xmax"]) / 2, (box["ymin"] + box["ymax"]) / 2)
            best[each["label"].split(maxsplit=1)[1]] = centre
        return best

    return found


def origin(service: Service) -> str:
    """Return the name of the folder for one model, revision and precision."""
    model, dtype = service.model, str(service.pipe.denoiser.dtype).removeprefix("torch.")
    # Of a folder's weights the revision is a hash, so the same name may be of another model.
    return re.sub(r"[^\w.]+", "-", f"{model.name} {model.revision[:12]} {dtype}").strip("-.")


def pictures(
    service: Service, folder: Path, seeds: Sequence[int], limit: int, on_picture: OnPicture
) -> Iterator[tuple[str, Sentence, Path]]:
    """Yield a picture of each prompt and seed by each method; existing pictures are reused.

    on_picture: called with 1 and the seconds of each, 0 for an existing one.
    """
    prompts, folder = sentences()[:limit], folder / origin(service)
    work = [(m, s, seed) for s in prompts for seed in seeds for m in METHODS]
    for method, sentence, seed in bar(work, "pictures"):
        name = f"{sentence.prompt.removeprefix('a photo of ').replace(' ', '-')}-{seed}.png"
        path = folder / method.replace(" ", "-") / name
        seconds = 0.0
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            request = Request(None, sentence.prompt, triples=[sentence.triple])
            made = replace(request, settings=dict(METHODS[method]))
            result = service.generate(made, seed=seed)
            result.save(path)
            seconds = result.pictures[0].seconds
        on_picture(1, seconds)
        yield method, sentence, path


def spatial(
    service: Service,
    find: Find,
    folder: Path,
    seeds: Sequence[int],
    limit: int = 100,
    on_picture: OnPicture = lambda pictures, seconds: None,
) -> list[str]:
    """Make the pictures, detect the objects and return the report as lines of Markdown."""
    results: dict[str, list[tuple[Sentence, bool, bool]]] = {method: [] for method in METHODS}
    for method, sentence, path in pictures(service, folder, seeds, limit, on_picture):
        centres = find(load_image(path), (sentence.one, sentence.other))
        both = {sentence.one, sentence.other} <= set(centres)
        results[method].append((sentence, both, sentence.holds(centres)))
    lines = ["| | pass | both found | pass, where both are found |", "|---|---|---|---|"]
    for side in (*SIDES, "all"):
        for method, rows in results.items():
            selected = [row for row in rows if side in (row[0].side, "all")]
            rates = [
                rate([held for _, _, held in selected]),
                rate([both for _, both, _ in selected]),
                rate([held for _, both, held in selected if both]),
            ]
            cells = " | ".join(each.percent() if each.count else "none" for each in rates)
            lines.append(f"| {side}: {method} | {cells} |")
    up, down = turned(*([held for _, _, held in rows] for rows in results.values()))
    p = sign_test(up, down)
    return [*lines, "", f"Layout: {up} better, {down} worse (sign test, p {p:.2g})."]
