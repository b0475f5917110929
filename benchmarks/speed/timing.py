"""Comparable times: taken in turns, and in CPU seconds where there is no accelerator.

On a CPU ratios are of CPU seconds, which programs beside this one hardly change; on a GPU of
seconds on the clock, with the device waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

Operation = Callable[[], Any]


@dataclass(frozen=True)
class Elapsed:
    """The wall and CPU seconds (of all threads) of some work."""

    wall: float
    cpu: float

    def plus(self, other: Elapsed) -> Elapsed:
        """Return the sum of two times."""
        return Elapsed(self.wall + other.wall, self.cpu + other.cpu)

    def times(self, factor: float) -> Elapsed:
        """Return the time multiplied by a factor."""
        return Elapsed(self.wall * factor, self.cpu * factor)


@dataclass(frozen=True)
class Times:
    """Repeated times of several works, taken in turns.

    Attributes:
        rounds: what each took, by its name.
        on_cpu: whether ratios are of CPU seconds.
    """

    rounds: Sequence[Mapping[str, Elapsed]]
    on_cpu: bool

    def seconds(self, name: str) -> float:
        """Return the median wall seconds."""
        return median(each[name].wall for each in self.rounds)

    def spent(self, name: str) -> float:
        """Return the median of the seconds used for ratios."""
        return median(self._of(each[name]) for each in self.rounds)

    def ratio(self, name: str, other: str) -> float:
        """Return the median ratio of two works' times."""
        return median(self._of(each[name]) / self._of(each[other]) for each in self.rounds)

    def share(self, name: str, others: Sequence[str]) -> float:
        """Return the median ratio of a work's time to the sum of others'."""
        sums = [sum(self._of(each[other]) for other in others) for each in self.rounds]
        return median(self._of(e[name]) / s for e, s in zip(self.rounds, sums, strict=True))

    def _of(self, elapsed: Elapsed) -> float:
        return elapsed.cpu if self.on_cpu else elapsed.wall


def settle(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def timed(work: Operation, device: torch.device) -> Elapsed:
    """Time some work once."""
    settle(device)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    settle(device)
    return Elapsed(time.perf_counter() - wall, time.process_time() - cpu)


def alternated(
    forms: Mapping[str, Operation], repeats: int, device: torch.device, warm: bool = True
) -> Times:
    """Time each work in turn, `repeats` times after a warm-up; every other round backwards."""
    if warm:
        for work in forms.values():
            work()
    rounds = []
    for number in range(repeats):
        names = list(forms) if number % 2 == 0 else list(forms)[::-1]
        rounds.append({name: timed(forms[name], device) for name in names})
    return Times(rounds, device.type == "cpu")
