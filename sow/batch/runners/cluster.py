"""Which machines there are, and what each runner gets of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sow.errors import DeviceError, UsageError

CONNECT = 10.0
"""Seconds in which the head of a cluster has to answer."""


@dataclass(frozen=True)
class Cluster:
    """Where runners are to work.

    Attributes:
        address: of a Ray cluster, as `ray.init` takes it: `auto`, or `host:port` of its head; None
            takes RAY_ADDRESS, or begins one on this machine for as long as the batch runs.
        workers: how many runners; None: one for each GPU, or for each machine if there are none.
    """

    address: str | None = None
    workers: int | None = None

    def check(self) -> None:
        """Refuses what makes no sense, before anything runs.

        Raises:
            UsageError: if Ray is not installed, or this command would run outside of the cluster.
        """
        from importlib.util import find_spec

        if find_spec("ray") is None:
            raise UsageError("Ray is not installed", "pip install 'sow[ray]'")
        if address_of(self).startswith("ray://"):
            raise UsageError(
                "the ledger lies where this command runs, which has to be in the cluster",
                "start it there: ray job submit -- sow batch ... --runner ray --address auto",
            )
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"{self.workers} workers", "give 1 or more")


@dataclass(frozen=True)
class RunnerResources:
    """What a runner gets of the cluster: `resources` as Ray's options have them."""

    workers: int
    resources: dict[str, float]


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """The cluster, joined for as long as the batch runs; one that was joined before stays so.

    Raises:
        DeviceError: if there is none.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    # Its own service would be told of every cluster that is begun; nobody asked the user.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address_of(cluster)
    try:
        check_listening(address)
        ray.init(address, include_dashboard=False if address == "local" else None,
                 log_to_driver=False, logging_level="error")  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"there is no Ray cluster at {address!r} ({error})", "check the address of its head"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def address_of(cluster: Cluster) -> str:
    """Of the cluster to join; `local` begins one, whatever else runs on this machine."""
    return cluster.address or os.environ.get("RAY_ADDRESS") or "local"


def check_listening(address: str) -> None:
    """Whether anybody is there, which Ray itself asks for minutes.

    Raises:
        OSError: if nobody is.
        ValueError: if it is no address.
    """
    if address == "auto":
        # Of the cluster that was begun on this machine last; Ray has no other way to ask for it.
        from ray._private.services import canonicalize_bootstrap_address

        address = canonicalize_bootstrap_address("auto") or "local"
    host, _, port = address.rpartition(":")
    if address != "local":
        socket.create_connection((host.strip("[]"), int(port)), CONNECT).close()


def runner_resources(nodes: list[dict[str, Any]], wanted: int | None, device: str) -> RunnerResources:
    """What each runner gets: a GPU, or an equal part of a machine's cores.

    Args:
        nodes: of the cluster, as `ray.nodes()` tells of them.
        wanted: how many runners; None: one for each GPU, or for each machine if there are none.
        device: as for `sow.Service`; on `cpu` no GPU is taken.

    Raises:
        DeviceError: if there is no room for as many.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in alive))
    cores = [int(node["CPU"]) for node in alive if node.get("CPU", 0) >= 1]
    if gpus:
        if (wanted or 0) > gpus:
            raise DeviceError(f"the cluster has {gpus} GPUs", f"give workers={gpus}, or fewer")
        return RunnerResources(wanted or gpus, {"num_gpus": 1, "num_cpus": 1})
    if (wanted or 1) > sum(cores):
        raise DeviceError(f"the cluster has {sum(cores)} cores", "give fewer workers")
    workers = wanted or len(cores)
    part = max(1, sum(cores) // workers)
    while sum(count // part for count in cores) < workers:  # a part lies within one machine
        part -= 1
    return RunnerResources(workers, {"num_cpus": part})
