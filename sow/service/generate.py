"""`sow.generate`: a picture in one line of Python."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from sow.planners.request import options_of
from sow.service.planning import PlannerChoice
from sow.service.request import Generation
from sow.service.results import Result
from sow.service.service import Service

P = ParamSpec("P")


def _with_arguments_of(
    record: Callable[P, Generation],
) -> Callable[[Callable[[Generation], Result]], Callable[P, Result]]:
    """Give a function the arguments of a record, for type checkers, editors and `help`."""

    def decorate(run: Callable[[Generation], Result]) -> Callable[P, Result]:
        @functools.wraps(run)
        def call(*args: P.args, **kwargs: P.kwargs) -> Result:
            return run(record(*args, **kwargs))

        documented: Any = call  # functions have no signature to set, as mypy knows them
        signature = inspect.signature(record)
        documented.__signature__ = signature.replace(return_annotation="Result")
        arguments = [f"    {n}: {option.help}" for n, (_, option) in options_of(Generation).items()]
        documented.__doc__ = "\n".join([inspect.getdoc(run) or "", "", "Request:", *arguments])
        return call

    return decorate


@_with_arguments_of(Generation)
def generate(generation: Generation) -> Result:
    """Grow a picture around what `image` shows, as `prompt` says.

    The arguments are the fields of `sow.service.request.Generation`. For more than one request,
    make a `sow.Service` once: it keeps the model.

    Returns:
        The pictures with plan, recipes and notes; `.save("out.png")` writes them.

    Raises:
        SowError: with one line that says what is wrong and what to do.
    """
    chosen = generation.planner
    service = Service(
        generation.model,
        revision=generation.revision,
        config=generation.config,
        device=generation.device,
        dtype=generation.dtype,
        planner=chosen if isinstance(chosen, PlannerChoice) else PlannerChoice(chosen),
        report=generation.report,
        agree=generation.agree,
    )
    return service.generate(
        generation,
        seed=generation.seed,
        num=generation.num,
        cycles=generation.cycles,
        explain=generation.explain,
        verify=generation.verify,
        retries=generation.retries,
    )
