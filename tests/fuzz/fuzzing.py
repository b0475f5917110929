"""What the fuzz tests share: a seed, how many cases, and what every one of them must answer.

A case is hostile input and what a user would do with it. It may work, or end in one `SowError`;
any other exception is a finding. `make fuzz` runs the same tests with more cases and another seed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from sow.errors import SowError

COUNT = int(os.environ.get("FUZZ_COUNT", "500"))
SEED = int(os.environ.get("FUZZ_SEED", "20261121"))
LONGEST_LINE = 1200


@dataclass(frozen=True)
class Case:
    """Hostile input with a name that says what was done to it, and what a user does with it."""

    name: str
    run: Callable[[], object]


def randomness(kind: str) -> Random:
    """The same dice for the same seed, whatever other kinds of tests have thrown."""
    return Random(f"{SEED} {kind}")


def check(cases: Iterable[Case]) -> Counter[str]:
    """Runs all cases; how many ended in what.

    Raises:
        AssertionError: names the cases that ended in anything but a result or one clear line.
    """
    ends: Counter[str] = Counter()
    found: list[str] = []
    for case in cases:
        try:
            case.run()
        except SowError as error:
            ends[type(error).__name__] += 1
            line = str(error)
            if not error.what or "\n" in line or len(line) > LONGEST_LINE:
                found.append(f"{case.name}: not one clear line: {line[:200]!r}")
        except Exception as error:
            found.append(f"{case.name}: {type(error).__name__}: {str(error)[:200]}")
        else:
            ends["worked"] += 1
    assert not found, f"{len(found)} of {sum(ends.values()) + len(found)}: " + "; ".join(found[:20])
    return ends
