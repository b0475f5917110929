"""Which weights a checkpoint has: a hash of every byte that is loaded.

Files are hashed in pieces, several at a time, so that gigabytes take about a second from a warm
disk; the hashes of large files are kept by path, size and time of change.
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
from sow.checkpoints.trust import READ_WHOLE, variant_of
from sow.errors import OutputError
from sow.utils.files import cache_folder, read_json_object, write_text

PIECE = 2**25
LARGE = 2**27
"""Smaller files are hashed faster than it takes to look them up with any safety."""
MOST_KEPT = 1000


def fingerprint(source: Path, half: bool = False) -> str:
    """A short hash of a single file, or of what is loaded of a folder in diffusers' layout.

    half: whether files in half precision are preferred; they are other files.
    """
    files = loaded_files(source, half)
    digest = hashlib.sha256()
    for name, hash_ in zip(files, _hashes(list(files.values())), strict=True):
        digest.update(f"{name}:{hash_};".encode())
    return digest.hexdigest()[:16]


def loaded_files(folder: Path, half: bool = False) -> dict[str, Path]:
    """The files that loading reads, by their names in the checkpoint, in order; of a file, itself.

    half: as for `fingerprint`.
    """
    if folder.is_file():
        return {folder.name: folder}
    wanted = variant_of(folder, half)
    files = [folder / "model_index.json"]
    for name, value in sorted(read_config(folder, "model_index.json").items()):
        if not isinstance(value, list) or not (folder / name).is_dir():
            continue
        there = sorted(file for file in (folder / name).iterdir() if file.is_file())
        weights = [file for file in there if file.suffix == ".safetensors"]
        of_variant = [f for f in weights if bool(re.search(r"\.fp16[.-]", f.name)) == bool(wanted)]
        files += [file for file in there if file.suffix in READ_WHOLE]
        files += of_variant or weights
    return {file.relative_to(folder).as_posix(): file for file in files if file.is_file()}


def _hashes(files: list[Path]) -> list[str]:
    """One hash per file, of all of its bytes."""
    known = _remembered()
    keys = [_key(file) if file.stat().st_size >= LARGE else None for file in files]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        pieces = [
            [] if key in known else [pool.submit(_hash_piece, file, at) for at in _starts(file)]
            for file, key in zip(files, keys, strict=True)
        ]
        hashes = [
            known[key] if key in known else _joined([piece.result() for piece in some])
            for key, some in zip(keys, pieces, strict=True)
        ]
    new = {key: hash_ for key, hash_ in zip(keys, hashes, strict=True) if key and key not in known}
    if new:
        _remember({**known, **new})
    return hashes


def _starts(file: Path) -> Iterator[int]:
    yield from range(0, max(1, file.stat().st_size), PIECE)


def _hash_piece(file: Path, start: int) -> bytes:
    digest, left = hashlib.sha256(), PIECE
    with file.open("rb", buffering=0) as stream:
        stream.seek(start)
        while left and (some := stream.read(min(left, 2**22))):
            digest.update(some)
            left -= len(some)
    return digest.digest()


def _joined(pieces: list[bytes]) -> str:
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def _key(file: Path) -> str:
    seen = file.stat()
    return f"{file.resolve()}|{seen.st_size}|{seen.st_mtime_ns}"


def _memory() -> Path:
    return cache_folder() / "fingerprints.json"


def _remembered() -> dict[str, str]:
    """What was hashed before; nothing where the file is missing or is no such file."""
    return {key: str(value) for key, value in read_json_object(_memory()).items()}


def _remember(hashes: dict[str, str]) -> None:
    """Keeps them; a full disk only costs the memory."""
    path = _memory()
    with suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        latest = dict(list(hashes.items())[-MOST_KEPT:])
        write_text(json.dumps(latest), path, force=True)
