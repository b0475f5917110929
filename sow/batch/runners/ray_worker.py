"""A runner in a Ray cluster, and its job queue."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.manifest.input_files import InputFileCache, locate_files
from sow.batch.runners.publishing import thumbnails
from sow.batch.runners.runner import JobRunner
from sow.errors import PictureError
from sow.storage.addresses import is_address

if TYPE_CHECKING:
    from ray.actor import ActorHandle

    from sow.batch.runners.options import Options


class RayWorker:
    """A Ray actor that loads the model once and runs jobs until none is left."""

    def __init__(self, ledger: str, node: str, options: Options) -> None:
        """Register as a new runner.

        Args:
            ledger: the name of the `LedgerActor`.
            node: the id of the node that it runs on.
        """
        import ray

        self._ledger, self._options = ray.get_actor(ledger), options
        self._is_local = ray.get_runtime_context().get_node_id() == node
        self.number: int = ray.get(self._ledger.register_runner.remote())

    def alive(self) -> int:
        """Return the number of this runner, also while it works."""
        return self.number

    def run(self) -> float:
        """Run jobs; their results go to the ledger.

        Returns:
            The seconds of the engine's calls.

        Raises:
            SowError: for an error that is not the fault of one job.
        """
        options = self._options
        with closing(RemoteJobQueue(self._ledger, self.number, self._is_local)) as queue:
            runner = JobRunner(
                options.service(self._report),
                queue,
                options.batch_size,
                options.concurrent_plans,
                thumbnails,
                method=options.method,
            )
            for _ in runner:
                pass
        return runner.engine.busy

    def _report(self, kind: str, line: str) -> None:
        self._ledger.report.remote(kind, line)


class RemoteJobQueue:
    """A `JobQueue` that calls a `LedgerActor` and waits for its answers."""

    def __init__(self, ledger: ActorHandle[Any], number: int, is_local: bool) -> None:
        """Connect a runner to the ledger.

        Args:
            number: the number under which the runner is registered.
            is_local: whether the ledger is on the same machine, with its files.
        """
        self._ledger, self._number, self._is_local = ledger, number, is_local
        self._input_cache = InputFileCache()

    def _call(self, method: str, *args: Any) -> Any:
        import ray
        from ray.exceptions import RayTaskError

        try:
            return ray.get(getattr(self._ledger, method).remote(self._number, *args))
        except RayTaskError as error:
            raise error.cause from None

    def close(self) -> None:
        """Remove downloaded files."""
        self._input_cache.close()

    def num_pictures(self) -> int:
        """Return the number of pictures of all jobs."""
        return int(self._call("num_pictures"))

    def record_model(self, model: str) -> None:
        """Record the model of the pictures."""
        self._call("record_model", model)

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Claim up to `limit` waiting jobs."""
        return list(self._call("claim", limit))

    @contextmanager
    def input_files(self, claimed: ClaimedJob) -> Iterator[Mapping[str, Path]]:
        """Provide the input files of a job; those on the ledger's machine are copied from there."""
        with self._input_cache.files(claimed.job, claimed.folder) as files:
            if self._is_local:
                yield files
                return
            locations = locate_files(claimed.job, claimed.folder)
            with tempfile.TemporaryDirectory(prefix="sow-") as folder:
                yield {
                    name: path if is_address(locations[name])
                    else self._fetch(path, Path(folder) / name)
                    for name, path in files.items()
                }  # fmt: skip

    def _fetch(self, path: Path, folder: Path) -> Path:
        import ray
        from ray.exceptions import RayTaskError

        folder.mkdir()
        try:
            (folder / path.name).write_bytes(ray.get(self._ledger.read.remote(path)))
        except RayTaskError as error:
            reason = getattr(error.cause, "strerror", None) or error.cause
            raise PictureError(
                f"{str(path)!r} cannot be read ({reason})", "check the file"
            ) from None
        return folder / path.name

    def mark_started(self, ids: Iterable[str]) -> None:
        """Record that the engine starts with these jobs."""
        self._call("mark_started", list(ids))

    def record(
        self,
        claimed: ClaimedJob,
        seed: int,
        files: Mapping[str, bytes],
        metadata: Mapping[str, Any],
        seconds: float,
    ) -> bool:
        """Send a picture to the ledger, which writes and records it."""
        return bool(self._call("record", claimed, seed, files, metadata, seconds))

    def fail(self, claimed: ClaimedJob, reason: str) -> bool:
        """Record that a job failed."""
        return bool(self._call("fail", claimed, reason))

    def others_running(self) -> bool:
        """Return whether other runners hold jobs."""
        return bool(self._call("others_running"))

    def heartbeat(self) -> None:
        """Send a heartbeat, if one is due."""
        self._call("heartbeat")

    def address(self, name: str) -> Path | str:
        """Return the path or address of a picture."""
        location: Path | str = self._call("address", name)
        return location
