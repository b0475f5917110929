"""Manifests in Parquet say what those in JSON Lines do; their gaps and kinds are understood."""

from __future__ import annotations

import datetime
import json

import pytest

from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import read_jobs, read_manifest
from sow.errors import UsageError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def written(tmp_path, table, **how):
    path = tmp_path / "jobs.parquet"
    pq.write_table(table, path, **how)
    return path


def rows(tmp_path, columns):
    return list(read_manifest(written(tmp_path, pa.table(columns))).rows())


def test_parquet_equals_json_lines(tmp_path):
    data = [
        {"id": "one", "image": "a.png", "prompt": "a man", "box": [8, 16, 56, 56],
         "seed": 2**53 + 1, "likeness": 0.25, "settings": {"cycles": 5}, "canvas": [640, 448]},
        {"id": "two", "image": "b.png", "prompt": "a man", "settings": {"steps": 8}},
    ]  # fmt: skip
    path = written(tmp_path, pa.Table.from_pylist(data))
    assert [job for _, job in read_jobs(read_manifest(path))] == list(map(TV2IJob.parse, data))
    assert [row.number for row in read_manifest(path).rows()] == [1, 2]


def test_gaps_types_and_maps_of_other_programs(tmp_path):
    settings = pa.map_(pa.string(), pa.int64())
    first, second, third = rows(
        tmp_path,
        {
            "id": [1, 2, 3],
            "face": pa.array(["a.png", None, "a.png"]).dictionary_encode(),
            "prompt": pa.array(["a man"] * 3, pa.large_string()),
            "seed": [5.0, None, 5.5],
            "canvas": ["640x448", "512", ""],
            "settings": pa.array([[("cycles", 5)], [], None], settings),
            "related": ['{"body": [8, 72, 112, 56]}', None, None],
        },
    )
    assert first.data == {
        "id": "1", "image": "a.png", "prompt": "a man", "seed": 5, "canvas": [640, 448],
        "settings": {"cycles": 5}, "related": {"body": [8, 72, 112, 56]},
    }  # fmt: skip
    assert isinstance(first.data["seed"], int)
    assert second.data == {"id": "2", "prompt": "a man", "canvas": 512}
    assert third.data["seed"] == 5.5


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ({"likeness": [0.5, float("nan"), 0.5]}, "nan is not a number"),
        ({"settings": [{"t": 1.0}, {"t": float("inf")}, {"t": 1.0}]}, "inf is not a number"),
        ({"settings": ["{}", "{", "{}"]}, "invalid JSON"),
        ({"seed": pa.array([None, datetime.datetime(2026, 1, 1), None])}, "datetime"),
        ({"settings": pa.array([None, [("a", 1), ("a", 2)], None],
                               pa.map_(pa.string(), pa.int64()))}, "twice"),
        ({"subject": pa.Array.from_buffers(
            pa.string(), 3,
            [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")],
        )}, "not UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_row_is_a_problem_of_its_own(tmp_path, column, why):
    before, bad, after = rows(tmp_path, {"image": ["a.png"] * 3, "prompt": ["a man"] * 3, **column})
    assert before.data
    assert after.data
    assert (bad.number, bad.data) == (2, None)
    assert why in bad.problem


def test_empty_rows_are_skipped_and_counted(tmp_path):
    found = rows(tmp_path, {"image": [None, "a.png"], "prompt": [None, "a man"]})
    assert [row.number for row in found] == [2]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"prompt": ["a"], "colour": ["red"]}, "'colour', which is not a field"),
        ({"face": ["a"], "picture": ["b"]}, "two columns for 'image'"),
        ({"image": [{"bytes": b"x", "path": "a.png"}]}, "has pictures in the column 'image'"),
        ({"mask": [b"x"]}, "has pictures in the column 'mask'"),
    ],
)
def test_a_wrong_column_is_refused_at_once(tmp_path, columns, why):
    path = written(tmp_path, pa.table(columns))
    with pytest.raises(UsageError, match=why):
        read_manifest(path)


def test_invalid_or_damaged_parquet_is_an_error(tmp_path):
    path = tmp_path / "jobs.parquet"
    for content in (b"", b"PAR1", b"x" * 1000, b"PAR1" + b"\0" * 100 + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="is not valid Parquet"):
            read_manifest(path)


def test_large_row_groups_are_read_in_batches(tmp_path):
    number = 10_000
    columns = {
        "image": ["a.png"] * number,
        "prompt": ["a man"] * number,
        "plan": [json.dumps({"notes": f"{n} " * 700}) for n in range(number)],
    }
    table = pa.table(columns)
    size, path = table.nbytes, written(tmp_path, table, row_group_size=number)
    del table
    manifest, before = read_manifest(path), pa.total_allocated_bytes()
    count = held = 0
    for _ in manifest.rows():
        count += 1
        held = max(held, pa.total_allocated_bytes() - before)
    assert count == number
    assert held < size / 4
