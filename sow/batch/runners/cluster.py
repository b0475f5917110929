"""The Ray cluster of a batch, and the resources of each runner."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sow.errors import DeviceError, UsageError

CONNECT_TIMEOUT = 10.0
"""Seconds in which the head of a cluster must answer."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster to run a batch on.

    Attributes:
        address: as for `ray.init`: `auto`, or `host:port` of its head; None for RAY_ADDRESS or, if
            that is not set, a cluster on this machine for the duration of the batch.
        workers: the number of runners; None for one per GPU, or one per machine without GPUs.
    """

    address: str | None = None
    workers: int | None = None

    def check(self) -> None:
        """Check these values before anything runs.

        Raises:
            UsageError: if Ray is not installed, this process is outside the cluster, or
                `workers` is less than 1.
        """
        from importlib.util import find_spec

        if find_spec("ray") is None:
            raise UsageError("Ray is not installed", "pip install 'sow[ray]'")
        if address_of(self).startswith("ray://"):
            raise UsageError(
                "ray:// connects from outside, but this command must run inside the cluster",
                "run it there: ray job submit -- sow batch ... --runner ray --address auto",
            )
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers={self.workers} is less than 1", "give 1 or more")


@dataclass(frozen=True)
class RunnerResources:
    """The number of runners, and the `resources` of each as options of a Ray actor."""

    workers: int
    resources: dict[str, float]


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Connect to the cluster while the context is open; an existing connection is kept.

    Raises:
        DeviceError: if there is no cluster at that address.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    # Otherwise Ray reports usage statistics, to which the user has not agreed.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address_of(cluster)
    try:
        check_listening(address)
        ray.init(address, include_dashboard=False if address == "local" else None,
                 log_to_driver=False, logging_level="error")  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"no Ray cluster at {address!r} ({error})", "check the address of its head"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def address_of(cluster: Cluster) -> str:
    """Return the address for `ray.init`; `local` starts a new cluster on this machine."""
    return cluster.address or os.environ.get("RAY_ADDRESS") or "local"


def check_listening(address: str) -> None:
    """Check that something listens at an address; Ray itself would try for minutes.

    Raises:
        OSError: if nothing does.
        ValueError: if the address is malformed.
    """
    if address == "auto":
        # The cluster that was started last on this machine; Ray has no public function for it.
        from ray._private.services import canonicalize_bootstrap_address

        address = canonicalize_bootstrap_address("auto") or "local"
    host, _, port = address.rpartition(":")
    if address != "local":
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()


def runner_resources(
    nodes: list[dict[str, Any]], workers: int | None, device: str
) -> RunnerResources:
    """Return the resources of each runner: a GPU, or an equal part of the cores.

    Args:
        nodes: the nodes of the cluster, from `ray.nodes()`.
        workers: the number of runners; None for one per GPU, or one per machine without GPUs.
        device: as for `sow.Service`; `cpu` uses no GPUs.

    Raises:
        DeviceError: if the cluster is too small for that many.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in alive))
    cores = [int(node["CPU"]) for node in alive if node.get("CPU", 0) >= 1]
    if gpus:
        if (workers or 0) > gpus:
            raise DeviceError(f"the cluster has only {gpus} GPUs", f"give workers={gpus} or less")
        return RunnerResources(workers or gpus, {"num_gpus": 1, "num_cpus": 1})
    if (workers or 1) > sum(cores):
        raise DeviceError(f"the cluster has only {sum(cores)} cores", "give fewer workers")
    workers = workers or len(cores)
    num_cpus = max(1, sum(cores) // workers)
    while sum(count // num_cpus for count in cores) < workers:  # a runner stays on one machine
        num_cpus -= 1
    return RunnerResources(workers, {"num_cpus": num_cpus})
