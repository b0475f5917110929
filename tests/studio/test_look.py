"""Finished pictures in a browser: the grid, one large, its words, more like it, all back again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import ATTACKS, expect, visited

pytest.importorskip("gradio", reason="the extra studio is not installed")

from PIL import Image

import sow
from sow.pictures.recipe import read_recipe, recipe_png_bytes, save_png
from sow.service.service import Service
from sow.studio.history import History

FACE = Path(__file__).parents[2] / "examples" / "drawn-beard.png"
PROMPT = "a man in a red coat"


@pytest.fixture
def out(served, tmp_path):
    """An empty folder of results."""
    served.studio.history = History(tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def page(browser, served, out):
    with visited(browser, served.url) as page:
        yield page


@pytest.fixture(scope="module")
def picture(served):
    """A picture that SOW made."""
    spec = served.studio.service.resolve(sow.Request(FACE, PROMPT))
    return next(iter(served.studio.service.make(spec, [5])))


def with_prompt(picture, prompt, seed=5):
    plan = picture.recipe.plan.changed(prompt=prompt)
    return replace(picture, recipe=picture.recipe.model_copy(update={"plan": plan, "seed": seed}))


def plant(page):
    page.set_input_files("#stage input[type=file]", FACE)
    expect(page.locator("#stage .piece")).to_be_visible(timeout=60_000)


def generate(page, count, **fields):
    for name, value in {"prompt": PROMPT, **fields}.items():
        page.locator(f'#form [name="{name}"]').fill(str(value))
    page.click("#form .go")
    expect(tiles(page)).to_have_count(count, timeout=120_000)


def tiles(page):
    return page.locator("#look .tile")


def open_first(page):
    tiles(page).first.click()
    viewer = page.locator("#viewer dialog")
    expect(viewer).to_be_visible()
    return viewer


def download(page, path):
    with page.expect_download() as started:
        page.click("#viewer .download")
    started.value.save_as(path)
    return started.value.suggested_filename


def form_of(page):
    names = ("prompt", "negative", "setting", "preset", "num", "seed")
    values = {name: page.locator(f'#form [name="{name}"]').input_value() for name in names}
    canvas = page.locator('#form [name="canvas"]:checked').input_value()
    boxes = {name: page.locator(f'#stage [name="{name}"]').input_value()
             for name in ("x", "y", "width", "height")}  # fmt: skip
    return (
        values | {"canvas": canvas, "likeness": page.locator("#sow-likeness").input_value()} | boxes
    )


def test_the_whole_way(page, browser, served, out, tmp_path):
    """Generate, look, download, the same again; more like it; changed and back; dropped back."""
    page.click("#form .more summary")
    plant(page)
    page.locator("#form .format label").nth(1).click()
    page.locator("#sow-likeness").fill("0.6")
    generate(page, 1, negative="glasses", seed=11)
    viewer = open_first(page)
    expect(viewer.locator(".prompt")).to_have_text(PROMPT)
    rows = viewer.locator("dt, dd").all_inner_texts()
    assert dict(zip(rows[::2], rows[1::2], strict=True))["seed"] == "11"
    [file] = out.iterdir()
    assert (
        download(page, tmp_path / "down.png")
        == file.name
        == f"drawn-beard-{PROMPT}-11.png".replace(" ", "-")
    )
    assert (tmp_path / "down.png").read_bytes() == file.read_bytes()
    again, spec, seed = Service.of_recipe(tmp_path / "down.png", device="cpu", dtype="float32")
    [repeated] = again.make(spec, [seed])
    assert repeated.image.tobytes() == Image.open(file).tobytes()

    page.locator("#sow-num").evaluate(
        "e => { e.value = 2; e.dispatchEvent(new Event('input', { bubbles: true })) }"
    )
    page.click("#viewer .vary")
    expect(viewer).not_to_be_visible()
    expect(tiles(page)).to_have_count(3, timeout=120_000)
    recipe, condition = read_recipe(file)
    others = [read_recipe(one) for one in out.iterdir() if one != file]
    assert all(other.plan == recipe.plan for other, _ in others)
    assert all(kept.to_png() == condition.to_png() for _, kept in others)
    assert len({other.seed for other, _ in others} | {11}) == 3

    page.fill("#look .search", "seed 11")
    expect(tiles(page)).to_have_count(1)
    open_first(page)
    page.click("#viewer .use")
    expect(page.locator("#stage .finished")).to_be_visible()
    as_made = form_of(page)
    assert as_made["likeness"] == "0.6"
    assert (as_made["negative"], as_made["seed"], as_made["canvas"]) == ("glasses", "11", "2:3")
    page.locator("#form .format label").nth(0).click()
    page.locator("#sow-likeness").fill("0.1")
    for name, value in {"prompt": "a woman", "negative": "", "seed": "3"}.items():
        page.locator(f'#form [name="{name}"]').fill(value)
    assert form_of(page) != as_made
    open_first(page)
    page.click("#viewer .use")
    expect(page.locator("#sow-prompt")).to_have_value(PROMPT)
    expect(page.locator('#stage [name="x"]')).to_have_value(as_made["x"])
    assert form_of(page) == as_made

    with visited(browser, served.url) as other:
        other.click("#form .more summary")
        other.set_input_files("#stage input[type=file]", tmp_path / "down.png")
        expect(other.locator("#stage .finished")).to_be_visible()
        expect(other.locator("#stage .notes")).to_contain_text("how a finished picture was made")
        assert form_of(other) == as_made
        other.click("#form .go")
        expect(other.locator("#form .said")).to_have_text("Done.", timeout=120_000)
        newest = max(out.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        assert newest != file
        assert Image.open(newest).tobytes() == Image.open(file).tobytes()
        other.click("#stage .again")
        other.click("#stage .finished")
        expect(other.locator("#stage .finished")).to_be_hidden()
        expect(other.locator("#stage .piece")).to_be_visible()


def test_words_are_shown_where_the_picture_looked_at_them(page, out):
    plant(page)
    generate(page, 1)
    viewer = open_first(page)
    page.click("#viewer .ask")
    words = viewer.locator(".words button")
    expect(words).to_have_count(len(PROMPT.split()), timeout=120_000)
    heat = viewer.locator(".heat")
    expect(heat).to_be_hidden()
    words.last.hover()
    expect(heat).to_be_visible()
    painted = "c => Math.max(...c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    assert heat.evaluate(painted) > 0
    page.mouse.move(0, 0)
    expect(heat).to_be_hidden()
    words.first.focus()
    expect(heat).to_be_visible()
    page.keyboard.press("Enter")  # it stays
    words.last.focus()
    page.click("#viewer .whole")
    expect(viewer.locator(".sheet")).to_be_visible()
    assert viewer.locator(".sheet img").evaluate("i => i.naturalWidth") > 600
    assert len(list(out.iterdir())) == 1


def test_keys(page, picture, out):
    for seed in (1, 2, 3):
        save(with_prompt(picture, f"a man {seed}", seed), out / f"{seed}.png", seed)
    page.reload()
    expect(tiles(page)).to_have_count(3)
    tiles(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    prompt = page.locator("#viewer .prompt")
    expect(prompt).to_have_text("a man 2")
    page.keyboard.press("ArrowRight")
    expect(prompt).to_have_text("a man 1")
    page.keyboard.press("ArrowRight")
    expect(prompt).to_have_text("a man 3")
    page.keyboard.press("ArrowLeft")
    expect(prompt).to_have_text("a man 1")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer dialog")).to_be_hidden()
    expect(tiles(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.click("#viewer .close")
    expect(page.locator("#viewer dialog")).to_be_hidden()


def test_a_restart_lists_what_is_there_and_more_of_it_comes(browser, served, picture, out):
    for seed in range(30):
        save(with_prompt(picture, f"a man {seed}", seed), out / f"{seed}.png", seed)
    with visited(browser, served.url) as page:
        expect(page.locator("#look .count")).to_have_text("30")
        assert tiles(page).count() >= 24
        page.mouse.wheel(0, 5000)
        expect(tiles(page)).to_have_count(30)
        page.fill("#look .search", "man 17")
        expect(tiles(page)).to_have_count(1)
        page.fill("#look .search", "elephant")
        expect(page.locator("#look .none")).to_have_text("No picture has all of these words.")
        page.fill("#look .search", "")
        expect(page.locator("#look .count")).to_have_text("30")
        (out / "29.png").write_bytes(b"gone")
        open_first(page)
        expect(page.locator("#viewer .problem")).to_contain_text("is not a picture")


def test_what_strangers_wrote_does_nothing(browser, served, picture, out, tmp_path):
    for seed, attack in enumerate(ATTACKS):
        name = attack.replace("/", "")[:80]
        save(with_prompt(picture, attack, seed), out / f"{name}.png", seed)
    with visited(browser, served.url) as page:
        expect(tiles(page)).to_have_count(len(ATTACKS))
        open_first(page)
        for number in range(len(ATTACKS)):
            expect(page.locator("#viewer .place")).to_have_text(f"{number + 1} of {len(ATTACKS)}")
            assert download(page, tmp_path / "down.png").endswith(".png")
            page.keyboard.press("ArrowRight")
        page.click("#viewer .close")
        page.fill("#look .search", ATTACKS[0])
        expect(tiles(page)).to_have_count(1)
        open_first(page)
        page.click("#viewer .use")
        expect(page.locator("#sow-prompt")).to_have_value(ATTACKS[0])
        page.wait_for_timeout(300)  # `visited` sees whether anything was hacked


def test_a_dropped_picture_whose_recipe_is_too_dear_is_refused(page, picture, tmp_path):
    dear = picture.recipe.settings.changed(
        steps=1000, t1=500, t2=900, cycles=1000, preserve=(), inversion_stride=1
    )
    recipe = picture.recipe.model_copy(update={"settings": dear})
    (tmp_path / "dear.png").write_bytes(recipe_png_bytes(picture.image, recipe, picture.condition))
    page.set_input_files("#stage input[type=file]", tmp_path / "dear.png")
    expect(page.locator("#stage .problem.first")).to_contain_text("UNet samples")


def save(picture, path, second):
    path.parent.mkdir(exist_ok=True)
    save_png(picture.image, path, picture.recipe, picture.condition)
    os.utime(path, (second, second))
