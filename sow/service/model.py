"""The model of a service: found when it is first asked for, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING

from sow.checkpoints.fingerprint import loaded_files
from sow.checkpoints.reading import read_ahead
from sow.models.devices import choose_device, choose_dtype
from sow.models.find import Model, find_model

if TYPE_CHECKING:
    from sow.beginnings import Beginnings
    from sow.pipeline import SowPipeline

Report = Callable[[str, str], None]
"""Takes what a person should be told: of what kind (`note`, `model`, `planner`), and the line."""


class OneModel:
    """One model on one device, that threads may share; for the arguments see `Service`."""

    def __init__(
        self, model: str | Path, revision: str | None, config: str | None, device: str, dtype: str,
        report: Report, download: bool,
    ) -> None:  # fmt: skip
        """Nothing is looked for yet."""
        self._model_name, self._revision, self._config = str(model), revision, config
        self._device, self._dtype = device, dtype
        self._report, self._download = report, download
        self._finding = RLock()
        self._model: Model | None = None
        self._pipe: SowPipeline | None = None
        self._ahead = False

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
        from sow.models.load import load_pipeline

        with self._finding:
            if self._pipe is None:
                model = self.model
                self._pipe = load_pipeline(
                    model, device=self._device, dtype=self._dtype, config=self._config
                )
                self._pipe.remark = lambda line: None  # who plans for it has told it already
                self._report("model", f"{model.name} ({model.revision}) on {self._pipe.device}")
            return self._pipe

    @cached_property
    def beginnings(self) -> Beginnings:
        """Those of the latest pictures, which their further seeds go on from."""
        from sow.beginnings import Beginnings

        return Beginnings()

    def _read_ahead(self) -> None:
        """Brings the weights into memory in a thread of its own: a face is looked for meanwhile."""
        with self._finding:
            if self._pipe is None and not self._ahead:
                self._ahead = True
                files = loaded_files(self.model.source, self.model.half).values()
                Thread(target=read_ahead, args=(files,), daemon=True).start()

    def _told(self, notes: Iterable[str]) -> list[str]:
        """Notes, reported."""
        told = list(notes)
        for note in told:
            self._report("note", note)
        return told
