"""A runner on another machine, or on another GPU of this one: what it does, and whom it asks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import ClaimedJob
from sow.batch.manifest.input_files import InputFileCache, locate_files
from sow.batch.runners.publishing import thumbs
from sow.batch.runners.runner import JobRunner
from sow.errors import PictureError
from sow.storage.addresses import is_address

if TYPE_CHECKING:
    from ray.actor import ActorHandle

    from sow.batch.runners.options import Options


class RayWorker:
    """An actor that loads the model once and carries out jobs until none is left."""

    def __init__(self, owner: str, node: str, options: Options) -> None:
        """Signs in; whoever died here before it has another number.

        owner: the name of the one who has the ledger; node: where that is.
        """
        import ray

        self._owner, self._options = ray.get_actor(owner), options
        self._beside = ray.get_runtime_context().get_node_id() == node
        self.number: int = ray.get(self._owner.register_runner.remote())

    def alive(self) -> int:
        """Its number: it answers while it works."""
        return self.number

    def work(self) -> float:
        """Carries out jobs; what became of them is known where the ledger is.

        Returns:
            Seconds of the engine's calls.

        Raises:
            SowError: if it cannot go on, through no job's fault.
        """
        options = self._options
        with closing(RemoteJobQueue(self._owner, self.number, self._beside)) as desk:
            run = JobRunner(options.service(self._say), desk, options.batch_size,
                      options.concurrent_plans, thumbs, method=options.method)  # fmt: skip
            for _ in run:
                pass
        return run.engine.busy

    def _say(self, kind: str, line: str) -> None:
        self._owner.say.remote(kind, line)


class RemoteJobQueue:
    """A `JobQueue` whose ledger an `LedgerActor` has; every method asks it and waits for the answer."""

    def __init__(self, owner: ActorHandle[Any], number: int, beside: bool) -> None:
        """number: under which this runner has signed in; beside: the owner's files are here."""
        self._owner, self._number, self._beside = owner, number, beside
        self._larder = InputFileCache()

    def _ask(self, what: str, *given: Any) -> Any:
        import ray
        from ray.exceptions import RayTaskError

        try:
            return ray.get(getattr(self._owner, what).remote(self._number, *given))
        except RayTaskError as error:
            raise error.cause from None

    def close(self) -> None:
        """Removes what was fetched."""
        self._larder.close()

    def num_pictures(self) -> int:
        """As `JobQueue`; so are the others."""
        return int(self._ask("num_pictures"))

    def record_model(self, model: str) -> None:
        """Notes the model."""
        self._ask("record_model", model)

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Takes jobs."""
        return list(self._ask("claim", limit))

    @contextmanager
    def input_files(self, claimed: ClaimedJob) -> Iterator[Mapping[str, Path]]:
        """The files of a job: those that lie where the ledger is are fetched from there."""
        with self._larder.files(claimed.job, claimed.folder) as files:
            if self._beside:
                yield files
                return
            given = locate_files(claimed.job, claimed.folder)
            with tempfile.TemporaryDirectory(prefix="sow-") as folder:
                yield {
                    name: path if is_address(given[name])
                    else self._fetched(path, Path(folder) / name)
                    for name, path in files.items()
                }  # fmt: skip

    def _fetched(self, path: Path, folder: Path) -> Path:
        import ray
        from ray.exceptions import RayTaskError

        folder.mkdir()
        try:
            (folder / path.name).write_bytes(ray.get(self._owner.read.remote(path)))
        except RayTaskError as error:
            why = getattr(error.cause, "strerror", None) or error.cause
            raise PictureError(f"{str(path)!r} cannot be read ({why})", "check it") from None
        return folder / path.name

    def mark_started(self, ids: Iterable[str]) -> None:
        """Notes what is about to be made."""
        self._ask("mark_started", list(ids))

    def record(
        self, claimed: ClaimedJob, seed: int, files: Mapping[str, bytes], metadata: Mapping[str, Any],
        seconds: float,
    ) -> bool:  # fmt: skip
        """Sends a picture to where it belongs."""
        return bool(self._ask("record", claimed, seed, files, metadata, seconds))

    def fail(self, claimed: ClaimedJob, reason: str) -> bool:
        """Notes that a job cannot be done."""
        return bool(self._ask("fail", claimed, reason))

    def others_running(self) -> bool:
        """Whether other runners have jobs."""
        return bool(self._ask("others_running"))

    def heartbeat(self) -> None:
        """A sign of life."""
        self._ask("heartbeat")

    def address(self, name: str) -> Path | str:
        """Where a picture is."""
        found: Path | str = self._ask("address", name)
        return found
