"""Other seeds for pictures in which something is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from sow.service.results import Picture
from sow.utils.limits import MAX_SEED


def retry_faulty(
    make: Callable[[Sequence[int], Sequence[int]], Iterator[Picture]],
    seeds: Sequence[int],
    retries: int,
) -> Iterator[Picture]:
    """A picture for each seed, or a better one of another seed.

    Pictures with faults are made again, together, with the seeds that follow the largest, for as
    long as there are such; the best of each is kept, of equal ones the first.

    Args:
        make: pictures of seeds, for these places among those that were asked for.
        seeds: of the pictures that were asked for.
        retries: how often at most; 0 hands them over as they come.
    """
    places = range(len(seeds))
    if not (retries and seeds):
        yield from make(seeds, places)
        return
    made, fresh = list(make(seeds, places)), count(max(seeds) + 1)
    for _ in range(retries):
        bad = [place for place in places if made[place].faults]
        others = [next(fresh) for _ in bad]
        if not bad or others[-1] > MAX_SEED:
            break
        for place, picture in zip(bad, make(others, bad), strict=True):
            made[place] = min(made[place], picture, key=lambda one: one.faults)
    yield from made
