"""The jobs of a batch carried out by runners anywhere in a Ray cluster.

The ledger stays where this runs; an `LedgerActor` answers for it. Ray places the runners, starts them
again when they die, and gives them their jobs back by calling `work` anew; who is taken for dead
meanwhile loses its jobs to the others.
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
from sow.batch.runners.ray_ledger import LedgerEvents, LedgerActor
from sow.batch.runners.ray_worker import RayWorker
from sow.batch.runners.runner import JobResult
from sow.errors import DeviceError, OutputError
from sow.service.planning import never_consent

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

    from sow.batch.runners.options import Options
    from sow.service.lazy_model import Report

POLL, PATROL = 0.5, 5.0
"""Seconds between looks at what has ended, and at who is alive."""
PATIENCE = 60.0
"""Seconds after which somebody is told that the cluster has no room yet."""
RESTARTS = 20
"""So often Ray starts a runner again that has died."""


@dataclass(eq=False)
class _Runner:
    """One of the runners, as seen from here.

    Attributes:
        number: under which it was alive last; 0 before that.
    """

    actor: ActorHandle[Any]
    work: ObjectRef[float]
    number: int = 0
    asked: ObjectRef[int] | None = None


@dataclass
class RayRunner:
    """The jobs of a ledger, carried out until none is left; iterate once.

    Attributes:
        opened: opens the ledger, in another process of this machine.
        said: with which options pictures are made, as the ledger has it.
        address: of a picture, by its name.
        report: is told what a person should know, each line once.
    """

    cluster: Cluster
    options: Options
    opened: Callable[[], Ledger]
    said: str
    address: Callable[[str], Path | str]
    report: Report
    _runners: list[_Runner] = field(default_factory=list)
    _told: set[tuple[str, str]] = field(default_factory=set)

    def __iter__(self) -> Generator[JobResult]:
        """Every job that a runner has ended, as it ends.

        Raises:
            DeviceError: if there is no cluster, no room in it, or no runner stays alive.
            SowError: what a runner could not go on for.
        """
        with connected(self.cluster):
            owner = self._begun()
            try:
                yield from self._watched(owner)
            finally:
                self._ended(owner)

    def _begun(self) -> ActorHandle[Any]:
        """Starts the owner here, and runners wherever there is room."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = ray.get_runtime_context().get_node_id()
        share = runner_resources(ray.nodes(), self.cluster.workers, self.options.device)
        name = f"sow-{secrets.token_hex(8)}"
        owner = ray.remote(LedgerActor).options(
            name=name, num_cpus=0, max_concurrency=2 * share.workers + 2,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        ).remote(self.opened, self.said)  # fmt: skip
        # Whoever was asked for leave has been: the planner is named by now.
        planner = replace(self.options.planner, consent=never_consent)
        # The owner by its name: a handle cannot be given again to one that is restarted.
        actors = [
            ray.remote(RayWorker).options(
                **share.resources, max_restarts=RESTARTS, max_task_retries=-1, max_concurrency=2,
            ).remote(name, here, replace(self.options, planner=planner, cluster=None))
            for _ in range(share.workers)
        ]  # fmt: skip
        self._runners = [_Runner(actor, actor.work.remote()) for actor in actors]
        return owner

    def _watched(self, owner: ActorHandle[Any]) -> Iterator[JobResult]:
        """What becomes of jobs while runners are at work."""
        import ray

        started = looked = time.monotonic()
        while self._runners:
            ended, _ = ray.wait([runner.work for runner in self._runners], timeout=POLL)
            for runner in [one for one in self._runners if one.work in ended]:
                self._over(runner, owner)
            yield from self._news(owner)
            if time.monotonic() - looked > PATROL:
                looked = time.monotonic()
                self._look_after(owner)
                if not any(one.number for one in self._runners) and looked - started > PATIENCE:
                    self._tell("model", "waiting for room in the cluster")
        yield from self._news(owner)

    def _over(self, runner: _Runner, owner: ActorHandle[Any]) -> None:
        """A runner has nothing left to do, or has died too often.

        Raises:
            SowError: if it could not go on, or was the last and jobs are left.
        """
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        self._runners.remove(runner)
        try:
            ray.get(runner.work)
        except RayTaskError as error:
            raise as_error(error.cause) from None
        except RayActorError as error:
            ray.get(owner.lost.remote(runner.number))
            if not self._runners:
                raise DeviceError(
                    f"all runners have died, {RESTARTS} times each ({error})",
                    "look at Ray's logs; the same command then goes on",
                ) from None

    def _look_after(self, owner: ActorHandle[Any]) -> None:
        """Tells the owner of runners that are dead: their jobs need not wait for their return."""
        import ray
        from ray.exceptions import RayActorError

        for runner in self._runners:
            if runner.asked is not None and ray.wait([runner.asked], timeout=0)[0]:
                before, asked, runner.asked = runner.number, runner.asked, None
                try:
                    runner.number = ray.get(asked)
                except RayActorError:
                    runner.number = 0
                if before not in (0, runner.number):
                    ray.get(owner.lost.remote(before))
            if runner.asked is None:
                runner.asked = runner.actor.alive.options(max_task_retries=0).remote()

    def _news(self, owner: ActorHandle[Any]) -> Iterator[JobResult]:
        import ray
        from ray.exceptions import RayActorError

        try:
            news: LedgerEvents = ray.get(owner.news.remote())
        except RayActorError:
            raise OutputError(
                "the one who has the ledger has died", "the same command goes on"
            ) from None
        for kind, line in news.said:
            self._tell(kind, line)
        for result in news.results:
            yield replace(result, files=tuple(self.address(str(file)) for file in result.files))

    def _tell(self, kind: str, line: str) -> None:
        if (kind, line) not in self._told:
            self._told.add((kind, line))
            self.report(kind, line)

    def _ended(self, owner: ActorHandle[Any]) -> None:
        """Stops all runners and gives back what they had."""
        import ray
        from ray.exceptions import RayError

        for runner in self._runners:
            ray.kill(runner.actor)
        try:
            ray.get(owner.close.remote())
        except RayError:
            return  # it has died: what it had is free already
        ray.kill(owner)
