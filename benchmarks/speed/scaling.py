"""How the cost of a picture grows with its cycles and its canvas."""

from __future__ import annotations

from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section, Table
from sow.benchmarks.speed.timing import alternated
from sow.calls import ForwardCounter

CYCLES = (0, 2, 5, 10)
CANVASES = ((1.0, 1.0), (1.5, 1.0), (1.5, 1.5), (2.0, 2.0))
"""Width and height, in those of the model's own."""


def scaling(subject: Subject, repeats: int) -> Section:
    """Two tables; batches have a section of their own."""
    return Section("scaling", "Cycles and canvas", [cycles(subject, repeats),
                                                    canvases(subject, repeats)])  # fmt: skip


def cycles(subject: Subject, repeats: int) -> Table:
    """Against the number of cycles."""
    several = {str(n): subject.settings.changed(cycles=n) for n in CYCLES}
    forms = {name: subject.picture(settings) for name, settings in several.items()}
    times = alternated(forms, repeats, subject.device)
    first = next(iter(forms))
    rows = []
    for name, settings in several.items():
        spent = ForwardCounter(subject.shapes(settings))
        rows.append((int(name), spent.calls, spent.samples, times.seconds(name),
                     times.ratio(name, first)))  # fmt: skip
    columns = ("cycles", "UNet calls", "UNet samples", "run, s", f"over {first} cycles")
    return Table(columns, rows)


def canvases(subject: Subject, repeats: int) -> Table:
    """Against the canvas, in the model's own."""
    width, height = subject.pipe.canvas
    grid = subject.pipe.canvas_stride
    sizes = [(int(width * w) // grid * grid, int(height * h) // grid * grid) for w, h in CANVASES]
    remark = subject.pipe.remark
    subject.pipe.remark = lambda line: None  # that a canvas is far from the model's own is known
    try:
        forms = {f"{w} x {h}": subject.picture(canvas=(w, h)) for w, h in sizes}
        times = alternated(forms, repeats, subject.device)
    finally:
        subject.pipe.remark = remark
    first = next(iter(forms))
    rows = [
        (name, w * h / (width * height), times.seconds(name), times.ratio(name, first))
        for name, (w, h) in zip(forms, sizes, strict=True)
    ]
    return Table(("canvas", "pixels over the model's own", "run, s", f"over {first}"), rows)
