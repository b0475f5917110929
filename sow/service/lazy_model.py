"""The model of a service: found when it is first asked for, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock, Thread
from typing import TYPE_CHECKING

from sow.checkpoints.files import read_ahead
from sow.checkpoints.fingerprint import loaded_files
from sow.models.devices import choose_device, choose_dtype
from sow.models.find import Model, find_model
from sow.utils.libraries import PRELOAD_THREAD

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache

Report = Callable[[str, str], None]
"""Takes what a person should be told: of what kind (`note`, `model`, `planner`), and the line."""


class LazyModel:
    """One model on one device, that threads may share; for the arguments see `Service`."""

    def __init__(
        self, model: str | Path, revision: str | None, config: str | None, device: str, dtype: str,
        report: Report, download: bool,
    ) -> None:  # fmt: skip
        """Nothing is looked for yet."""
        self._model_name, self._revision, self._config = str(model), revision, config
        self._device, self._dtype = device, dtype
        self._report, self._download = report, download
        self._finding, self._loading = RLock(), Lock()
        self._model: Model | None = None
        self._pipe: SowPipeline | None = None
        self._read_early, self._told_of_it = False, False
        self._ahead: Thread | None = None

    @property
    def model(self) -> Model:
        """Where the weights are.

        Raises:
            ModelError: if they cannot be found or may not be trusted.
        """
        with self._finding:
            if self._model is None:
                self._model = find_model(self._model_name, revision=self._revision,
                                         half=self._in_half, download=self._download)  # fmt: skip
                self._told(self._model.notes)
            return self._model

    def _in_half(self) -> bool:
        return choose_dtype(self._dtype, choose_device(self._device)).itemsize == 2

    @property
    def pipe(self) -> SowPipeline:
        """The model, loaded and on its device.

        Raises:
            ModelError, DeviceError: if it cannot be.
        """
        pipe = self._loaded()
        with self._finding:
            if not self._told_of_it:
                self._told_of_it = True
                self._report("model", f"{self.model.name} ({self.model.revision}) on {pipe.device}")
        return pipe

    def _loaded(self) -> SowPipeline:
        from sow.models.load import load_pipeline

        with self._loading:
            if self._pipe is None:
                self._pipe = load_pipeline(
                    self.model, device=self._device, dtype=self._dtype, config=self._config
                )
                self._pipe.warn = lambda line: None  # who plans for it has told it already
            return self._pipe

    @cached_property
    def prefix_cache(self) -> PrefixCache:
        """Those of the latest pictures, which their further seeds go on from."""
        from sow.pipeline.prefix_cache import PrefixCache

        return PrefixCache()

    def _read_ahead(self) -> None:
        """Brings the weights into memory in a thread of its own: a face is looked for meanwhile."""
        with self._finding:
            if self._pipe is None and not self._read_early:
                self._read_early = True
                files = loaded_files(self.model.source, self.model.half).values()
                Thread(target=read_ahead, args=(files,), daemon=True).start()

    def _load_ahead(self) -> None:
        """Loads the model in a thread of its own: a vendor is asked for a plan meanwhile."""
        with self._finding:
            if self._pipe is None and self._ahead is None:
                self._ahead = Thread(target=self._try_to_load, name=PRELOAD_THREAD)
                self._ahead.start()

    def _try_to_load(self) -> None:
        with suppress(Exception):  # it goes wrong again, and is told, where the model is needed
            self._loaded()

    def _told(self, notes: Iterable[str]) -> list[str]:
        """Notes, reported."""
        told = list(notes)
        for note in told:
            self._report("note", note)
        return told
