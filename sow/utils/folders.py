"""Where this project keeps what it would otherwise ask or work out again, and what was agreed."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`SOW_CACHE`, or the platform's folder for caches."""
    import platformdirs

    given = os.environ.get("SOW_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("sow"))


def config_folder() -> Path:
    """`SOW_CONFIG`, or the platform's folder for what a user has decided."""
    import platformdirs

    given = os.environ.get("SOW_CONFIG")
    return Path(given) if given else Path(platformdirs.user_config_dir("sow"))
