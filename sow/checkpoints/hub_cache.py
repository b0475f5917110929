"""What the hub's own cache on this machine holds, read so that nothing in it leads astray."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.checkpoints.files import stays_inside
from sow.checkpoints.trust import check_configuration
from sow.errors import ModelError
from sow.utils.files import read_regular

COMMIT = re.compile(r"[0-9a-f]{40}")
CONFIGURATION = ["*.json", "*.txt", "**/*.json", "**/*.txt"]


def cached_commit(
    repository: str, revision: str | None = None, cache_dir: str | Path | None = None
) -> str | None:
    """The commit that a branch or tag stands for in the local cache, or None.

    The hub's client believes the file that says so: a pipe there would hang it, and a path lead it
    out of the cache.

    Raises:
        ModelError: if what is there is no commit.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = revision or "main"
    if COMMIT.fullmatch(name):
        return name
    home = Path(cache_dir or constants.HF_HUB_CACHE)
    refs = home / repo_folder_name(repo_id=repository, repo_type="model") / "refs"
    try:
        (refs / name).lstat()
        said = read_regular(refs / name, 100).decode() if stays_inside(refs / name, refs) else ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        said = ""
    if not COMMIT.fullmatch(said.strip()):
        raise ModelError(
            f"the cache does not say which commit {name[:80]!r} of {repository} is",
            f"take {str(refs)!r} away",
        )
    return said.strip()


def cached_snapshot(
    repository: str, revision: str | None = None, cache_dir: str | Path | None = None
) -> Path | None:
    """The folder of a repository in the local cache, or None; asks no network."""
    from huggingface_hub import snapshot_download

    # Not the name of a repository; not there; nothing that can be read: it is not here.
    with suppress(ModelError, OSError, ValueError, MemoryError):
        commit = cached_commit(repository, revision, cache_dir)
        if commit:
            return Path(
                snapshot_download(
                    repository, revision=commit, cache_dir=cache_dir, local_files_only=True
                )
            )
    return None


def hub_configuration(
    repository: str, revision: str | None = None, cache_dir: str | Path | None = None, **more: Any
) -> Path:
    """A folder with the configuration of a repository: out of the cache, or fetched into it.

    more: what else the hub's client takes, such as `token` and `local_files_only`.

    Raises:
        ModelError: if it cannot be had, or may not be trusted.
    """
    from huggingface_hub import snapshot_download

    folder = cached_snapshot(repository, revision, cache_dir)
    if folder is not None:
        with suppress(ModelError):  # perhaps it is not whole
            check_configuration(folder)
            return folder
    cached_commit(repository, revision, cache_dir)
    try:
        folder = Path(snapshot_download(
            repository, revision=revision, cache_dir=cache_dir, allow_patterns=CONFIGURATION, **more
        ))  # fmt: skip
    except Exception as error:  # the hub's client raises several families of errors
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ModelError(
            f"the configuration in {repository[:100]!r} cannot be had: {why}",
            "give a folder that has it as config=",
        ) from None
    check_configuration(folder)
    return folder
