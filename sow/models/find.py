"""A name, a hub id, a folder or a file -> where the weights are."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sow.checkpoints.fingerprint import fingerprint
from sow.checkpoints.hub_cache import cached_snapshot
from sow.checkpoints.spec import CheckpointSpec
from sow.checkpoints.trust import PICKLES, check_folder, folder_problem
from sow.errors import ModelError
from sow.models.hub import SD21, download_snapshot, hub_problem
from sow.utils.type_checks import as_path

Half = bool | Callable[[], bool]
"""Whether files in half precision are preferred; asked of a function, only where there are any."""
BUNDLED = {"figures": Path(__file__).parents[1] / "bundled" / "figures"}


@dataclass(frozen=True)
class Model:
    """Where the weights are and what they are called.

    Attributes:
        name: what a recipe records: a bundled name, a hub id, or the last part of a path.
        source: the folder or file.
        kind: `bundled`, `hub`, `folder` or `file`.
        commit: the hub's.
        half: whether files in half precision are preferred.
        notes: lines for the user.
    """

    name: str
    source: Path
    kind: str
    commit: str = ""
    half: bool = False
    notes: tuple[str, ...] = ()

    @cached_property
    def revision(self) -> str:
        """The hub's commit, or a fingerprint of the files that are loaded."""
        return self.commit or fingerprint(self.source, self.half)

    @cached_property
    def checkpoint_spec(self) -> CheckpointSpec:
        """What the checkpoint says of itself; a single file is taken for Stable Diffusion's."""
        return CheckpointSpec() if self.kind == "file" else CheckpointSpec.of_folder(self.source)


def find_model(
    name: str | Path = "auto",
    *,
    revision: str | None = None,
    half: Half = False,
    download: bool = True,
) -> Model:
    """Where a model is, downloading it if need be and allowed.

    Args:
        name: `auto` (SD2.1-base, else the bundled `figures`), `sd2.1`, a bundled name, a folder,
            a `.safetensors` file or a hub id.
        revision: a branch, tag or commit on the hub.
        half: prefer files in half precision; a function is only asked where it matters.
        download: False never asks the network.

    Raises:
        ModelError: if it cannot be found or may not be trusted.
    """
    path = as_path("model", name)
    name = str(name)
    if name in BUNDLED:
        return Model(name, BUNDLED[name], "bundled")
    if name in ("auto", "sd2.1"):
        return _stable_diffusion(name, revision, half, download)
    with contextlib.suppress(RuntimeError):  # "~nobody"
        path = path.expanduser()
    if path.suffix in PICKLES:
        raise ModelError(
            f"{path.name!r} is a pickle, which can run code when it is loaded",
            "give the .safetensors file",
        )
    file, directory = _there(path)
    if file:
        if path.suffix != ".safetensors":
            raise ModelError(f"{path.name!r} is no model", "give a folder or a .safetensors file")
        return Model(path.name, path, "file")
    if directory:
        check_folder(path)
        return Model(path.resolve().name, path, "folder", half=_told(half))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _from_hub(name, revision, half, download)
    raise ModelError(
        f"no model {name!r}",
        f"give auto, sd2.1, {', '.join(BUNDLED)}, a folder, a .safetensors file or a hub id",
    )


def _told(half: Half) -> bool:
    return half if isinstance(half, bool) else half()


def _there(path: Path) -> tuple[bool, bool]:
    """Whether a path is a file, and whether a folder; no for what cannot even be looked at."""
    try:
        return path.is_file(), path.is_dir()
    except OSError:
        return False, False


def fetch_model(name: str, *, revision: str | None = None, half: Half = False) -> Model:
    """Brings a model of the hub into the cache, or completes and renews what is there.

    Raises:
        ModelError: if it cannot be had, or `name` is not on the hub.
    """
    names = SD21 if name in ("auto", "sd2.1") else (name,)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", names[0]):
        raise ModelError(f"{name!r} is not on the hub", "give sd2.1 or a hub id: owner/name")
    problem: object = hub_problem()
    for repository in names if problem is None else ():
        try:
            wanted = _told(half)
            folder = download_snapshot(repository, revision, wanted)
            check_folder(folder)
            return Model(repository, folder, "hub", commit=folder.name, half=wanted)
        except ModelError as error:
            problem = error.what
    raise ModelError(f"the hub cannot give {name} ({problem})", "try again with a network")


def _stable_diffusion(name: str, revision: str | None, half: Half, download: bool) -> Model:
    for repository in SD21:
        folder = cached_snapshot(repository, revision)
        if folder is not None and not folder_problem(folder):
            return Model(repository, folder, "hub", commit=folder.name, half=_told(half))
    problem = hub_problem() if download else None
    if download and problem is None:
        for repository in SD21:
            try:
                return _from_hub(repository, revision, half, download)
            except ModelError as error:
                problem = str(error)
    lacking = f" and the hub cannot give it ({problem})" if problem else ""
    if name == "sd2.1":
        raise ModelError(
            f"Stable Diffusion 2.1 is not on this machine{lacking}",
            "run `sow download` where there is a network, or point HF_HOME to a folder that has it",
        )
    notes = (
        f"Stable Diffusion 2.1 is not here{lacking}: the bundled `figures` runs instead, a small "
        "drawn world.",
        "To get Stable Diffusion 2.1: run `sow download` where there is a network, "
        "or point HF_HOME to a folder that has it.",
    )
    return Model("figures", BUNDLED["figures"], "bundled", notes=notes)


def _from_hub(repository: str, revision: str | None, half: Half, download: bool) -> Model:
    folder = cached_snapshot(repository, revision)
    if folder is None or folder_problem(folder):
        if not download:
            raise ModelError(f"{repository} is not in the cache", "run `sow download`")
        problem = hub_problem()
        if problem:
            raise ModelError(
                f"{repository} is not on this machine and the hub cannot give it ({problem})",
                "check the name, or give a folder",
            )
        folder = download_snapshot(repository, revision, _told(half))
    check_folder(folder)
    return Model(repository, folder, "hub", commit=folder.name, half=_told(half))
