"""Running a batch with runners anywhere in a Ray cluster.

The ledger stays on the machine of this process, behind a `LedgerActor`. Ray places the runners,
restarts dead ones and calls their `run` again. Meanwhile the jobs of a dead runner go to others.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import Ledger
from sow.batch.runners.cluster import Cluster, connected, runner_resources
from sow.batch.runners.engine import as_error
from sow.batch.runners.ray_ledger import LedgerActor, LedgerEvents
from sow.batch.runners.ray_worker import RayWorker
from sow.batch.runners.runner import JobResult
from sow.errors import DeviceError, OutputError
from sow.service.planning import never_consent

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

    from sow.batch.runners.options import Options
    from sow.service.lazy_model import Report

POLL, LIVENESS_INTERVAL = 0.5, 5.0
"""Seconds between polls for results, and between liveness checks of the runners."""
STARTUP_PATIENCE = 60.0
"""Seconds without any runner after which the user is told that the cluster is full."""
MAX_RESTARTS = 20
"""How often Ray restarts a runner that has died."""


@dataclass(eq=False)
class _RemoteRunner:
    """A runner in the cluster.

    Attributes:
        completion: the result of its `run`.
        number: its number when it was last alive; 0 if it never was.
        ping: a pending liveness check.
    """

    actor: ActorHandle[Any]
    completion: ObjectRef[float]
    number: int = 0
    ping: ObjectRef[int] | None = None


@dataclass
class RayRunner:
    """Runs the jobs of a ledger in a Ray cluster until none is left; iterate once.

    Attributes:
        open_ledger: opens the ledger in another process of this machine.
        ledger_options: the options that affect pictures, as noted in the ledger.
        address: returns the path or address of a picture by its name.
        report: called with messages for the user, once each.
    """

    cluster: Cluster
    options: Options
    open_ledger: Callable[[], Ledger]
    ledger_options: str
    address: Callable[[str], Path | str]
    report: Report
    _runners: list[_RemoteRunner] = field(default_factory=list)
    _reported: set[tuple[str, str]] = field(default_factory=set)

    def __iter__(self) -> Generator[JobResult]:
        """Yield the result of each job as it ends.

        Raises:
            DeviceError: if there is no cluster, it is too small, or all runners died.
            SowError: any error that ended a runner.
        """
        with connected(self.cluster):
            ledger = self._start()
            try:
                yield from self._watch(ledger)
            finally:
                self._shut_down(ledger)

    def _start(self) -> ActorHandle[Any]:
        """Start the ledger's actor on this machine and the runners in the cluster."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        resources = runner_resources(ray.nodes(), self.cluster.workers, self.options.device)
        name = f"sow-{secrets.token_hex(8)}"
        ledger = ray.remote(LedgerActor).options(
            name=name, num_cpus=0, max_concurrency=2 * resources.workers + 2,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        ).remote(self.open_ledger, self.ledger_options)  # fmt: skip
        # Consent was asked for before: the planner is definite by now.
        planner = replace(self.options.planner, consent=never_consent)
        # The ledger by name: a restarted actor would not get its handle again.
        actors = [
            ray.remote(RayWorker).options(
                **resources.resources, max_restarts=MAX_RESTARTS, max_task_retries=-1,
                max_concurrency=2,
            ).remote(name, node, replace(self.options, planner=planner, cluster=None))
            for _ in range(resources.workers)
        ]  # fmt: skip
        self._runners = [_RemoteRunner(actor, actor.run.remote()) for actor in actors]
        return ledger

    def _watch(self, ledger: ActorHandle[Any]) -> Iterator[JobResult]:
        """Yield results while runners are working."""
        import ray

        started = last_check = time.monotonic()
        while self._runners:
            ended, _ = ray.wait([runner.completion for runner in self._runners], timeout=POLL)
            for runner in [runner for runner in self._runners if runner.completion in ended]:
                self._handle_end(runner, ledger)
            yield from self._poll_events(ledger)
            if time.monotonic() - last_check > LIVENESS_INTERVAL:
                last_check = time.monotonic()
                self._check_liveness(ledger)
                waited_long = last_check - started > STARTUP_PATIENCE
                if waited_long and not any(runner.number for runner in self._runners):
                    self._report("model", "waiting for room in the cluster")
        yield from self._poll_events(ledger)

    def _handle_end(self, runner: _RemoteRunner, ledger: ActorHandle[Any]) -> None:
        """Remove a runner that has finished, failed or died too often.

        Raises:
            SowError: if it failed, or was the last and died.
        """
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        self._runners.remove(runner)
        try:
            ray.get(runner.completion)
        except RayTaskError as error:
            raise as_error(error.cause) from None
        except RayActorError as error:
            ray.get(ledger.mark_dead.remote(runner.number))
            if not self._runners:
                raise DeviceError(
                    f"all runners died, after {MAX_RESTARTS} restarts each ({error})",
                    "see Ray's logs; the same command then continues",
                ) from None

    def _check_liveness(self, ledger: ActorHandle[Any]) -> None:
        """Mark dead runners in the ledger, so that their jobs need not wait for a restart."""
        import ray
        from ray.exceptions import RayActorError

        for runner in self._runners:
            if runner.ping is not None and ray.wait([runner.ping], timeout=0)[0]:
                before, ping, runner.ping = runner.number, runner.ping, None
                try:
                    runner.number = ray.get(ping)
                except RayActorError:
                    runner.number = 0
                if before not in (0, runner.number):
                    ray.get(ledger.mark_dead.remote(before))
            if runner.ping is None:
                runner.ping = runner.actor.alive.options(max_task_retries=0).remote()

    def _poll_events(self, ledger: ActorHandle[Any]) -> Iterator[JobResult]:
        import ray
        from ray.exceptions import RayActorError

        try:
            events: LedgerEvents = ray.get(ledger.take_events.remote())
        except RayActorError:
            raise OutputError(
                "the actor with the ledger died", "run the same command again to continue"
            ) from None
        for kind, line in events.reports:
            self._report(kind, line)
        for result in events.results:
            yield replace(result, files=tuple(self.address(str(file)) for file in result.files))

    def _report(self, kind: str, line: str) -> None:
        if (kind, line) not in self._reported:
            self._reported.add((kind, line))
            self.report(kind, line)

    def _shut_down(self, ledger: ActorHandle[Any]) -> None:
        """Stop all runners and release their jobs."""
        import ray
        from ray.exceptions import RayError

        for runner in self._runners:
            ray.kill(runner.actor)
        try:
            ray.get(ledger.close.remote())
        except RayError:
            return  # it has died, and its jobs are free already
        ray.kill(ledger)
