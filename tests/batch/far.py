"""Storages for tests: one in memory, one over HTTP, and machines that work on them."""

from __future__ import annotations

import io
import json
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

import fsspec
from PIL import Image
from test_run import jobs_of

from sow.batch.run_batch import Batch
from sow.batch.runners.options import Options
from sow.batch.sources import make_job_source
from sow.cli.main import main
from sow.pictures.recipe import pixels_sha256
from sow.service.planning import PlannerChoice
from sow.storage import storage

SECRET = "hush-hush-0123456789"
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none",
}  # fmt: skip


@dataclass
class Place:
    """A storage's folder, looked into behind the program's back."""

    address: str

    def __post_init__(self) -> None:
        self.system, self.root = fsspec.core.url_to_fs(self.address)

    def put(self, name: str, content: bytes) -> str:
        self.system.pipe_file(f"{self.root}/{name}", content)
        return f"{self.address}/{name}"

    def manifest(self, *jobs: dict, name: str = "jobs.jsonl") -> str:
        return self.put(name, "".join(json.dumps(job) + "\n" for job in jobs).encode())

    def read(self, name: str) -> bytes:
        self.system.invalidate_cache()
        return self.system.cat_file(f"{self.root}/{name}")

    def remove(self, name: str) -> None:
        self.system.rm_file(f"{self.root}/{name}")

    def names(self, folder: str = "out") -> set[str]:
        """Of all files in a folder."""
        self.system.invalidate_cache()
        found = self.system.find(f"{self.root}/{folder}")
        start = self.system._strip_protocol(f"{self.address}/{folder}").strip("/")
        return {name.strip("/").removeprefix(f"{start}/") for name in found}

    def pictures(self, folder: str = "out") -> dict[str, str]:
        """Hashes of the pixels of the pictures in a folder itself."""
        names = [name for name in self.names(folder) if name.endswith(".png") and "/" not in name]
        files = {name: io.BytesIO(self.read(f"{folder}/{name}")) for name in names}
        return {name: pixels_sha256(Image.open(file)) for name, file in files.items()}


def forget_connections() -> None:
    """Keys and endpoints are read again."""
    storage._open_file_system.cache_clear()
    fsspec.AbstractFileSystem.clear_instance_cache()
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()


def batch(jobs, out, model, size=2, prompts=None, cluster=None, **more) -> Batch:
    options = Options(str(model), device="cpu", planner=PlannerChoice("offline"),
                      batch_size=size, cluster=cluster)  # fmt: skip
    return Batch(make_job_source(jobs, prompts, {}, out), out, options, **more)


def typed(*words: object) -> tuple[int, str]:
    """What the command line answers, in this process: its exit code, and all that it says."""
    output, code = io.StringIO(), 0
    argv = ["sow", *map(str, words)]
    with patch.object(sys, "argv", argv), redirect_stdout(output), redirect_stderr(output):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return int(str(code)), output.getvalue()


def jobs(number, **more):
    return jobs_of("faces/face.png", number, **more)


def all_of(*words, **more):
    return {result.id: result for result in batch(*words, **more)}


def killed_after(running, number):
    """A batch whose process is gone after so many results: nothing is written any more."""
    results = iter(running.runner)
    for _ in range(number):
        next(results)
    running.ledger._snapshots._stopped.set()
    running.ledger._lease._stopped.set()
    running.ledger._lease._process_lock.release()
    results.close()


def time_passes(far):
    """The machine that is at work has not been heard of for long."""
    owner = json.loads(far.read("out/.sow/owner.json"))
    far.put("out/.sow/owner.json", json.dumps({**owner, "time": time.time() - 500}).encode())
