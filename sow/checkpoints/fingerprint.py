"""A fingerprint of a checkpoint: a hash of every byte that is loaded.

Files are hashed in chunks, in parallel: gigabytes take about a second once the system has cached
them. The hashes of large files are kept by path, size and modification time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from sow.checkpoints.files import read_config
from sow.checkpoints.trust import TEXT_SUFFIXES, choose_variant
from sow.errors import OutputError
from sow.utils.files import cache_folder, read_json_object, write_text

CHUNK_BYTES = 2**25
CACHE_MIN_BYTES = 2**27
"""Smaller files are hashed again: that is as fast as a safe look-up."""
MAX_CACHED = 1000


def fingerprint(source: Path, half: bool = False) -> str:
    """Return a short hash of a single file, or of what is loaded from a diffusers folder.

    half: whether to prefer files in half precision, which are other files.
    """
    files = loaded_files(source, half)
    digest = hashlib.sha256()
    for name, hash_ in zip(files, _hashes(list(files.values())), strict=True):
        digest.update(f"{name}:{hash_};".encode())
    return digest.hexdigest()[:16]


def loaded_files(folder: Path, half: bool = False) -> dict[str, Path]:
    """Return the files that are loaded, in order, by their paths in the checkpoint.

    folder: in diffusers' layout, or a single file.
    half: whether to prefer files in half precision.
    """
    if folder.is_file():
        return {folder.name: folder}
    variant = choose_variant(folder, half)
    files = [folder / "model_index.json"]
    for name, value in sorted(read_config(folder, "model_index.json").items()):
        if not isinstance(value, list) or not (folder / name).is_dir():
            continue
        present = sorted(file for file in (folder / name).iterdir() if file.is_file())
        weights = [file for file in present if file.suffix == ".safetensors"]
        of_variant = [f for f in weights if bool(re.search(r"\.fp16[.-]", f.name)) == bool(variant)]
        files += [file for file in present if file.suffix in TEXT_SUFFIXES]
        files += of_variant or weights
    return {file.relative_to(folder).as_posix(): file for file in files if file.is_file()}


def _hashes(files: list[Path]) -> list[str]:
    """Return a hash of all bytes of each file."""
    known = _read_cache()
    keys = [_cache_key(file) if file.stat().st_size >= CACHE_MIN_BYTES else None for file in files]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        chunks = [
            [] if key in known else [pool.submit(_hash_chunk, file, n) for n in _offsets(file)]
            for file, key in zip(files, keys, strict=True)
        ]
        hashes = [
            known[key] if key in known else _combined([chunk.result() for chunk in of_file])
            for key, of_file in zip(keys, chunks, strict=True)
        ]
    new = {key: hash_ for key, hash_ in zip(keys, hashes, strict=True) if key and key not in known}
    if new:
        _write_cache({**known, **new})
    return hashes


def _offsets(file: Path) -> Iterator[int]:
    yield from range(0, max(1, file.stat().st_size), CHUNK_BYTES)


def _hash_chunk(file: Path, start: int) -> bytes:
    digest, left = hashlib.sha256(), CHUNK_BYTES
    with file.open("rb", buffering=0) as stream:
        stream.seek(start)
        while left and (data := stream.read(min(left, 2**22))):
            digest.update(data)
            left -= len(data)
    return digest.digest()


def _combined(digests: list[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _cache_key(file: Path) -> str:
    status = file.stat()
    return f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}"


def _cache_file() -> Path:
    return cache_folder() / "fingerprints.json"


def _read_cache() -> dict[str, str]:
    """Return the hashes that were kept, none if the file is missing or unreadable."""
    return {key: str(value) for key, value in read_json_object(_cache_file()).items()}


def _write_cache(hashes: dict[str, str]) -> None:
    """Keep the hashes; if that fails, they are computed again next time."""
    path = _cache_file()
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        latest = dict(list(hashes.items())[-MAX_CACHED:])
        write_text(json.dumps(latest), path, force=True)
