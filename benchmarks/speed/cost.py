"""The cost of a picture: UNet calls and samples per preset, and the time beside the UNet.

Calls and samples are counted at the UNet while a picture is made. A run is timed in turns with
nothing but the same calls on the same shapes.
"""

from __future__ import annotations

import torch

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.speed.subject import PLANTS_NOTHING, RANDOM, Subject
from sow.benchmarks.speed.tables import Section, Table
from sow.benchmarks.speed.timing import Operation, Times, timed
from sow.pipeline.calls import ForwardCounter
from sow.pipeline.pipeline import SowPipeline
from sow.settings.settings import PRESETS, Settings


def count(pipe: SowPipeline, settings: Settings) -> ForwardCounter:
    """Return the UNet calls and samples of one picture."""
    return ForwardCounter(Subject(pipe, "", settings).shapes())


def variants(subject: Subject) -> dict[str, Settings]:
    """Return the settings to count, by name."""
    checkpoint = subject.pipe.checkpoint_spec
    found = {name: checkpoint.preset(name) for name in PRESETS}
    found |= {
        f"normal, {name}={value}": checkpoint.preset("normal").changed(**{name: value})
        for name, value in (
            ("outside", "pair"),
            ("outside", "joined"),
            ("outside", "none"),
            ("inversion", "alone"),
        )
    }
    if subject.changed:
        found[f"timed here: normal {' '.join(subject.changed)}"] = subject.settings
    return found


def calls(subject: Subject, repeats: int) -> Section:
    """Count the UNet calls and samples of a picture, preset by preset; there is nothing to
    repeat."""
    rows = []
    for name, settings in variants(subject).items():
        spent = ForwardCounter(subject.shapes(settings, bare=name == PLANTS_NOTHING))
        rows.append((name, spent.calls, spent.samples))
    caption = "As this model's presets are; a sample is a picture in one branch of guidance."
    if subject.name in RANDOM:
        caption += " Counted with a small model of the same kind, which is called as often."
    table = Table(("preset", "UNet calls", "UNet samples"), rows, caption)
    return Section("calls", "UNet calls and samples", [table])


def wall(subject: Subject, repeats: int) -> Section:
    """Measure a complete run against the same UNet calls alone, and against its other parts."""
    run, shapes = subject.picture(), subject.shapes()
    parts = {"autoencoder": autoencoder(subject), "texts": texts(subject)}
    if subject.name not in RANDOM or subject.device.type != "cpu":
        run()  # whatever is loaded at its first use
    for part in parts.values():
        part()
    rounds = []
    for number in range(repeats):
        elapsed = {"run": timed(run, subject.device)} if number % 2 == 0 else {}
        elapsed["unet"] = subject.bare(shapes)
        elapsed |= {name: timed(part, subject.device) for name, part in parts.items()}
        if "run" not in elapsed:
            elapsed["run"] = timed(run, subject.device)
        rounds.append(elapsed)
    times = Times(rounds, subject.device.type == "cpu")
    row = (
        times.seconds("run"),
        times.seconds("unet"),
        times.seconds("autoencoder"),
        times.seconds("texts"),
        times.ratio("run", "unet"),
        times.share("run", ["unet", "autoencoder", "texts"]),
    )
    spent = ForwardCounter(shapes)
    caption = (
        f"One picture, {spent.calls} calls, {spent.samples} samples. The bare UNet is given noise "
        "of the same shapes, as often."
    )
    columns = (
        "run, s",
        "bare UNet, s",
        "autoencoder in and out, s",
        "text encoder, s",
        "run / bare UNet",
        "run / the three",
    )
    return Section("wall", "A run over its UNet", [Table(columns, [row], caption)])


def autoencoder(subject: Subject) -> Operation:
    """Return the autoencoder's work for one picture."""
    backbone = StableDiffusion(subject.pipe)
    width, height = subject.pipe.canvas
    times = 1 + subject.settings.replant

    def work() -> None:
        with torch.no_grad():
            for _ in range(times):
                latents = backbone.encode(torch.zeros(1, 3, height, width))
                backbone.decode(latents)

    return work


def texts(subject: Subject) -> Operation:
    """Return the text encoder's work for one picture."""
    backbone = StableDiffusion(subject.pipe)
    group = [[f"a person in a red coat, {number}"] for number in range(subject.settings.branches)]

    def work() -> None:
        with torch.no_grad():
            backbone.embed([group])

    return work
