"""Batches in a bucket, over HTTP: as users type it, killed and taken up by another machine."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from commands import NO_KEYS
from far import KEYS, SECRET, Place, batch, forget_connections, jobs, time_passes, typed
from far_fixtures import face  # noqa: F401
from fsspec.registry import _registry
from moto.server import ThreadedMotoServer
from test_run import hashes, jobs_of

from sow.errors import PlannerError
from sow.storage.errors import StorageUnavailable, storage_errors

DEADLY = """
import itertools, os, signal
from sow.cli.entry import run
from sow.batch.remote import store as remote_store
from sow.batch.remote import snapshots

number, begun = itertools.count(1), []
staged, start = remote_store.RemoteStore.staged, snapshots.SnapshotUploader.start

def killed_while_staging(self, files):
    now = next(number)
    if now == 5:
        begun[0].upload()
    if now == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return staged(self, files)

remote_store.RemoteStore.staged = killed_while_staging
snapshots.SnapshotUploader.start = lambda self: begun.append(self) or start(self)
run()
"""
"""The command line; on its way to the fifth picture there is a snapshot, to the ninth it dies."""


@pytest.fixture(scope="module")
def bucket():
    """A bucket that keeps every version, behind a server on loopback; keys in the environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        forget_connections()
        place = Place("s3://bucket/work")
        place.system.mkdir("bucket")
        place.system.call_s3("put_bucket_versioning", Bucket="bucket",
                             VersioningConfiguration={"Status": "Enabled"})  # fmt: skip
        yield place
    forget_connections()
    server.stop()


@pytest.fixture
def far(bucket, face, monkeypatch, tmp_path):
    """Its folder, with a picture in it and nothing else."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "first"))
    forget_connections()
    if bucket.names(""):
        bucket.system.rm(bucket.root, recursive=True)
    bucket.put("faces/face.png", face.read_bytes())
    return bucket


def versions(far) -> dict[str, int]:
    """How often each picture was put."""
    found = far.system.call_s3("list_object_versions", Bucket="bucket", Prefix="work/out/")
    counted: dict[str, int] = {}
    for one in found.get("Versions", []):
        name = one["Key"].removeprefix("work/out/")
        if name.endswith(".png"):
            counted[name] = counted.get(name, 0) + 1
    return counted


def pictures_known(far, file) -> set[str]:
    """Those that the snapshot has."""
    file.write_bytes(far.read("out/.sow/ledger.sqlite"))
    with closing(sqlite3.connect(file)) as database:
        return {name for (name,) in database.execute("SELECT file FROM pictures")}


def command(manifest, out, model):
    return ["batch", manifest, "--out", out, "--model", str(model), "--device", "cpu",
            "--planner", "offline", "--batch-size", "2"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
def test_killed_and_taken_up_by_another_machine(
    far, face, tiny_folder, tmp_path, monkeypatch
):  # fmt: skip
    manifest, out, number = far.manifest(*jobs(16)), f"{far.address}/out", 16
    words = command(manifest, out, tiny_folder)
    killed = subprocess.run(
        [sys.executable, "-c", DEADLY, *words], capture_output=True, text=True, check=False,
        env={**os.environ, **NO_KEYS}, timeout=250,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    known = pictures_known(far, tmp_path / "known.sqlite")
    assert 2 <= len(known) <= len(far.pictures()) < number
    time_passes(far)

    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "second"))
    forget_connections()
    ended, told = typed(*words, "--json")
    assert ended == 0, told
    assert {f"j{n}.png" for n in range(number)} == set(far.pictures())
    assert all(versions(far)[name] == 1 for name in known)
    list(batch(jobs_of(face, number), tmp_path / "here", tiny_folder))
    assert far.pictures() == hashes(tmp_path / "here")
    assert len(far.read("out/metadata.jsonl").splitlines()) == number

    for text in (killed.stdout, killed.stderr, told):
        assert SECRET not in text
    secret = SECRET.encode()
    assert all(secret not in far.read(f"out/{name}") for name in far.names())
    here = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in here if secret in path.read_bytes()]

    ended, told = typed("batch", "status", out)
    assert (ended, told.strip()) == (0, f"0 waiting, 0 running, {number} done, 0 failed")


def test_a_bucket_that_is_not_there(far, tiny_folder, face):
    nowhere = "s3://no-such-bucket/out"
    ended, output = typed(*command(far.manifest(*jobs(1)), nowhere, tiny_folder))
    assert (ended, output.count("\n")) == (6, 1)
    assert "there is no 's3://no-such-bucket/out/" in output
    assert "buckets are not created" in output
    ended, output = typed(*command(f"{nowhere}/jobs.jsonl", f"{far.address}/out", tiny_folder))
    assert (ended, output.count("\n")) == (2, 1)
    assert "there is no 's3://no-such-bucket/out/jobs.jsonl'" in output
    ended, output = typed("batch", "status", nowhere)
    assert (ended, output.count("\n")) == (6, 1)


def test_without_keys(far, tiny_folder, monkeypatch):
    manifest = far.manifest(*jobs(1))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    forget_connections()
    ended, output = typed(*command(manifest, f"{far.address}/out", tiny_folder))
    assert (ended, output.count("\n")) == (2, 1)
    assert "is denied (NoCredentialsError)" in output
    ended, output = typed("batch", "status", f"{far.address}/out")
    assert (ended, output.count("\n")) == (6, 1)


def test_denied(far, tiny_folder, monkeypatch):
    """A server that answers 403 to whoever asks."""
    from sow.storage.storage import Storage

    manifest = far.manifest(*jobs(1))
    real = Storage._info

    def denied(self, name):
        if "out" in self.address_of(name):
            with storage_errors(self.address_of(name), self._error_type):
                raise PermissionError(f"Forbidden {SECRET}")
        return real(self, name)

    monkeypatch.setattr(Storage, "_info", denied)
    ended, output = typed(*command(manifest, f"{far.address}/out", tiny_folder))
    assert (ended, output.count("\n")) == (6, 1)
    assert "is denied (PermissionError); check the name and the keys" in output
    assert SECRET not in output


def test_without_the_package(far, tiny_folder, monkeypatch):
    forget_connections()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)  # where it is kept once it was imported
    ended, output = typed(*command("s3://bucket/jobs.jsonl", "out", tiny_folder))
    assert (ended, output.count("\n")) == (2, 1)
    assert "pip install 'sow[s3]'" in output


def test_a_server_that_is_not_there(far, tiny_folder, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget_connections()
    ended, output = typed("batch", "status", f"{far.address}/out")
    assert (ended, output.count("\n")) == (6, 1)
    assert "cannot be reached (EndpointConnectionError)" in output


def test_storage_that_does_not_answer_is_not_the_jobs_trouble(far, tiny_folder, monkeypatch):
    """As with a planner: twenty in a row end the run, which then goes on."""
    from sow.storage.storage import Storage

    def silent(self, name, most, file):
        raise StorageUnavailable("'s3://…' cannot be reached", "check the network")

    running = batch(far.manifest(*jobs(60)), f"{far.address}/out", tiny_folder)
    monkeypatch.setattr(Storage, "download", silent)
    with pytest.raises((PlannerError, StorageUnavailable), match="20 plans in a row failed"):
        list(running)
    monkeypatch.undo()
