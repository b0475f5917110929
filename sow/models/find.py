"""Find a model's weights by name, hub id, folder or file."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sow.checkpoints.families import family_of_index
from sow.checkpoints.files import read_config
from sow.checkpoints.fingerprint import fingerprint
from sow.checkpoints.hub_cache import cached_snapshot
from sow.checkpoints.kinds import family_of, foreign_format, recognise
from sow.checkpoints.published import (
    BUNDLED_CONFIGS,
    PUBLISHED,
    published_folder,
    published_name,
    remembered_prediction,
)
from sow.checkpoints.single_file import check_single_file, read_header
from sow.checkpoints.spec import CheckpointSpec, words_of
from sow.checkpoints.trust import PICKLES, check_configs, check_folder, folder_problem
from sow.errors import ModelError
from sow.models.hub import NAMED, SD21, download_snapshot, hub_problem
from sow.utils.suggestions import did_you_mean
from sow.utils.type_checks import as_path

Half = bool | Callable[[], bool]
"""Whether to prefer files in half precision; a function is called only where it matters."""
BUNDLED = {"figures": Path(__file__).parents[1] / "bundled" / "figures"}


@dataclass(frozen=True)
class Model:
    """A model that was found: its name and where its weights are.

    Attributes:
        name: what a recipe records: a bundled name, a hub id, or the last part of a path.
        source: the folder or file.
        origin: `bundled`, `hub`, `folder` or `file`.
        config: of a file, a bundled configuration, a folder or a hub id; None if nobody named it.
        commit: the hub's commit; empty for other origins.
        half: whether to prefer files in half precision.
        extra_words: what embeddings add to its vocabulary, if it lists one.
        notes: lines for the user.
    """

    name: str
    source: Path
    origin: str
    commit: str = ""
    half: bool = False
    config: str | None = None
    extra_words: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @cached_property
    def revision(self) -> str:
        """The hub's commit, or a fingerprint of the files that are loaded."""
        return self.commit or fingerprint(self.source, self.half)

    @cached_property
    def checkpoint_spec(self) -> CheckpointSpec:
        """The checkpoint's own configuration; that of a single file is found by its tensors."""
        folder = self._config_folder if self.origin == "file" else self.source
        spec = CheckpointSpec() if folder is None else CheckpointSpec.from_folder(folder)
        words = spec.words | self.extra_words if spec.words else spec.words
        return replace(spec, words=words, canvas_known=spec.canvas_known and self.is_probed)

    @cached_property
    def _config_folder(self) -> Path | None:
        """The folder of a single file's configuration; None if it is not on this machine."""
        if self.config is None:
            name = published_name(self.base, remembered_prediction(self.source) or "epsilon")
            return published_folder(name) if name else None
        if self.config in PUBLISHED:
            return published_folder(self.config)
        folder = Path(self.config) if Path(self.config).is_dir() else cached_snapshot(self.config)
        if folder is not None:
            check_configs(folder)
        return folder

    @cached_property
    def is_probed(self) -> bool:
        """Whether its size is known: that of a 2.x in a file depends on what its UNet predicts."""
        if self.origin != "file":
            return True
        if self.config is not None:
            return self._config_folder is not None
        if self.base == "sd2":
            return remembered_prediction(self.source) is not None
        return self.base in ("sd1", "sdxl")  # one size, whatever they predict

    def probed_as(self, prediction: str) -> Model:
        """Return the model of a single file, now that it has been loaded.

        prediction: of its UNet, which tells the configuration unless that was given.
        """
        if self.config is not None:
            return replace(self)  # its configuration is in the cache now
        return replace(self, config=published_name(self.base, prediction))

    @property
    def tokenizer_home(self) -> Path | None:
        """The folder with the folder of its tokenizer; None if it is not on this machine."""
        if self.origin != "file":
            return self.source
        folder = self._config_folder
        return BUNDLED_CONFIGS if folder and folder.parent == BUNDLED_CONFIGS else folder

    @cached_property
    def base(self) -> str:
        """The family of models it belongs to, a key of `kinds.TITLES`; empty if unknown."""
        if self.origin == "file":
            return recognise(read_header(self.source)).base
        index = read_config(self.source, "model_index.json")
        bases = family_of_index(index, self.name).bases
        if len(bases) == 1:
            return bases[0]
        return family_of(read_config(self.source / "unet").get("cross_attention_dim"))

    def with_words(self, words: Collection[str]) -> Model:
        """Return the model with the words of embeddings."""
        known = frozenset(part for word in words for part in (word, *words_of(word)))
        return replace(self, extra_words=known) if known else self


def find_model(
    name: str | Path = "auto",
    *,
    revision: str | None = None,
    half: Half = False,
    download: bool = True,
    config: str | None = None,
) -> Model:
    """Find a model, and download it if necessary and allowed.

    Args:
        name: `auto` (SD2.1-base, else the bundled `figures`), `sd2.1`, `sdxl`, a bundled name, a
            folder, a `.safetensors` file or a hub id.
        revision: a branch, tag or commit on the hub.
        half: prefer files in half precision; a function is called only where it matters.
        download: False never uses the network.
        config: for a single file, a bundled configuration, a folder or a hub id.

    Raises:
        ModelError: if it cannot be found, is not trusted, or is of no family that runs.
    """
    path = as_path("model", name)
    name = str(name)
    if name in BUNDLED:
        return Model(name, BUNDLED[name], "bundled")
    if name in ("auto", "sd2.1"):
        return _find_stable_diffusion(name, revision, half, download)
    if name in NAMED:
        return _find_on_hub(NAMED[name][0], revision, half, download)
    with contextlib.suppress(RuntimeError):  # "~nobody"
        path = path.expanduser()
    if path.suffix in PICKLES:
        raise ModelError(
            f"{path.name!r} is a pickle, which can run code when it is loaded",
            "use a .safetensors file",
        )
    is_file, is_folder = _file_or_folder(path)
    if is_file:
        _check_file(path)
        return Model(path.name, path, "file", config=config)
    if is_folder:
        _check_is_checkpoint(path)
        check_folder(path)
        return Model(path.resolve().name, path, "folder", half=_prefer_half(half))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _find_on_hub(name, revision, half, download)
    names = (*NAMED, *BUNDLED)
    every = f"use auto, {', '.join(names)}, a folder, a .safetensors file or a hub id"
    raise ModelError(f"no model {name!r}", did_you_mean(name, names, every))


def _check_file(path: Path) -> None:
    """Check that a file holds a checkpoint, by its header.

    Raises:
        ModelError: if not; it says what the file is.
    """
    if path.suffix == ".safetensors":
        check_single_file(path)
        return
    foreign = foreign_format(path)
    if foreign is not None:
        raise ModelError(f"{path.name!r} is {foreign[0]}", foreign[1])
    raise ModelError(f"{path.name!r} is not a model", "use a folder or a .safetensors file")


def _check_is_checkpoint(folder: Path) -> None:
    """Check that a folder is not that of a single file, such as a LoRA's.

    Raises:
        ModelError: if it is; it says what the file is.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files or (folder / "model_index.json").exists():
        return
    if len(files) == 1:
        check_single_file(files[0])
    raise ModelError(
        f"{folder.name!r} is not a checkpoint in diffusers' layout, but has .safetensors files",
        f"give one of them: {files[0].name}",
    )


def _prefer_half(half: Half) -> bool:
    return half if isinstance(half, bool) else half()


def _file_or_folder(path: Path) -> tuple[bool, bool]:
    """Return whether a path is a file, and whether it is a folder; False if it is inaccessible."""
    try:
        return path.is_file(), path.is_dir()
    except OSError:
        return False, False


def download_model(name: str, *, revision: str | None = None, half: Half = False) -> Model:
    """Download a model from the hub into the cache, or complete and update what is there.

    Raises:
        ModelError: if it cannot be downloaded, or `name` is not a hub id.
    """
    names = NAMED.get("sd2.1" if name == "auto" else name, (name,))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", names[0]):
        use = f"use {', '.join(NAMED)} or a hub id: owner/name"
        raise ModelError(f"{name!r} is not a hub id", use)
    problem: object = hub_problem()
    for repository in names if problem is None else ():
        try:
            prefer_half = _prefer_half(half)
            folder = download_snapshot(repository, revision, prefer_half)
            check_folder(folder)
            return Model(repository, folder, "hub", commit=folder.name, half=prefer_half)
        except ModelError as error:
            problem = error.what
    raise ModelError(f"{name} cannot be downloaded ({problem})", "check the network and try again")


def _find_stable_diffusion(name: str, revision: str | None, half: Half, download: bool) -> Model:
    for repository in SD21:
        folder = cached_snapshot(repository, revision)
        if folder is not None and not folder_problem(folder):
            return Model(repository, folder, "hub", commit=folder.name, half=_prefer_half(half))
    problem = hub_problem() if download else None
    if download and problem is None:
        for repository in SD21:
            try:
                return _find_on_hub(repository, revision, half, download)
            except ModelError as error:
                problem = str(error)
    reason = f" and cannot be downloaded ({problem})" if problem else ""
    if name == "sd2.1":
        raise ModelError(
            f"Stable Diffusion 2.1 is not on this machine{reason}",
            "run `sow download` with a network, or set HF_HOME to a folder that has it",
        )
    notes = (
        f"Stable Diffusion 2.1 is not on this machine{reason}: the bundled `figures` runs instead, "
        "a small drawn world.",
        "To get Stable Diffusion 2.1: run `sow download` with a network, or set HF_HOME to a "
        "folder that has it.",
    )
    return Model("figures", BUNDLED["figures"], "bundled", notes=notes)


def _find_on_hub(repository: str, revision: str | None, half: Half, download: bool) -> Model:
    folder = cached_snapshot(repository, revision)
    if folder is None or folder_problem(folder):
        if not download:
            raise ModelError(
                f"{repository} is not in the cache", f"run `sow download {repository}`"
            )
        problem = hub_problem()
        if problem:
            raise ModelError(
                f"{repository} is not on this machine and cannot be downloaded ({problem})",
                f"check the name, then run `sow download {repository}` with a network",
            )
        folder = download_snapshot(repository, revision, _prefer_half(half))
    check_folder(folder)
    return Model(repository, folder, "hub", commit=folder.name, half=_prefer_half(half))
