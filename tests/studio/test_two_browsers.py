"""Two browsers at once: each gets its own pictures, and what a closed page had is forgotten."""

from __future__ import annotations

import time

import pytest
from browsing import chromium, expect, visited
from conftest import EXAMPLES

import sow
from sow.pictures.recipe import read_recipe

pytest.importorskip("gradio", reason="the extra studio is not installed")

from sow.studio.launch import serve

PEOPLE = {"ann": ("drawn-curls", "a woman on a beach"), "bob": ("drawn-beard", "a man in the snow")}
PASSWORD = "a long password"


def forgotten(studio):
    """Wait until no session is left."""
    for _ in range(500):
        if not len(studio.sessions):
            return True
        time.sleep(0.02)
    return False


def test_two_browsers_at_once_get_their_own_pictures(tmp_path, quick_pictures):
    service = sow.Service("figures", device="cpu", dtype="float32")
    accounts = [(name, PASSWORD) for name in PEOPLE]
    with (
        serve(service, tmp_path, port=0, accounts=accounts) as served,
        chromium() as browser,
    ):
        contexts = {name: browser.new_context() for name in PEOPLE}
        pages = {name: context.new_page() for name, context in contexts.items()}
        for name, page in pages.items():
            signed_in = contexts[name].request.post(
                f"{served.url}login", form={"username": name, "password": PASSWORD}
            )
            assert signed_in.ok
            page.goto(served.url)
            face, prompt = PEOPLE[name]
            page.set_input_files("#stage input[type=file]", EXAMPLES / f"{face}.png")
            expect(page.locator("#stage .piece")).to_be_visible()
            page.fill("#sow-prompt", prompt)
        for page in pages.values():
            page.click("#form .go")
        for page in pages.values():
            expect(page.locator("#form .said")).to_have_text("Done.", timeout=60_000)
            expect(page.locator("#look img")).to_have_count(1)
        for name, (face, prompt) in PEOPLE.items():
            [file] = (tmp_path / f"user-{name}").glob("*.png")
            assert file.name.startswith(face)
            assert read_recipe(file)[0].plan.prompt == prompt
        for context in contexts.values():
            context.close()
        assert forgotten(served.studio)


def test_a_page_that_is_closed_leaves_the_line_and_is_forgotten(served):
    somebody = served.studio.line.join("somebody else")
    with chromium() as browser:
        with visited(browser, served.url) as page:
            page.set_input_files("#stage input[type=file]", EXAMPLES / "drawn-curls.png")
            expect(page.locator("#stage .piece")).to_be_visible()
            page.fill("#sow-prompt", "a man in a coat")
            page.click("#form .go")
            expect(page.locator("#form .left")).to_have_text("1 before you")
            behind = served.studio.line.join("a third one")
            assert served.studio.line.place(behind) == 2
        assert forgotten(served.studio)
        assert served.studio.line.place(behind) == 1
    served.studio.line.leave(somebody)
    served.studio.line.leave(behind)
