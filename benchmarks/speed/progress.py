"""How far a section is: a bar at a terminal that counts the samples given to the UNet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sow.benchmarks.desk import parts_bar
from sow.benchmarks.speed.hardware import shape_of
from sow.benchmarks.speed.subject import Subject


@contextmanager
def shown(subject: Subject, said: str, total: float | None) -> Iterator[None]:
    """While open there is a bar; without a terminal or a total nothing is counted.

    said: what it is about. total: samples of the model's own canvas.
    """
    bar = parts_bar(said, total) if total else None
    if bar is None or bar.disable:
        yield
        return
    whole = bar.total
    height, width = shape_of(subject, 1)[2:]

    def enter(_: Any, args: Any, kwargs: Any) -> None:
        sample = args[0] if args else kwargs["sample"]
        share = sample.shape[0] * sample.shape[2] * sample.shape[3] / (height * width)
        bar.update(min(share, whole - bar.n))

    hook = subject.pipe.unet.register_forward_pre_hook(enter, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
        bar.close()
