"""Manifests in Parquet say what those in JSON Lines do; their gaps and kinds are understood."""

from __future__ import annotations

import datetime
import json
from contextlib import suppress
from itertools import islice

import pytest

from sow.batch.manifest import parquet_limits
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import read_jobs, read_manifest
from sow.batch.manifest.parquet_limits import safe_batch_rows
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


# ---- What unfolds.


def repeated(value, number):
    return pa.DictionaryArray.from_arrays(pa.array([0] * number, pa.int32()), [value])


LONG = "a" * (2 * 2**20)
BOMBS = {
    "a long value": ({"prompt": [LONG * 5]}, "may unfold to more than 8 MB"),
    "a long list of long values": ({"triples": [["c" * 2000] * 20_000]}, "in the lists of"),
    "a long list": ({"box": pa.array([[1] * 10_001], pa.list_(pa.int8()))}, "in the lists of"),
    "many columns": ({name: [LONG] for name in ("prompt", "subject", "mask", "plan", "id")},
                     "may unfold to more than 8 MB"),
}  # fmt: skip


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_file_that_unfolds_to_too_much_is_refused_without_being_unfolded(
    tmp_path, monkeypatch, kind, codec
):
    for limit, value in (("MAX_BYTES", 2**23), ("MAX_LIST_BYTES", 2**25),
                         ("MAX_LIST_VALUES", 10_000)):  # fmt: skip
        monkeypatch.setattr(parquet_limits, limit, value)
    columns, why = BOMBS[kind]
    path = written(tmp_path, pa.table(columns), compression=codec, dictionary_pagesize_limit=2**30)
    assert path.stat().st_size < 2**17
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    with pytest.raises(UsageError, match=why) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_limits, "MAX_ROWS", 3)
    with pytest.raises(UsageError, match="more than 3 rows"):
        rows(tmp_path, {"image": ["a.png"] * 4})


@pytest.mark.parametrize("how", [
    {"use_dictionary": False}, {"data_page_version": "2.0"}, {"compression": "none"},
    {"use_dictionary": False, "column_encoding": {"prompt": "DELTA_BYTE_ARRAY"}},
    {"dictionary_pagesize_limit": 2**30, "compression": "brotli"}, {"write_statistics": False},
])  # fmt: skip
def test_a_row_that_is_too_long_is_a_problem_of_its_own(tmp_path, how):
    table = pa.table({"prompt": ["a man", LONG, "a man"], "image": ["a.png"] * 3})
    found = list(read_manifest(written(tmp_path, table, **how)).rows())
    assert [row.problem for row in found] == [None, "longer than 1 MiB", None]
    assert [row.number for row in found] == [1, 2, 3]


DELTAS = {"use_dictionary": False, "column_encoding": {"prompt": "DELTA_BYTE_ARRAY"}}


@pytest.mark.parametrize("how", [{}, DELTAS])
def test_long_values_that_rows_share_are_read_a_few_rows_at_a_time(tmp_path, how):
    """Else 400 bytes are as many gigabytes."""
    text = "a" * (2**20 - 2**12)
    column = [text] * 600 if how else repeated(text, 600)
    table = pa.table({"prompt": column, "image": ["a.png"] * 600})
    path = written(tmp_path, table, **how)
    assert path.stat().st_size < 2**16
    with path.open("rb") as file:
        assert safe_batch_rows(file, "x") <= 2**28 / len(text)
    before = pa.total_allocated_bytes()
    for row in islice(read_manifest(path).rows(), 400):
        assert row.data["prompt"] == text
        assert pa.total_allocated_bytes() - before < 2**29
    usual = pa.table({"prompt": [f"a man, {n}" for n in range(2000)], "image": ["a.png"] * 2000})
    path = written(tmp_path, usual)
    with path.open("rb") as file:
        assert safe_batch_rows(file, "x") == 256


@pytest.mark.parametrize("at", range(4, 60, 3))
def test_noise_in_a_page_header_is_one_line(tmp_path, at):
    path = written(tmp_path, pa.table({"prompt": ["a man"] * 9}))
    content = bytearray(path.read_bytes())
    content[at : at + 3] = b"\xff\xff\xff"
    path.write_bytes(content)
    with suppress(UsageError):
        list(read_manifest(path).rows())
