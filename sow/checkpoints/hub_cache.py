"""Find checkpoints in the hub's local cache, without trusting what is written there."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from sow.checkpoints.files import is_inside
from sow.checkpoints.trust import check_configs
from sow.errors import ModelError
from sow.utils.files import read_regular

COMMIT = re.compile(r"[0-9a-f]{40}")
CONFIGURATION = ["*.json", "*.txt", "**/*.json", "**/*.txt"]


def cached_commit(
    repository: str, revision: str | None = None, cache_dir: str | Path | None = None
) -> str | None:
    """Return the commit of a branch or tag in the local cache, or None.

    The hub's client trusts the file that names the commit: a pipe there would hang it, and a path
    would lead it out of the cache.

    Raises:
        ModelError: if the file does not contain a commit.
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
        text = read_regular(refs / name, 100).decode() if is_inside(refs / name, refs) else ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        text = ""
    if not COMMIT.fullmatch(text.strip()):
        raise ModelError(
            f"the cache does not say which commit {name[:80]!r} of {repository} is",
            f"delete {str(refs)!r}",
        )
    return text.strip()


def cached_snapshot(
    repository: str, revision: str | None = None, cache_dir: str | Path | None = None
) -> Path | None:
    """Return the folder of a repository in the local cache, or None; never use the network."""
    from huggingface_hub import snapshot_download

    # An invalid name, a missing or an unreadable file: the repository is not cached.
    with suppress(ModelError, OSError, ValueError, MemoryError):
        commit = cached_commit(repository, revision, cache_dir)
        if commit:
            return Path(
                snapshot_download(
                    repository, revision=commit, cache_dir=cache_dir, local_files_only=True
                )
            )
    return None


def find_hub_config(
    repository: str,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    **options: Any,
) -> Path:
    """Return a folder with the configuration of a repository; download it if it is not cached.

    options: of the hub's client, such as `token` and `local_files_only`.

    Raises:
        ModelError: if it cannot be downloaded, or is not trusted.
    """
    from huggingface_hub import snapshot_download

    folder = cached_snapshot(repository, revision, cache_dir)
    if folder is not None:
        with suppress(ModelError):  # it may be incomplete
            check_configs(folder)
            return folder
    cached_commit(repository, revision, cache_dir)
    try:
        folder = Path(
            snapshot_download(
                repository,
                revision=revision,
                cache_dir=cache_dir,
                allow_patterns=CONFIGURATION,
                **options,
            )
        )
    except Exception as error:  # the hub's client raises many types of errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ModelError(
            f"the configuration of {repository[:100]!r} cannot be downloaded: {reason}",
            "set config= to a folder that has it",
        ) from None
    check_configs(folder)
    return folder
