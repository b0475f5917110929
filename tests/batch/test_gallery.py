"""The gallery's files: what is written, how it is escaped, how much memory it takes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from memory import peak_of
from PIL import Image

from sow.batch.gallery.gallery import (
    ASSETS,
    CHUNK_ROWS,
    TEMPLATE,
    Entry,
    Failure,
    thumbnail,
    write_gallery,
)
from sow.errors import OutputError, UsageError

HOSTILE = "</script><script>hacked()</script> \"'& \u2028\u2029 \u202eback\u200f \ud800 <!-- 𝔘"


def entries(number, **more):
    return (
        Entry(f"job-{n}.png", f"job-{n}", f"a person in a red coat, {n}", n, **more)
        for n in range(number)
    )


def rows(folder: Path, name: str) -> list:
    text = (folder / ASSETS / name).read_text(encoding="utf-8")
    kind = name.split("-")[0]
    assert text.startswith(f'sowRows("{kind}",[')
    assert text.endswith("]);\n")
    return json.loads(text[text.index("[") : -3])


def facts(page: Path) -> dict:
    found = re.search(r'class="facts">(.*?)</script>', page.read_text(encoding="utf-8"))
    return json.loads(found[1])


def chunks(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ASSETS).iterdir())


# ---- The page and its chunks.


def test_the_page_knows_its_chunks(tmp_path):
    failed = [Failure("broken", 7, "no picture", 3)]
    page = write_gallery(tmp_path, entries(2 * CHUNK_ROWS + 1), failed, "Winter")
    assert page == tmp_path / "index.html"
    assert chunks(tmp_path) == [*(f"entries-000{n}.js" for n in range(3)), "failed-0000.js"]
    assert facts(page) == {
        "home": ASSETS,
        "size": CHUNK_ROWS,
        "entries": 2 * CHUNK_ROWS + 1,
        "remarks": 0,
        "failed": 1,
    }
    sizes = [len(rows(tmp_path, f"entries-000{n}.js")) for n in range(3)]
    assert sizes == [CHUNK_ROWS, CHUNK_ROWS, 1]
    assert rows(tmp_path, "failed-0000.js") == [["broken", 7, "no picture", 3]]
    assert "<title>Winter</title>" in page.read_text(encoding="utf-8")


def test_rows_contain_the_entries(tmp_path):
    entry = Entry(
        "a b+1@4611686018427387904.png", "a b+1", "a cat", 2**62, 1.23456,
        ".sow/thumbs/a b+1.webp", ".sow/thumbs/condition.webp", ("one", "two"),
    )  # fmt: skip
    page = write_gallery(tmp_path, [entry], [], "")
    assert rows(tmp_path, "entries-0000.js") == [
        ["a%20b%2B1%404611686018427387904.png", "a b+1", "a cat", "4611686018427387904", 1.23,
         ".sow/thumbs/a%20b%2B1.webp", ".sow/thumbs/condition.webp", ["one", "two"]]
    ]  # fmt: skip
    assert facts(page)["remarks"] == 1


def test_a_gallery_without_entries(tmp_path):
    page = write_gallery(tmp_path, [], [], "Nothing")
    assert chunks(tmp_path) == []
    assert facts(page)["entries"] == 0


def test_the_same_entries_make_the_same_bytes(tmp_path):
    def written():
        write_gallery(tmp_path, entries(3), [Failure("", 1, "?")], "Same")
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert written() == written()


def test_surplus_chunks_are_removed(tmp_path):
    write_gallery(tmp_path, entries(3 * CHUNK_ROWS), [Failure("x", 1, "no")], "Long")
    (tmp_path / ASSETS / "notes.js").write_text("not ours")
    write_gallery(tmp_path, entries(1), [], "Short")
    assert chunks(tmp_path) == ["entries-0000.js", "notes.js"]


def test_an_interrupted_gallery_keeps_the_old_page(tmp_path):
    page = write_gallery(tmp_path, entries(2 * CHUNK_ROWS), [], "First")
    before = page.read_bytes()

    def breaking():
        yield from entries(CHUNK_ROWS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gallery(tmp_path, breaking(), [], "Second")
    assert page.read_bytes() == before
    assert [len(rows(tmp_path, name)) for name in chunks(tmp_path)] == [CHUNK_ROWS, CHUNK_ROWS]


def test_a_foreign_page_is_not_overwritten(tmp_path):
    (tmp_path / "index.html").write_text("<h1>My holidays</h1>")
    with pytest.raises(OutputError, match="is not a SOW gallery"):
        write_gallery(tmp_path, entries(1), [], "Winter")
    assert (tmp_path / "index.html").read_text() == "<h1>My holidays</h1>"
    assert not (tmp_path / ASSETS).exists()


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / ".sow").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_gallery(tmp_path, [], [], "Winter")


def write_many(folder):
    failed = (Failure(f"job-{n}", n, "no picture") for n in range(5000))
    write_gallery(folder, entries(50_000, remarks=("a remark",)), failed, "Many")
    assert len(chunks(folder)) == 110


def write_few(folder):
    failed = (Failure(f"job-{n}", n, "no picture") for n in range(CHUNK_ROWS // 5))
    write_gallery(folder, entries(2 * CHUNK_ROWS, remarks=("a remark",)), failed, "Few")


def test_memory_does_not_grow_with_the_number_of_entries(tmp_path):
    many, few = (peak_of(work, tmp_path / work.__name__) for work in (write_many, write_few))
    assert many < 3 * 2**20
    assert many < 1.5 * few


# ---- Strangers' words.


def test_untrusted_text_stays_text(tmp_path):
    entry = Entry("x.png", HOSTILE, HOSTILE, 1, remarks=(HOSTILE,))
    page = write_gallery(tmp_path, [entry], [Failure(HOSTILE, 1, HOSTILE)], HOSTILE)
    for name in chunks(tmp_path):
        text = (tmp_path / ASSETS / name).read_bytes()
        assert text.isascii()
        assert not re.search(rb"[<>&]", text)
    (row,) = rows(tmp_path, "entries-0000.js")
    assert (row[1], row[2], row[7]) == (HOSTILE, HOSTILE, [HOSTILE])
    text = page.read_text(encoding="utf-8")
    assert "<script>hacked" not in text
    assert text.count("</script>") == TEMPLATE.read_text(encoding="utf-8").count("</script>")
    assert "&lt;/script&gt;&lt;script&gt;hacked()" in text


def test_a_title_cannot_inject_into_the_template(tmp_path):
    page = write_gallery(tmp_path, [], [], "{{facts}} {{policy}} {{what}}")
    assert "<title>{{facts}} {{policy}} {{what}}</title>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "x/../../a.png", "//host/a", "a\\b"])
@pytest.mark.parametrize("field", ["file_name", "thumb", "condition"])
def test_files_outside_the_folder_are_errors(tmp_path, name, field):
    given = {"file_name": "a.png", "id": "a", "prompt": "", "seed": 1, field: name}
    with pytest.raises(UsageError, match="not in the folder"):
        write_gallery(tmp_path, [Entry(**given)], [], "Winter")


@pytest.mark.parametrize("name", ["javascript:hacked()", "https:a.png", "data:text,a", "a#b?c.png"])
def test_names_are_never_urls(tmp_path, name):
    write_gallery(tmp_path, [Entry(name, "a", "", 1, thumb=name, condition=name)], [], "")
    ((link, *_, thumb, condition, _),) = rows(tmp_path, "entries-0000.js")
    for given in (link, thumb, condition):
        assert not set(given) & set(":#?")


def test_the_page_is_self_contained(tmp_path):
    page = write_gallery(tmp_path, entries(1), [], "Winter").read_text(encoding="utf-8")
    assert not re.findall(r"https?:|url\(|@import|<link|<iframe|\ssrc=|\bhref=|fetch\(", page)
    assert not re.findall(r"(inner|outer|adjacent)HTML|\.write|\beval\(|\son\w+=", page, re.I)
    assert not re.findall(r"\sid=|\{\{", page)


def test_the_policy_has_the_hashes_of_script_and_style(tmp_path):
    page = write_gallery(tmp_path, [], [], "Winter").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules[f"{tag}-src"]


# ---- Thumbnails.


def opened(picture):
    return Image.open(io.BytesIO(thumbnail(picture)))


@pytest.mark.parametrize(
    ("size", "small"),
    [((1024, 512), (320, 160)), ((512, 1024), (160, 320)), ((256, 256), (256, 256)),
     ((64, 48), (64, 48)), ((4000, 1), (320, 1))],
)  # fmt: skip
def test_thumbnails_are_small_and_never_enlarged(size, small):
    with opened(Image.new("RGB", size, "red")) as made:
        assert (made.format, made.size, made.mode) == ("WEBP", small, "RGB")


def test_a_condition_keeps_its_transparency():
    condition = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    condition.paste((255, 0, 0, 255), (150, 150, 450, 450))
    with opened(condition) as made:
        assert made.mode == "RGBA"
        assert made.getpixel((5, 5))[3] == 0
        assert made.getpixel((160, 160))[3] == 255
        assert made.getpixel((160, 160))[0] > 240


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "RGBA"])
def test_any_picture_has_a_thumbnail(mode):
    with opened(Image.new(mode, (50, 40))) as made:
        assert made.size == (50, 40)


def test_small_pictures_are_lossless_and_without_metadata():
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    noise.info = {"icc_profile": b"mine", "exif": b"Exif\0\0where I live", "comment": "secret"}
    with opened(noise) as made:
        assert noise.info["comment"] == "secret"
        assert made.tobytes() == noise.tobytes()
        assert not {"icc_profile", "exif"} & set(made.info)
