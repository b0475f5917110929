"""A runner on another machine, or on another GPU of this one: what it does, and whom it asks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.batch.ledger.ledger import Claimed
from sow.batch.manifest.input_files import Larder, addresses
from sow.batch.runners.publishing import thumbs
from sow.batch.runners.runner import Run
from sow.errors import PictureError
from sow.storage.addresses import is_address

if TYPE_CHECKING:
    from ray.actor import ActorHandle

    from sow.batch.runners.options import Options


class Worker:
    """An actor that loads the model once and carries out jobs until none is left."""

    def __init__(self, owner: str, node: str, options: Options) -> None:
        """Signs in; whoever died here before it has another number.

        owner: the name of the one who has the ledger; node: where that is.
        """
        import ray

        self._owner, self._options = ray.get_actor(owner), options
        self._beside = ray.get_runtime_context().get_node_id() == node
        self.number: int = ray.get(self._owner.sign_in.remote())

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
        with closing(RemoteDesk(self._owner, self.number, self._beside)) as desk:
            run = Run(options.service(self._say), desk, options.batch_size,
                      options.plans_at_a_time, thumbs, method=options.method)  # fmt: skip
            for _ in run:
                pass
        return run.engine.busy

    def _say(self, kind: str, line: str) -> None:
        self._owner.say.remote(kind, line)


class RemoteDesk:
    """A `Desk` whose ledger an `Owner` has; every method asks it and waits for the answer."""

    def __init__(self, owner: ActorHandle[Any], number: int, beside: bool) -> None:
        """number: under which this runner has signed in; beside: the owner's files are here."""
        self._owner, self._number, self._beside = owner, number, beside
        self._larder = Larder()

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

    def pictures(self) -> int:
        """As `Desk`; so are the others."""
        return int(self._ask("pictures"))

    def made_with(self, model: str) -> None:
        """Notes the model."""
        self._ask("made_with", model)

    def claim(self, most: int) -> list[Claimed]:
        """Takes jobs."""
        return list(self._ask("claim", most))

    @contextmanager
    def inputs(self, claimed: Claimed) -> Iterator[Mapping[str, Path]]:
        """The files of a job: those that lie where the ledger is are fetched from there."""
        with self._larder.files(claimed.job, claimed.folder) as files:
            if self._beside:
                yield files
                return
            given = addresses(claimed.job, claimed.folder)
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

    def begin(self, ids: Iterable[str]) -> None:
        """Notes what is about to be made."""
        self._ask("begin", list(ids))

    def record(
        self, claimed: Claimed, seed: int, files: Mapping[str, bytes], told: Mapping[str, Any],
        seconds: float,
    ) -> bool:  # fmt: skip
        """Sends a picture to where it belongs."""
        return bool(self._ask("record", claimed, seed, files, told, seconds))

    def fail(self, claimed: Claimed, reason: str) -> bool:
        """Notes that a job cannot be done."""
        return bool(self._ask("fail", claimed, reason))

    def others_at_work(self) -> bool:
        """Whether other runners have jobs."""
        return bool(self._ask("others_at_work"))

    def beat(self) -> None:
        """A sign of life."""
        self._ask("beat")

    def address(self, name: str) -> Path | str:
        """Where a picture is."""
        found: Path | str = self._ask("address", name)
        return found
