"""Other seeds for pictures in which something is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from sow.service.arguments import check_seeds
from sow.service.results import Picture


def retried(
    make: Callable[[Sequence[int]], Iterator[Picture]], seeds: Sequence[int], retries: int
) -> Iterator[Picture]:
    """A picture for each seed, or a better one of another seed.

    Pictures with faults are made again, together, with the seeds that follow the largest; the
    best of each is kept, of equal ones the first.

    Args:
        make: pictures of seeds.
        seeds: at least one.
        retries: how often at most.
    """
    made, fresh = list(make(seeds)), count(max(seeds) + 1)
    for _ in range(retries):
        bad = [place for place, picture in enumerate(made) if picture.faults]
        others = [next(fresh) for _ in bad]
        check_seeds(others)
        for place, picture in zip(bad, make(others) if bad else (), strict=True):
            made[place] = min(made[place], picture, key=lambda one: one.faults)
    yield from made
