"""Options that only `sow batch run` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sow.cli.options import PLANNER
from sow.errors import UsageError
from sow.planners.request import MODEL, RESULT
from sow.utils.limits import MAX_BATCH_SIZE

if TYPE_CHECKING:
    from sow.batch.runners.cluster import Cluster
    from sow.service.request import Request

RUNNER = "Many machines"

SingleConfig = Annotated[
    str | None,
    typer.Option(
        help="Configuration of a single .safetensors file: sd1, sd1-v, sd2-base, sd2-v, a "
        "folder or a hub id. Default: recognised by its tensors.",
        rich_help_panel=MODEL,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MAX_BATCH_SIZE,
        help="Pictures per call of the model. Default: as many as fit, at most 8.",
        rich_help_panel=MODEL,
    ),
]
Planners = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="Concurrent plans. Default: 8 with a language model, 2 with rules.",
        rich_help_panel=PLANNER,
    ),
]
Runner = Annotated[
    str, typer.Option(help="local, or ray to use several GPUs or machines.", rich_help_panel=RUNNER)
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster: auto or host:port. Default: RAY_ADDRESS, else this machine.",
        rich_help_panel=RUNNER,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of Ray runners. Default: one per GPU, or per machine without GPUs.",
        rich_help_panel=RUNNER,
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", help="Retry failed jobs.", rich_help_panel=RESULT),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Skip invalid lines instead of stopping.", rich_help_panel=RESULT
    ),
]


def cluster_of(runner: str, address: str | None, workers: int | None) -> Cluster | None:
    """Return the Ray cluster to run on; None for this process.

    Raises:
        UsageError: if the runner is unknown, or options of Ray are given without it.
    """
    from sow.batch.runners.cluster import Cluster

    if runner == "ray":
        return Cluster(address, workers)
    if runner != "local":
        raise UsageError(f"unknown runner {runner!r}", "choose local or ray")
    if address is not None or workers is not None:
        raise UsageError("--address and --workers require --runner ray", "add it")
    return None


def assigned_settings(request: Request) -> dict[str, Any]:
    """Return the settings that are given as text (`cycles=5`), by name.

    Raises:
        UsageError: for a setting that does not exist, or does not go with preset and likeness.
    """
    from sow.service.fitting import resolve_settings
    from sow.settings.settings import PSEUDO_SETTINGS, Settings

    texts: list[str] = [str(text) for text in request.settings or ()]
    changed = resolve_settings(Settings.preset(request.preset or "normal"), texts, request.likeness)
    assigned: dict[str, Any] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        pseudo = name in PSEUDO_SETTINGS  # not a field, and read again for every job's preset
        assigned[name] = float(value) if pseudo else getattr(changed, name, None)
    return assigned
