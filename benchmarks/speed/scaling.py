"""How the cost of a picture changes with the batch, the cycles and the canvas."""

from __future__ import annotations

from collections.abc import Mapping

from sow.benchmarks.speed.cost import autoencoder
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Elapsed, Times, alternated, timed
from sow.pipeline.calls import ForwardCounter

CYCLES = (0, 2, 5, 10)
CANVASES = ((1.0, 1.0), (1.5, 1.0), (1.5, 1.5), (2.0, 2.0))
"""Width and height, in those of the model's own."""


def scaling(subject: Subject, repeats: int) -> Section:
    """Measure runs by cycles and by canvas."""
    return Section(
        "scaling", "Cycles and canvas", [cycles(subject, repeats), canvases(subject, repeats)]
    )


def cycles(subject: Subject, repeats: int) -> Table:
    """Measure runs by the number of cycles."""
    several = {str(n): subject.settings.changed(cycles=n) for n in CYCLES}
    forms = {name: subject.picture(settings) for name, settings in several.items()}
    times = alternated(forms, repeats, subject.device)
    first = next(iter(forms))
    rows = []
    for name, settings in several.items():
        spent = ForwardCounter(subject.shapes(settings))
        rows.append(
            (int(name), spent.calls, spent.samples, times.seconds(name), times.ratio(name, first))
        )
    columns = ("cycles", "UNet calls", "UNet samples", "run, s", f"over {first} cycles")
    return Table(columns, rows)


def canvases(subject: Subject, repeats: int) -> Table:
    """Measure runs by the canvas, relative to the model's own."""
    width, height = subject.pipe.canvas
    grid = subject.pipe.canvas_multiple
    sizes = [(int(width * w) // grid * grid, int(height * h) // grid * grid) for w, h in CANVASES]
    warn = subject.pipe.warn
    subject.pipe.warn = lambda line: None  # that a canvas is far from the model's own is known
    try:
        forms = {f"{w} x {h}": subject.picture(canvas=(w, h)) for w, h in sizes}
        times = alternated(forms, repeats, subject.device)
    finally:
        subject.pipe.warn = warn
    first = next(iter(forms))
    rows = [
        (name, w * h / (width * height), times.seconds(name), times.ratio(name, first))
        for name, (w, h) in zip(forms, sizes, strict=True)
    ]
    return Table(("canvas", "pixels over the model's own", "run, s", f"over {first}"), rows)


def batches(subject: Subject, repeats: int) -> Section:
    """Measure pictures per second by batch size, against the gain of the UNet alone."""
    sizes = subject.sizes
    shapes = {size: subject.shapes(count=size) for size in sizes}
    runs = {size: subject.picture(count=size) for size in sizes}
    once = autoencoder(subject)
    once()
    rounds: list[Mapping[str, Elapsed]] = []
    for number in range(repeats):
        elapsed: dict[str, Elapsed] = {"autoencoder": timed(once, subject.device)}
        for size in sizes if number % 2 == 0 else sizes[::-1]:
            # On both sides of the run, so that what the machine does meanwhile meets both.
            before = subject.bare(shapes[size])
            elapsed[f"run {size}"] = timed(runs[size], subject.device).times(1 / size)
            bare = before.plus(subject.bare(shapes[size]))
            elapsed[f"bare {size}"] = bare.times(0.5 / size)
        rounds.append(elapsed)
    times = Times(rounds, subject.device.type == "cpu")
    caption = (
        "Seconds are of a picture. A gain is that of a batch over the smallest; what is "
        "reached is the gain of a run over the gain of the bare UNet. The autoencoder works on one "
        "picture at a time and gains nothing: the last column sets a run against both, and what "
        "is left of it is the engine's own."
    )
    columns = (
        "pictures in a call",
        "run, s",
        "bare UNet, s",
        "gain",
        "gain of the bare UNet",
        "reached",
        "run / bare UNet",
        "run / UNet and autoencoder",
    )
    rows = [_row(size, sizes[0], times) for size in sizes]
    return Section("batches", "Batches", [Table(columns, rows, caption)])


def _row(size: int, first: int, times: Times) -> list[Cell]:
    run, bare = f"run {size}", f"bare {size}"
    gain, possible = times.ratio(f"run {first}", run), times.ratio(f"bare {first}", bare)
    return [
        size,
        times.seconds(run),
        times.seconds(bare),
        gain,
        possible,
        gain / possible,
        times.ratio(run, bare),
        times.share(run, [bare, "autoencoder"]),
    ]
