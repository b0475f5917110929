"""The gallery as a browser shows it; skipped where playwright or a chromium is missing."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from browsing import ATTACKS, expect, opened
from PIL import Image

from sow.batch.gallery.gallery import ASSETS, CHUNK_ROWS, Entry, Failure, thumbnail, write_gallery

COUNT = 60


@pytest.fixture
def open_page(browser):
    """Opens a folder's page, which is closed and looked after at the end."""
    with ExitStack() as pages:
        yield lambda folder, hash="": pages.enter_context(
            opened(browser, folder / "index.html", hash, viewport={"width": 1200, "height": 800})
        )


def write_picture(folder: Path, name: str, size=(256, 256)) -> None:
    Image.new("RGB", size, "teal").save(folder / name)
    thumb = folder / ".sow" / "thumbs" / f"{name}.webp"
    thumb.parent.mkdir(parents=True, exist_ok=True)
    thumb.write_bytes(thumbnail(Image.open(folder / name)))


def entry(n: int, **more) -> Entry:
    name = f"a job+{n}@{n}.png" if n % 7 == 3 else f"job-{n}.png"
    given = {
        "file_name": name, "id": name.split("@")[0].removesuffix(".png"),
        "prompt": f"a person number {n} in a red coat", "seed": 2**62 - n, "seconds": 1.5,
        "thumb": f".sow/thumbs/{name}.webp", "condition": ".sow/thumbs/face.png.webp",
        "remarks": ("no face was found",) if n % 10 == 5 else (),
    }  # fmt: skip
    return Entry(**given | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("results")
    write_picture(made, "face.png", (64, 64))
    made_of = [entry(n) for n in range(COUNT)]
    for one in made_of:
        write_picture(made, one.file_name, (96, 96) if one.file_name == "job-1.png" else (256, 256))
    failed = [Failure("broken face", 7, "it is not a picture", 3), Failure("", 12, "no JSON", 1)]
    write_gallery(made, made_of, failed, "Winter")
    return made


def width(page, what: str) -> int:
    picture = page.locator(what).first
    expect(picture).to_have_js_property("complete", True)
    return picture.evaluate("picture => picture.naturalWidth")


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


# ---- The cards.


def test_cards_show_condition_and_result(open_page, folder):
    page = open_page(folder)
    first = page.locator(".card").first
    expect(first).to_contain_text("a person number 0 in a red coat")
    expect(first).to_contain_text("seed 4611686018427387904")
    assert width(page, ".condition img") == 64
    assert width(page, ".result img") == 256
    assert page.locator(".card img:not([loading=lazy])").count() == 0
    assert page.locator(".card img:not([alt])").count() == 0
    expect(page.locator(".condition img").first).to_have_class("small")
    expect(page.locator(".result img").first).not_to_have_class(re.compile("small"))
    expect(page).to_have_title("Winter")


def test_cards_come_while_scrolling(open_page, folder):
    page = open_page(folder)
    expect(page.locator(".card")).not_to_have_count(0)
    assert page.locator(".card").count() < COUNT
    page.keyboard.press("End")
    expect(page.locator(".card")).to_have_count(COUNT)


def test_a_picture_without_a_thumbnail_is_shown_itself(open_page, tmp_path):
    write_picture(tmp_path, "job-0.png")
    gone = {"thumb": ".sow/gone.webp", "condition": ""}
    write_gallery(tmp_path, [entry(0, **gone), entry(1, thumb="", condition="")], [], "")
    page = open_page(tmp_path)
    expect(page.locator(".gone")).to_have_count(1)
    assert width(page, ".alone img") == 256
    # What is missing is told on the console by the browser itself.
    expect(page.locator("fieldset")).to_be_hidden()
    expect(page.locator(".count")).to_have_text("2 pictures")
    assert all("ERR_FILE_NOT_FOUND" in text for text in page.wrong)
    page.wrong.clear()


@pytest.mark.parametrize(
    ("failed", "said"),
    [([], "There are no pictures yet."), ([Failure("x", 1, "it is broken")], "it is broken")],
)
def test_without_entries_it_says_something_sensible(open_page, tmp_path, failed, said):
    write_gallery(tmp_path, [], failed, "Winter")
    expect(open_page(tmp_path).locator("main")).to_contain_text(said)


# ---- Search and filters.


def test_search_narrows_and_counts(open_page, folder):
    page = open_page(folder)
    search = page.get_by_role("searchbox")
    for text, hits in (("NUMBER 17", 1), ("coat red", COUNT), ("4611686018427387861", 1),
                       ("a job+3", 3), ("no face", 6), ("nowhere", 0)):  # fmt: skip
        search.fill(text)
        expect(page.locator(".count")).to_have_text(f"{hits} of {COUNT} pictures")
        if hits < 40:
            expect(page.locator(".card")).to_have_count(hits)
    expect(page.locator("main")).to_contain_text("No matches.")
    search.fill("")
    expect(page.locator(".card")).not_to_have_count(0)


def test_remarks_and_failures_are_filters(open_page, folder):
    page = open_page(folder)
    page.get_by_label("With remarks 6").check()
    expect(page.locator(".card")).to_have_count(6)
    expect(page.locator(".card .remark").first).to_have_text("no face was found")
    page.get_by_label("Failed 2").check()
    expect(page.locator(".item")).to_have_text(
        ["broken faceit is not a pictureline 7 · tried 3 times",
         "A line without an idno JSONline 12 · tried once"]
    )  # fmt: skip
    page.get_by_role("searchbox").fill("json")
    expect(page.locator(".item")).to_have_count(1)
    expect(page.locator(".count")).to_have_text("1 of 2 failed jobs")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Ten thousand rows; their pictures are one."""
    made = tmp_path_factory.mktemp("many")
    write_picture(made, "job-0.png")
    one = entry(0)
    rows = (Entry(one.file_name, f"row-{n}", f"number {n}", n, thumb=one.thumb)
            for n in range(20 * CHUNK_ROWS))  # fmt: skip
    write_gallery(made, rows, [], "Many")
    return made


def test_chunks_are_loaded_when_they_are_needed(open_page, large):
    page = open_page(large)
    expect(page.locator(".card")).not_to_have_count(0)
    assert [url.rpartition("/")[2] for url in page.asked if url.endswith(".js")] == [
        "entries-0000.js"
    ]
    page.evaluate("""() => {
      const status = document.querySelector(".count"), said = globalThis.said = [];
      new MutationObserver(() => said.push(status.textContent)).observe(status, {childList: true});
    }""")
    page.get_by_role("searchbox").fill("row-9999")
    expect(page.locator(".count")).to_have_text("1 of 10,000 pictures")
    counts = page.evaluate("globalThis.said")
    assert "0 found so far, 500 of 10,000 pictures searched…" in counts
    assert len(counts) == 20
    expect(page.locator(".card")).to_have_count(1)


def test_a_link_finds_a_picture_far_down(open_page, large):
    page = open_page(large, "#row-7777")
    expect(page.locator(".details .prompt")).to_have_text("number 7777")


def test_a_part_that_is_missing_is_told(open_page, tmp_path):
    write_picture(tmp_path, "job-0.png")
    shown = {"file_name": "job-0.png", "thumb": "", "condition": ""}
    write_gallery(tmp_path, (entry(n, **shown) for n in range(CHUNK_ROWS + 1)), [], "")
    (tmp_path / ASSETS / "entries-0001.js").unlink()
    page = open_page(tmp_path)
    page.get_by_role("searchbox").fill("no face")
    expect(page.locator(".count")).to_have_text(
        f"{CHUNK_ROWS // 10} of {CHUNK_ROWS + 1} pictures 1 part of the list could not be read."
    )
    assert {"ERR_FILE_NOT_FOUND" in text for text in page.wrong} == {True}
    page.wrong.clear()


# ---- The large view.


def test_keys_lead_through_the_pictures_and_back(open_page, folder):
    page = open_page(folder)
    page.locator(".card").nth(2).click()
    dialog, prompt = page.get_by_role("dialog"), page.locator(".details .prompt")
    expect(dialog).to_be_visible()
    assert page.url.endswith("#job-2")
    assert width(page, ".big img") == 256
    for text in ("number 2 ", "4611686018427387902", "job-2.png", "1.5 s"):
        expect(page.locator(".details")).to_contain_text(text)
    page.keyboard.press("ArrowRight")
    expect(prompt).to_contain_text("number 3 ")
    assert page.url.endswith("#a%20job%2B3%403")
    assert width(page, ".big img") == 256
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(prompt).to_contain_text("number 0 ")
    expect(page.get_by_role("button", name="Previous picture")).to_be_disabled()
    page.get_by_role("button", name="Next picture").click()
    expect(prompt).to_contain_text("number 1 ")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile("index.html$"))
    assert "number 1 " in focused(page)


def test_it_can_be_used_without_a_mouse(open_page, folder):
    page = open_page(folder)
    expect(page.locator(".card")).not_to_have_count(0)
    page.get_by_role("searchbox").focus()
    for _ in range(3):  # past the filters, to the second card
        page.keyboard.press("Tab")
    assert "number 1 " in focused(page)
    page.keyboard.press("Enter")
    expect(page.locator(".details .prompt")).to_contain_text("number 1 ")
    page.keyboard.press("Tab")
    inside = page.evaluate("Boolean(document.activeElement.closest('dialog'))")
    assert inside
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_keys_go_through_what_was_found(open_page, folder):
    page = open_page(folder)
    page.get_by_label("With remarks").check()
    page.locator(".card").first.click()
    expect(page.locator(".details")).to_contain_text("no face was found")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".details .prompt")).to_contain_text("number 15 ")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".details .prompt")).to_contain_text("number 55 ")
    expect(page.get_by_role("button", name="Next picture")).to_be_disabled()


def test_small_pictures_are_enlarged_by_whole_pixels(open_page, folder):
    page = open_page(folder, "#job-1")
    img = page.locator(".big img")
    expect(img).to_have_class("small")
    shown = img.evaluate("img => img.getBoundingClientRect().width")
    assert shown > 96
    assert shown % 96 == 0


@pytest.mark.parametrize(
    ("link", "prompt"),
    [("#job-50", "number 50 "), ("#a%20job+10@10", "number 10 "), ("#a%20job%2B10", "number 10 ")],
)
def test_a_link_opens_its_picture(open_page, folder, link, prompt):
    page = open_page(folder, link)
    expect(page.locator(".details .prompt")).to_contain_text(prompt)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("index.html$"))
    assert prompt in focused(page)


@pytest.mark.parametrize("link", ["#nothing", "#%zz", "#top"])
def test_a_link_to_nothing_says_so(open_page, folder, link):
    page = open_page(folder, link)
    expect(page.locator(".count")).to_contain_text(f"There is no picture {link[1:]}.")
    expect(page.get_by_role("dialog")).to_be_hidden()


# ---- Strangers' words.


def test_hostile_words_run_nothing(open_page, tmp_path):
    made = [
        entry(n, file_name=f"x{n}.png", id=words, prompt=words, remarks=(words,), thumb="",
              condition="")
        for n, words in enumerate(ATTACKS)
    ]  # fmt: skip
    for one in made:
        write_picture(tmp_path, one.file_name)
    failed = [Failure(words, 1, words) for words in ATTACKS]
    write_gallery(tmp_path, made, failed, "".join(ATTACKS[:3]))
    page = open_page(tmp_path)
    for n, words in enumerate(ATTACKS):
        card = page.locator(".card").nth(n)
        assert card.locator(".prompt").evaluate("told => told.textContent") == words
        card.click()
        expect(page.locator(".big img")).to_have_attribute("alt", words)
        page.keyboard.press("Escape")
        expect(page).to_have_url(re.compile("index.html$"))
    page.get_by_role("searchbox").fill(ATTACKS[0])
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_label("Failed").check()
    expect(page.locator(".item")).to_have_count(1)
    assert page.evaluate("window.hacked") is None
    assert page.locator("svg, script:not([class]):not(:last-of-type)").count() == 0


def test_the_browser_itself_refuses_markup_and_strange_scripts(open_page, folder):
    page = open_page(folder)
    page.evaluate("""() => {
      const markup = "<img src=x onerror=window.hacked=1>";
      try { document.body.innerHTML = markup; } catch { window.refused = true; }
      const script = document.createElement("script");
      try { script.src = "https://example.com/x.js"; } catch { window.refusedToo = true; }
      const picture = new Image();
      picture.src = "https://example.com/x.png";
    }""")
    assert page.evaluate("[window.refused, window.refusedToo, window.hacked ?? null]") == [
        True, True, None
    ]  # fmt: skip
    expect(page.locator(".card")).not_to_have_count(0)
    refused = [text for text in page.wrong if "example.com/x.png" in text]
    assert "Content Security Policy" in refused[0]
    page.asked.remove("https://example.com/x.png")
    page.wrong.clear()
