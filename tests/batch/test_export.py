"""Exports: what other programs read back is what was made, and nothing half or outside."""

from __future__ import annotations

import io
import json
import sys
import tarfile

import numpy as np
import pytest
from memory import peak_of
from PIL import Image

from sow.batch.export.columns import Columns
from sow.batch.export.export import GROUP_BYTES, export
from sow.errors import OutputError, PictureError, SowError, UsageError


def picture(number: int, side: int = 16) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def said(name, **more):
    return {
        "file_name": f"{name}.png",
        "id": name,
        "seed": 2**61,
        "prompt": f"a {name} — ü",
        **more,
    }


def results(tmp_path, lines, name="results"):
    """A folder of results with these lines, and the pictures they name."""
    folder = tmp_path / name
    for number, line in enumerate(lines):
        file = folder / line["file_name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_bytes(picture(number))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


LINES = (
    said("one"),
    said("a.b", settings={"cycles": 5}, likeness=1),
    said("A_b", likeness=0.5, image="face.jpg"),
    said("sub/IMG.001"),
    said("x" * 100 + "@4611686018427387904", box=[1, 2, 3, 4]),
)
KEYS = ("one", "a_b", "A_b_2", "sub/IMG_001", "x" * 100 + "@4611686018427387904")


@pytest.fixture
def folder(tmp_path):
    return results(tmp_path, LINES)


def test_shards_contain_the_results(folder, tmp_path):
    made = export(folder, "webdataset", tmp_path / "out", shard=2)
    assert [file.name for file in made] == ["000000.tar", "000001.tar", "000002.tar"]
    names = []
    for file in made:
        with tarfile.open(file) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
                assert (member.uname, member.gname) == ("", "")
                names.append(member.name)
    assert names == [f"{key}.{kind}" for key in KEYS for kind in ("json", "png", "txt")]


def test_webdataset_reads_them(folder, tmp_path):
    wds = pytest.importorskip("webdataset")
    made = export(folder, "webdataset", tmp_path / "out", shard=2)
    samples = list(wds.WebDataset([str(file) for file in made], shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == list(KEYS)
    for sample, line in zip(samples, LINES, strict=True):
        assert set(sample) - {"__key__", "__url__", "__local_path__"} == {"png", "json", "txt"}
        assert json.loads(sample["json"]) == line
        assert sample["txt"].decode() == line["prompt"]
        assert sample["png"] == (folder / line["file_name"]).read_bytes()
    decoded = wds.WebDataset(str(made[0]), shardshuffle=False).decode("pil").to_tuple("png", "json")
    assert [(image.size, data["id"]) for image, data in decoded] == [
        ((16, 16), "one"),
        ((16, 16), "a.b"),
    ]


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_the_same_results_are_the_same_bytes(folder, tmp_path, to, monkeypatch):
    if to == "parquet":
        pytest.importorskip("pyarrow")
    first = export(folder, to, tmp_path / "first", shard=2)
    again = results(tmp_path, [dict(reversed(line.items())) for line in LINES], "again")
    if to == "parquet":
        again = folder  # the order of its columns is that of the metadata
    monkeypatch.setattr("time.time", lambda: 10**9)
    second = export(again, to, tmp_path / "second", shard=2)
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_parquet_has_columns_and_pictures(folder, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    made = export(folder, "parquet", tmp_path / "out", shard=2)
    assert [file.name for file in made] == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    tables = [pq.read_table(file) for file in made]
    assert len({table.schema.metadata[b"huggingface"] for table in tables}) == 1
    features = json.loads(tables[0].schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == tables[0].schema.names
    kinds = dict(zip(tables[0].schema.names, map(str, tables[0].schema.types), strict=True))
    assert kinds.pop("image") == "struct<bytes: binary, path: string>"
    assert kinds == {"file_name": "string", "id": "string", "seed": "int64", "prompt": "string",
                     "settings": "string", "likeness": "double", "picture": "string",
                     "box": "string"}  # fmt: skip
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row["image"] for row in rows] == [
        {"bytes": (folder / line["file_name"]).read_bytes(), "path": line["file_name"]}
        for line in LINES
    ]
    assert [row["likeness"] for row in rows] == [None, 1.0, 0.5, None, None]
    assert [row["picture"] for row in rows] == [None, None, "face.jpg", None, None]
    assert rows[1]["settings"] == '{"cycles": 5}'
    assert rows[4]["box"] == "[1, 2, 3, 4]"
    assert rows[0]["seed"] == 2**61


def test_datasets_reads_them(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    made = export(folder, "parquet", tmp_path / "out", shard=2)
    files = {"train": [str(file) for file in made]}
    read = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert [row["id"] for row in read["train"]] == [line["id"] for line in LINES]
    assert read["train"][0]["image"].size == (16, 16)


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ([1, None, 2.5], "double", [1.0, None, 2.5]),
        ([2**53 + 1, 0.5], "double", [float(2**53), 0.5]),
        ([True, False], "bool", [True, False]),
        ([True, 1], "string", ["true", "1"]),
        (["a", 1], "string", ['"a"', "1"]),
        ([2**63, 1], "string", [str(2**63), "1"]),
        ([{"b": 1, "a": 2}, None], "string", ['{"a": 2, "b": 1}', None]),
        ([None, None], "string", [None, None]),
    ],
)
def test_a_column_has_the_type_of_its_values(values, kind, kept):
    pa = pytest.importorskip("pyarrow")
    columns = Columns()
    for value in values:
        columns.add({"x": value})
    rows = [columns.row({"x": value}, b"png", "x.png") for value in values]
    table = pa.Table.from_pylist(rows, schema=columns.schema())
    assert str(table.schema.field("x").type) == kind
    assert table["x"].to_pylist() == kept


def export_in_small_groups(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sow.batch.export.export.GROUP_BYTES", 2**20)
        found = results(folder, [said(f"p{number}") for number in range(40)])
        large = picture(0, 400)
        for number in range(40):
            (found / f"p{number}.png").write_bytes(large)
        (file,) = export(found, "parquet", folder / "out")
        export(found, "webdataset", folder / "out")
    assert len(large) * 40 > 15 * 2**20
    from pyarrow import parquet

    assert parquet.ParquetFile(file).num_row_groups == 20


def test_row_groups_are_bounded(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    assert peak_of(export_in_small_groups, tmp_path) < 12 * 2**20
    assert GROUP_BYTES > 2**20


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("../x.png", OutputError, "outside the folder"),
        ("a/../../x.png", OutputError, "outside the folder"),
        ("sub/../one.png", OutputError, "outside the folder"),
        ("/x.png", OutputError, "outside the folder"),
        ("C:/x.png", OutputError, "outside the folder"),
        ("..\\x.png", OutputError, "outside the folder"),
        ("link.png", OutputError, "outside the folder"),
        ("linked/x.png", OutputError, "outside the folder"),
        ("x\0.png", OutputError, "outside the folder"),
        ("loop.png", OutputError, "does not exist"),
        ("gone.png", OutputError, "does not exist"),
        ("folder.png", OutputError, "does not exist"),
        ("n" * 300 + ".png", OutputError, "does not exist"),
        ("x.jpg", UsageError, "not a .png file"),
        ("sub/.png", UsageError, "not a .png file"),
        ("", UsageError, "not a .png file"),
        ("one.png", UsageError, "again"),
        ("./one.png", UsageError, "again"),
        (7, UsageError, "no file_name"),
    ],
)
def test_only_pictures_inside_the_folder_are_exported(tmp_path, name, error, why):
    folder = results(tmp_path, [said("one")])
    outside = results(tmp_path, [said("x")], "outside")
    (tmp_path / "x.png").write_bytes(b"")
    (folder / "link.png").symlink_to(outside / "x.png")
    (folder / "linked").symlink_to(outside)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "folder.png").mkdir()
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**said("two"), "file_name": name}) + "\n")
    with pytest.raises(error, match=why) as caught:
        export(folder, "webdataset", tmp_path / "out")
    assert "line 2 of metadata.jsonl" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_links_inside_the_folder_are_allowed(tmp_path):
    folder = results(tmp_path, [said("one")])
    (folder / "two.png").symlink_to("one.png")
    results(tmp_path, [said("one"), said("two")])
    (file,) = export(folder, "webdataset", tmp_path / "out")
    with tarfile.open(file) as tar:
        assert tar.getmember("two.png").isfile()


def test_errors_are_raised_before_anything_is_written(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def refused(error, why, *given, **more):
        with pytest.raises(error, match=why) as caught:
            export(*given, **more)
        assert caught.value.hint
        assert not list(tmp_path.glob("out/*.tar"))

    refused(UsageError, "unknown format 'zip'", folder, "zip", out)
    refused(UsageError, "0 pictures", folder, "webdataset", out, shard=0)
    refused(UsageError, "shard= is", folder, "webdataset", out, shard=True)
    refused(UsageError, "metadata.jsonl.*cannot be read", tmp_path, "webdataset", out)
    refused(OutputError, "is not a writable folder", folder, "webdataset", out / "deeper")
    refused(OutputError, "is not a writable folder", folder, "webdataset", folder / "one.png")
    (folder / "metadata.jsonl").write_text("\n")
    refused(UsageError, "lists no pictures", folder, "webdataset", out)
    for line in ("{", '{"file_name": "one.png", "id": "one"}', "[]", '{"a": 1, "a": 2}'):
        (folder / "metadata.jsonl").write_text(line)
        refused(UsageError, "line 1 of metadata.jsonl", folder, "webdataset", out)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused(UsageError, "pyarrow is not installed", folder, "parquet", out)


def test_existing_shards_are_replaced_only_with_force(folder, tmp_path):
    out = tmp_path / "out"
    made = export(folder, "webdataset", out, shard=2)
    before = [file.read_bytes() for file in made]
    made[1].write_bytes(b"mine")
    made[0].unlink()
    with pytest.raises(OutputError, match=r"000001\.tar' exists"):
        export(folder, "webdataset", out, shard=2)
    assert not made[0].exists()
    export(folder, "webdataset", out, shard=2, force=True)
    assert [file.read_bytes() for file in made] == before
    with pytest.raises(OutputError, match=r"another export, such as 000001\.tar"):
        export(folder, "webdataset", out, force=True)
    (out / "notes.txt").write_text("mine")
    assert sorted(file.name for file in out.iterdir()) == [f.name for f in made] + ["notes.txt"]


@pytest.mark.parametrize("to", ["webdataset", "parquet"])
def test_a_shard_is_written_completely_or_not_at_all(folder, tmp_path, monkeypatch, to):
    if to == "parquet":
        pytest.importorskip("pyarrow")

    def broken(path, most):
        if path.name.startswith("A_b"):
            raise OSError(5, "Input/output error")
        return path.read_bytes()

    monkeypatch.setattr("sow.batch.export.results.read_regular", broken)
    with pytest.raises(PictureError, match="Input/output error"):
        export(folder, to, tmp_path / "out", shard=2)
    assert len(list((tmp_path / "out").iterdir())) == 1  # the first, and nothing half


def test_metadata_that_grows_during_an_export_is_cut_and_less_is_an_error(
    folder, tmp_path, monkeypatch
):
    metadata = folder / "metadata.jsonl"
    lines = metadata.read_text().splitlines(keepends=True)
    from sow.batch.export import export as module

    survey = module._survey

    def between(text):
        def surveyed(folder):
            found = survey(folder)
            metadata.write_text(text)
            return found

        monkeypatch.setattr(module, "_survey", surveyed)

    (folder / "late.png").write_bytes(picture(9))
    between("".join([*lines, json.dumps(said("late"))]))
    made = export(folder, "webdataset", tmp_path / "more", shard=100)
    with tarfile.open(made[0]) as tar:
        assert len(tar.getnames()) == 3 * len(LINES)
    between("".join(lines[:3]))
    with pytest.raises(SowError, match="changed during the export"):
        export(folder, "webdataset", tmp_path / "less", shard=2)
