"""Manifests made of a folder of pictures and prompts, and what a job is."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace

import pytest
from manifests import GOOD, LINE, written
from memory import peak_of

from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import read_jobs, read_manifest
from sow.errors import SowError


def folder_of(tmp_path, *names):
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def test_every_picture_of_a_folder_with_every_prompt(tmp_path):
    folder = folder_of(tmp_path, "b.JPG", "a.png", ".hidden.png", "notes.txt", "c.heic")
    (folder / "folder.png").mkdir()
    prompts = written(tmp_path, "\ufeffa man\r\n\n  # not this\n a woman \n", "prompts.txt")
    manifest = read_manifest(folder, prompts)
    assert manifest.folder == folder
    found = list(manifest.rows())
    assert [row.number for row in found] == [1, 2, 3, 4]
    assert [(row.data["image"], row.data["prompt"]) for row in found] == [
        ("a.png", "a man"), ("a.png", "a woman"), ("b.JPG", "a man"), ("b.JPG", "a woman"),
    ]  # fmt: skip
    ids = [job.id for _, job in read_jobs(manifest)]
    assert len(set(ids)) == 4
    assert ids[1].startswith("a-a-woman-")
    written(tmp_path, b"a man\n\xff\n" + b"x" * 2**21, "prompts.txt")
    assert [row.data is None for row in manifest.rows()] == [False, True, True] * 2


def test_picture_names_that_are_not_utf8_are_problems(tmp_path):
    folder = folder_of(tmp_path, "a.png")
    try:
        (folder / os.fsdecode(b"\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("the file system knows only names that are text")
    manifest = read_manifest(folder, written(tmp_path, "a man\n", "prompts.txt"))
    assert [row.data is None for row in manifest.rows()] == [False, True]
    assert len(manifest.fingerprint()) == 64


def test_files_are_relative_to_the_manifest(tmp_path):
    assert read_manifest(written(tmp_path, LINE)).folder == tmp_path


def test_the_fingerprint_changes_with_the_jobs_and_only_with_them(tmp_path):
    one = read_manifest(written(tmp_path, LINE))
    assert one.fingerprint() == read_manifest(written(tmp_path, LINE, "other.jsonl")).fingerprint()
    before = one.fingerprint()
    written(tmp_path, LINE + "\n")
    assert one.fingerprint() != before
    folder, prompts = folder_of(tmp_path, "a.png"), written(tmp_path, "a man", "prompts.txt")
    seen = {read_manifest(folder, prompts).fingerprint()}
    (folder / "a.png").write_bytes(b"x")
    seen.add(read_manifest(folder, prompts).fingerprint())
    assert len(seen) == 1
    (folder / "b.png").write_bytes(b"")
    seen.add(read_manifest(folder, prompts).fingerprint())
    written(tmp_path, "a woman", "prompts.txt")
    seen.add(read_manifest(folder, prompts).fingerprint())
    assert len(seen) == 3


def test_defaults_fill_fields_that_are_left_out(tmp_path):
    content = [
        {**GOOD, "id": "none"},
        {**GOOD, "id": "null", "likeness": None, "settings": None, "count": None},
        {**GOOD, "id": "own", "likeness": 0.5, "settings": {"cycles": 2, "steps": 8}},
        {"prompt": "a man", "id": "face", "face": "own.png"},
        {"prompt": "a man", "id": "all"},
    ]
    manifest = read_manifest(written(tmp_path, "\n".join(map(json.dumps, content))))
    defaults = {"likeness": 0.3, "settings": {"cycles": 9, "t1": 1}, "picture": "all.png"}
    jobs = {job.id: job for _, job in read_jobs(manifest, defaults)}
    assert jobs["none"].image == "a.png"
    assert (jobs["none"].likeness, jobs["none"].settings) == (0.3, {"cycles": 9, "t1": 1})
    assert jobs["null"] == replace(jobs["none"], id="null")
    assert jobs["own"].likeness == 0.5
    assert jobs["own"].settings == {"cycles": 2, "steps": 8, "t1": 1}
    assert (jobs["face"].image, jobs["all"].image) == ("own.png", "all.png")
    assert defaults["settings"] == {"cycles": 9, "t1": 1}


def test_the_likeness_of_a_line_overrides_shared_settings(tmp_path):
    manifest = read_manifest(written(tmp_path, json.dumps({**GOOD, "likeness": 0.5})))
    ((_, job),) = read_jobs(manifest, {"settings": {"likeness": 0.1, "cycles": 2}})
    assert (job.likeness, job.settings) == (0.5, {"cycles": 2})


def test_two_names_for_one_field_are_a_problem(tmp_path):
    line = json.dumps({**GOOD, "face": "b.png"})
    ((number, error),) = read_jobs(read_manifest(written(tmp_path, line)))
    assert number == 1
    assert "image is given under two names" in str(error)


def test_errors_do_not_keep_their_lines_in_memory(tmp_path):
    """A million errors are a million short strings."""
    manifest = read_manifest(written(tmp_path, json.dumps({**GOOD, "count": -1})))
    ((_, error),) = read_jobs(manifest)
    assert "num: " in str(error)
    assert error.__traceback__ is error.__context__ is error.__cause__ is None


def read_many(folder):
    path = folder / "many.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(15_000):
            line = {"id": f"job {number}", "image": "a.png", "prompt": f"a man, {number}"}
            file.write(f"{json.dumps(line)}\n{{{'x' * 80}\n")
    kinds = Counter(type(job) for _, job in read_jobs(read_manifest(path), {"subject": "man"}))
    assert kinds[TV2IJob] == 15_000
    assert sum(n for kind, n in kinds.items() if issubclass(kind, SowError)) == 15_000


def test_memory_does_not_grow_with_the_number_of_lines(tmp_path):
    assert peak_of(read_many, tmp_path) < 2**20
