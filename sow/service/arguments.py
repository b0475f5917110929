"""Check the arguments of a `Service`: types, seeds, numbers of pictures."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from sow.errors import UsageError
from sow.models.devices import check_device_names
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.utils.limits import MAX_PICTURES, MAX_RETRIES, MAX_SEED, RANDOM_SEED
from sow.utils.type_checks import INTEGERS, PATH, check_type


def check_service(
    model: object, device: str, dtype: str, planner: object, **callbacks: object
) -> None:
    """Check the arguments of a `Service`; `callbacks` must be callable.

    Raises:
        UsageError: if one has the wrong type.
        DeviceError: for an unknown device or precision.
    """
    check_type("model", model, PATH, "a name or a path")
    check_device_names(device, dtype)
    check_type("planner", planner, (PlannerChoice, type(None)),
               'one, such as sow.PlannerChoice("offline")')  # fmt: skip
    for name, function in callbacks.items():
        if not callable(function):
            check_type(name, function, (), "a function, or leave it out")


def check_request(request: object) -> None:
    """Check that a request is a `Request`.

    Raises:
        UsageError: if it is not.
    """
    check_type("request", request, (Request,), "a Request")


def check_seeds(seeds: Iterable[Any]) -> None:
    """Check that seeds are whole numbers from 0 to `MAX_SEED`.

    Raises:
        UsageError: if one is not.
    """
    for seed in seeds:
        check_type("seed", seed, INTEGERS, "a whole number")
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"no seed {seed}", f"give seed= from 0 to {MAX_SEED}")


def consecutive_seeds(seed: int | None, num: int) -> range:
    """Return `num` consecutive seeds from the first; None and -1 draw it at random.

    Raises:
        UsageError: if `num` or the seed is out of range.
    """
    check_type("num", num, INTEGERS, "a whole number")
    if not 1 <= num <= MAX_PICTURES:
        raise UsageError(f"{num} pictures", f"give num= from 1 to {MAX_PICTURES}")
    first = secrets.randbelow(2**31) if seed in (None, RANDOM_SEED) else seed
    assert first is not None  # mypy does not see it in a tuple
    check_seeds([first])
    return range(first, first + num)


def check_retries(retries: Any) -> None:
    """Check a number of retries: from 0 to `MAX_RETRIES`.

    Raises:
        UsageError: if it is not.
    """
    check_type("retries", retries, INTEGERS, "a whole number")
    if not 0 <= retries <= MAX_RETRIES:
        raise UsageError(f"retries={retries}", f"give retries= from 0 to {MAX_RETRIES}")


def check_flag(name: str, value: object, otherwise: str) -> None:
    """Check that an argument is True or False.

    Raises:
        UsageError: if it is not; `otherwise` says what was perhaps meant.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{name}={value!r} is neither True nor False", otherwise)
