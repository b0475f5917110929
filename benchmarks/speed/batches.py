"""What a picture costs in company: batches beside what the bare UNet gains by the same."""

from __future__ import annotations

from collections.abc import Mapping

from sow.benchmarks.speed.cost import autoencoder
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Times, Took, timed


def batches(subject: Subject, repeats: int) -> Section:
    """Pictures a second by the size of batches."""
    sizes = subject.sizes
    shapes = {size: subject.shapes(count=size) for size in sizes}
    runs = {size: subject.picture(count=size) for size in sizes}
    once = autoencoder(subject)
    once()
    rounds: list[Mapping[str, Took]] = []
    for number in range(repeats):
        took: dict[str, Took] = {"autoencoder": timed(once, subject.device)}
        for size in sizes if number % 2 == 0 else sizes[::-1]:
            # On both sides of the run, so that what the machine does meanwhile meets both.
            before = subject.bare(shapes[size])
            took[f"run {size}"] = timed(runs[size], subject.device).times(1 / size)
            bare = before.plus(subject.bare(shapes[size]))
            took[f"bare {size}"] = bare.times(0.5 / size)
        rounds.append(took)
    times = Times(rounds, subject.device.type == "cpu")
    said = (
        "Seconds are of a picture. A gain is that of a batch over the smallest; what is "
        "reached is the gain of a run over the gain of the bare UNet. The autoencoder works on one "
        "picture at a time and gains nothing: the last column sets a run against both, and what "
        "is left of it is the engine's own."
    )
    columns = ("pictures in a call", "run, s", "bare UNet, s", "gain", "gain of the bare UNet",
               "reached", "run / bare UNet", "run / UNet and autoencoder")  # fmt: skip
    rows = [_row(size, sizes[0], times) for size in sizes]
    return Section("batches", "Batches", [Table(columns, rows, said)])


def _row(size: int, first: int, times: Times) -> list[Cell]:
    run, bare = f"run {size}", f"bare {size}"
    gain, possible = times.ratio(f"run {first}", run), times.ratio(f"bare {first}", bare)
    return [size, times.seconds(run), times.seconds(bare), gain, possible, gain / possible,
            times.ratio(run, bare), times.share(run, [bare, "autoencoder"])]  # fmt: skip
