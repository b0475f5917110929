"""Manifests: all formats give the same jobs, and an invalid line does not stop the others."""

from __future__ import annotations

import json
import os
import sys

import pytest
from manifests import GOOD, LINE, refused, rows, written
from memory import peak_of

from sow.batch.manifest import cell_values as cells
from sow.batch.manifest import rows as lines
from sow.batch.manifest import tables
from sow.batch.manifest.job import TV2IJob
from sow.batch.manifest.manifest import read_jobs, read_manifest
from sow.errors import SowError


def test_line_numbers(tmp_path):
    content = f"\ufeff{LINE}\r\n\r\n  \n{LINE}\n{{\n{LINE}"
    found = rows(tmp_path, content)
    assert [row.number for row in found] == [1, 4, 5, 6]
    assert [row.data for row in found] == [GOOD, GOOD, None, GOOD]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"prompt": "\xff"}', "not UTF-8 at byte 13"),
        (LINE.encode("utf-16"), "not UTF-8"),
        (b'{"prompt": }', "invalid JSON.*column 12"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"prompt": "a", "prompt": "b"}', "duplicate key 'prompt'"),
        (b'{"settings": {"cycles": 1, "cycles": 2}}', "duplicate key 'cycles'"),
        (b'{"likeness": NaN}', "NaN"),
        (b'{"likeness": -Infinity}', "-Infinity"),
        (b'{"likeness": 1e999}', "1e999 is too large"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"prompt": "\\ud800"}', "lone surrogate"),
        (b'{"\\uDFFF": 1}', "lone surrogate"),
        (b"[" * 100_000, "too deeply"),
        (b'{"settings": ' + b'{"a": ' * 200 + b"1" + b"}" * 201, "too deeply"),
        (b'{"prompt": "' + b"x" * 2**20 + b'"}', "longer than 1 MiB"),
    ],
)
def test_a_bad_line_is_a_problem_of_its_own(tmp_path, line, why):
    before, bad, after = rows(tmp_path, b"\n".join([LINE.encode(), line, LINE.encode()]))
    assert (before.data, after.data, after.number) == (GOOD, GOOD, 3)
    assert bad.data is None
    with pytest.raises(ValueError, match=why):
        raise ValueError(bad.problem)
    (_, one), (number, error), (_, other) = read_jobs(read_manifest(tmp_path / "jobs.jsonl"))
    assert number == 2
    assert isinstance(error, SowError)
    assert one == other == TV2IJob.parse(GOOD)


def test_harmless_nesting_is_accepted(tmp_path):
    """Many objects in a row are not deep, and surrogate pairs are text."""
    data = {**GOOD, "related": {f"r{i}": [1, 2, 3, 4] for i in range(500)}, "prompt": "a 🙂"}
    (row,) = rows(tmp_path, json.dumps(data))
    assert row.data == data


def test_the_longest_line_and_one_byte_more(tmp_path):
    longest = LINE + " " * (lines.MAX_LINE - len(LINE))
    fits, too_long, last = rows(tmp_path, f"{longest}\n{longest} \n{longest} ")
    assert fits.data == GOOD
    assert too_long.problem == last.problem == lines.TOO_LONG
    assert [fits.number, too_long.number, last.number] == [1, 2, 3]


def read_an_endless_line(folder):
    path = written(folder, "")
    with path.open("wb") as file:
        for _ in range(64):
            file.write(b"x" * 2**20)
        file.write(b"\n" + LINE.encode())
    found = list(read_manifest(path).rows())
    assert [row.number for row in found] == [1, 2]
    assert found[1].data == GOOD


def test_an_endless_line_is_not_kept_in_memory(tmp_path):
    assert peak_of(read_an_endless_line, tmp_path) < 8 * 2**20


ROWS = (
    {"id": "one", "image": "a.png", "prompt": "a man,\nsmiling", "box": [8, 16, 56, 56],
     "canvas": [640, 448], "seed": 7, "likeness": 0.25, "settings": {"cycles": 5}},
    {"id": "2", "image": "b.png", "prompt": "a cat", "subject": "cat", "canvas": 512,
     "related": {"body": [8, 72, 112, 56]}, "matte": "box"},
    {"id": "three", "prompt": "a dog left of a cat", "triples": [["dog", "left of", "cat"]]},
    {"id": "four", "prompt": "a dog", "image": "a.png", "plan": "p.json", "count": 2, "seed": 3},
)  # fmt: skip
CSV = '''id,face, prompt ,box,canvas,seed,likeness,settings,related,subject,matte,triples,plan,count
one,a.png,"a man,
smiling","8,16,56,56",640x448,7,0.25,"{""cycles"": 5}",,,,,,
2,b.png,a cat,,512,,,,"{""body"": [8, 72, 112, 56]}",cat,box,,,

three,,a dog left of a cat,,,,,,,,,"[[""dog"", ""left of"", ""cat""]]",,
four,a.png,a dog,,,3.0,,,,,,,p.json,2
,,,,,,,,,,,,,
'''  # fmt: skip


def said(manifest, **defaults):
    """Return the jobs of a manifest as data."""
    return [job.as_json() for _, job in read_jobs(manifest, defaults)]


WANTED = [TV2IJob.parse(row).as_json() for row in ROWS]


def test_csv_equals_json_lines(tmp_path):
    manifest = read_manifest(written(tmp_path, CSV, "jobs.csv"))
    assert [row.number for row in manifest.rows()] == [2, 4, 6, 7]
    assert said(manifest) == WANTED
    assert (
        said(read_manifest(written(tmp_path, "\ufeff" + CSV.replace("\n", "\r\n"), "JOBS.CSV")))[1:]
        == WANTED[1:]
    )
    jsonl = "\n".join(map(json.dumps, ROWS))
    assert said(read_manifest(written(tmp_path, jsonl, "jobs.ndjson"))) == WANTED


@pytest.mark.parametrize(("mark", "name"), [(";", "jobs.csv"), ("\t", "jobs.csv"), (";", "a.tsv")])
def test_columns_are_separated_as_in_the_header(tmp_path, mark, name):
    """Spreadsheets write semicolons, and 0,3 for 0.3, in languages with a decimal comma."""
    lines = ("face;prompt;likeness;box;seed", 'a.png;"a man; smiling, bald";0,3;8,16,56,56;7')
    content = "\ufeff" + "\r\n".join(lines).replace("; ", "\0").replace(";", mark)
    (row,) = rows(tmp_path, content.replace("\0", "; "), name)
    assert row.data == {"image": "a.png", "prompt": "a man; smiling, bald", "likeness": 0.3,
                        "box": [8, 16, 56, 56], "seed": 7}  # fmt: skip


def test_tsv(tmp_path):
    path = written(tmp_path, "image\tprompt\tbox\na.png\ta man, smiling\t8,16,56,56\n", "jobs.tsv")
    (row,) = read_manifest(path).rows()
    assert row.data == {"image": "a.png", "prompt": "a man, smiling", "box": [8, 16, 56, 56]}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a.png,a man", "2 cells, but the header has 3"),
        ("a.png,a man,1,2", "4 cells, but the header has 3"),
        ('a.png,"a man" in red,1', "expected after"),
        (b"a.png,a m\xffn,1", "not UTF-8"),
        ("a.png,a man,{", "settings: invalid JSON"),
        ('a.png,a man,"{""cycles"": 1, ""cycles"": 2}"', "duplicate key"),
        ('a.png,a man,"{""likeness"": NaN}"', "NaN"),
        ("a.png," + "x" * 2**20 + ",1", "longer than 1 MiB"),
        ("a.png," + "x" * 200_000 + ",1", "field larger"),
    ],
)
def test_a_bad_row_of_csv_is_a_problem_of_its_own(tmp_path, line, why):
    line = line if isinstance(line, bytes) else line.encode()
    content = b"image,prompt,settings\na.png,a man,\n" + line + b"\na.png,a man,\n"
    before, bad, after = rows(tmp_path, content, "jobs.csv")
    assert (before.data, after.data) == (GOOD, GOOD)
    assert (bad.number, after.number) == (3, 4)
    assert why in bad.problem


def test_invalid_utf8_in_a_quoted_cell_does_not_split_it(tmp_path):
    content = b'image,prompt\nx.png,"\xff\nevil.png,a man\n"\na.png,a man\n'
    bad, good = rows(tmp_path, content, "jobs.csv")
    assert (bad.number, bad.data) == (2, None)
    assert (good.number, good.data) == (5, GOOD)


def test_an_unclosed_quote_is_limited_to_the_longest_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 1000)
    lines_after = "a.png,a man\n" * 1000
    found = rows(tmp_path, f'image,prompt\nx.png,"a man\n{lines_after}', "jobs.csv")
    assert found[0].number == 2
    assert "is a quote not closed" in found[0].problem
    assert len(found) > 900
    assert {str(row.data) for row in found[1:]} == {str(GOOD)}
    assert found[-1].number == 1002
    end = rows(tmp_path, 'image,prompt\nx.png,"a man\na.png,b\n', "end.csv")
    assert [(row.number, row.data) for row in end] == [(2, None)]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("image,prompt,colour", "'colour', which is not a field.*likeness"),
        ("image|prompt", "'image.prompt', which is not a field.*its columns may be"),
        ("image,prompt;seed", "'prompt;seed', which is not a field"),
        ("image,face,prompt", "two columns for 'image'"),
        ("prompt,prompt", "two columns for 'prompt'"),
        ("prompt,", "column ''"),
        ("a.png,a man", "'a.png'"),
        ('"image', "header.*cannot be read"),
        ("", "no header"),
        (b"\xff\xfei\0m\0", "no header"),
        ("image\rprompt\ra.png", "header.*cannot be read"),
        ("x" * 2**21, "header.*cannot be read"),
    ],
)
def test_a_wrong_header_is_refused_at_once(tmp_path, header, why):
    refused(why, written(tmp_path, header, "jobs.csv"))


def test_every_field_that_is_not_text_is_parsed():
    """Otherwise a new field of a job would be text in every table."""
    assert {*cells.JSON_FIELDS, *cells.JSON_STARTS} == {
        "seed", "num", "face_index", "related", "settings", "likeness", "canvas", "box", "plan",
        "graph", "triples", "lora", "embedding",
    }  # fmt: skip
    assert {"seed", "num", "face_index"} == cells.INTEGER_FIELDS


def test_invalid_arguments(tmp_path, monkeypatch):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    prompts = written(tmp_path, "a man\n", "prompts.txt")
    jobs = written(tmp_path, LINE)
    refused("there is no", tmp_path / "nothing.jsonl")
    refused("there is no", "x\0.jsonl")
    refused("is not a manifest", written(tmp_path, LINE, "jobs.json"))
    refused("is not a manifest", written(tmp_path, LINE, "jobs"))
    refused("prompts_file= requires a folder", jobs, prompts)
    refused("is a folder", pictures)
    refused("no pictures in", pictures, prompts)
    refused("no prompts", pictures, written(tmp_path, "# none\n\n", "none.txt"))
    refused("cannot be read", pictures, tmp_path / "nothing.txt")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    refused("cannot be read", tmp_path / "loop.csv")
    os.mkfifo(tmp_path / "pipe.jsonl")
    refused("not a regular file", tmp_path / "pipe.jsonl")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    error = refused("pyarrow is not installed", written(tmp_path, "PAR1", "jobs.parquet"))
    assert error.hint == "pip install 'sow[parquet]'"
