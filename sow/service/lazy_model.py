"""The model of a service: found when it is first asked for, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
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
"""Receives a message for the user: its kind (`note`, `model` or `planner`), and one line."""


class LazyModel:
    """A model on a device, found and loaded on first use; threads may share it.

    For the arguments see `Service`.
    """

    def __init__(
        self,
        name: str,
        revision: str | None,
        config: str | None,
        device: str,
        dtype: str,
        report: Report,
        download: bool,
    ) -> None:
        self._name, self._revision, self._config = name, revision, config
        self._device, self._dtype = device, dtype
        self._report, self._download = report, download
        self._find_lock, self._load_lock = RLock(), Lock()
        self._model: Model | None = None
        self._pipe: SowPipeline | None = None
        self._reading, self._reported = False, False
        self._loader: Thread | None = None

    @property
    def device(self) -> str:
        """The device that the model runs on: `auto` is resolved."""
        return choose_device(self._device)

    @property
    def model(self) -> Model:
        """The model's name, files and specification.

        A single file whose size only its UNet tells is loaded first.

        Raises:
            ModelError: if it cannot be found or may not be trusted.
        """
        found = self._find()
        if not found.is_probed:
            self._load()
        return self._find()

    def _find(self) -> Model:
        with self._find_lock:
            if self._model is None:
                self._model = find_model(
                    self._name,
                    revision=self._revision,
                    half=self._is_half,
                    download=self._download,
                    config=self._config,
                )
                report_notes(self._report, self._model.notes)
            return self._model

    def _is_half(self) -> bool:
        return choose_dtype(self._dtype, self.device).itemsize == 2

    @property
    def pipe(self) -> SowPipeline:
        """The pipeline, on its device.

        Raises:
            ModelError, DeviceError: if it cannot be loaded.
        """
        pipe = self._load()
        with self._find_lock:
            if not self._reported:
                self._reported = True
                found = self._find()
                self._report("model", f"{found.name} ({found.revision}) on {pipe.device}")
        return pipe

    def _load(self) -> SowPipeline:
        from sow.models.load import load_pipeline

        with self._load_lock:
            if self._pipe is None:
                found = self._find()
                self._pipe = load_pipeline(found, device=self._device, dtype=self._dtype)
                self._pipe.warn = lambda line: None  # the service reports these notes itself
                if not found.is_probed:
                    with self._find_lock:
                        self._model = found.probed_as(self._pipe.scheduler.config.prediction_type)
            return self._pipe

    @cached_property
    def prefix_cache(self) -> PrefixCache:
        """What further seeds of the latest pictures share with them."""
        from sow.pipeline.prefix_cache import PrefixCache

        return PrefixCache()

    def start_reading(self) -> None:
        """Read the weights into memory in a background thread, while faces are detected."""
        with self._find_lock:
            if self._pipe is None and not self._reading:
                self._reading = True
                found = self._find()  # not `model`, which may wait for a thread that waits here
                files = loaded_files(found.source, found.half).values()
                Thread(target=read_ahead, args=(files,), daemon=True).start()

    def start_loading(self) -> None:
        """Load the model in a background thread, while a vendor is asked for a plan."""
        with self._find_lock:
            if self._pipe is None and self._loader is None:
                self._loader = Thread(target=self._try_to_load, name=PRELOAD_THREAD)
                self._loader.start()

    def _try_to_load(self) -> None:
        with suppress(Exception):  # it is raised again where the model is needed
            self._load()


def report_notes(report: Report, notes: Iterable[str]) -> list[str]:
    """Report notes, and return them."""
    found = list(notes)
    for note in found:
        report("note", note)
    return found
