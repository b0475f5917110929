"""Options of `sow batch run` that no other command has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.options import MODEL, PLANNER, RESULT
from sow.errors import UsageError
from sow.utils.limits import MAX_BATCH_SIZE

if TYPE_CHECKING:
    from sow.batch.runners.cluster import Cluster
    from sow.service.request import Request

RUNNER = "Many machines"

SingleConfig = Annotated[
    str | None,
    typer.Option(
        help="For a single .safetensors file: folder or hub id of its configuration.",
        rich_help_panel=MODEL,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MAX_BATCH_SIZE,
        help="Pictures in a call of the model. Default: as many as fit, at most 8.",
        rich_help_panel=MODEL,
    ),
]
Planners = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="Plans at a time. Default: 8 where a language model is asked, 2 by rules.",
        rich_help_panel=PLANNER,
    ),
]
Runner = Annotated[
    str, typer.Option(help="local, or ray: on many GPUs or machines.", rich_help_panel=RUNNER)
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Of a Ray cluster: auto, or host:port. Default: RAY_ADDRESS, else this machine.",
        rich_help_panel=RUNNER,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many work with Ray. Default: one per GPU, or per machine if there are none.",
        rich_help_panel=RUNNER,
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", help="Also try again what failed.", rich_help_panel=RESULT),
]
SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave out lines that are wrong.", rich_help_panel=RESULT),
]


def cluster_of(runner: str, address: str | None, workers: int | None) -> Cluster | None:
    """Where Ray is to carry the jobs out; None: this process does.

    Raises:
        UsageError: for an unknown runner, or options of the other one.
    """
    from sow.batch.runners.cluster import Cluster

    if runner == "ray":
        return Cluster(address, workers)
    if runner != "local":
        raise UsageError(f"no runner {runner!r}", "choose local or ray")
    if address is not None or workers is not None:
        raise UsageError("--address and --workers are for Ray", "add --runner ray")
    return None


def assigned_settings(request: Request) -> dict[str, Any]:
    """Return the settings that are given as text (`cycles=5`), by name.

    Raises:
        UsageError: for a setting that does not exist, or does not go with preset and likeness.
    """
    from sow.service.fitting import resolve_settings
    from sow.settings.settings import Settings

    texts: list[str] = [str(text) for text in request.settings or ()]
    changed = resolve_settings(Settings.preset(request.preset or "normal"), texts, request.likeness)
    assigned: dict[str, Any] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        assigned[name] = float(value) if name == "likeness" else getattr(changed, name, None)
    return assigned
