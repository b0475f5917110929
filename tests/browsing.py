"""A chromium for the tests of pages; they are skipped where there is none."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

ATTACKS = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror='window.hacked=1'>",
    "\"'><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "\u202ekcah\u2028window.hacked=1 {{data}} {{sections}}",
)


def expect(what):
    """Waits until something about a page is so."""
    from playwright.sync_api import expect as wait

    return wait(what)


@contextmanager
def chromium():
    """A browser, and playwright's module."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    api.expect.set_options(timeout=60_000)  # the machine may be busy
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path)
        except api.Error as error:
            pytest.skip(f"chromium does not start: {str(error)[:200]}")
        yield started
        started.close()


@contextmanager
def opened(browser, file: Path, hash: str = "", **how):
    """A page from the disk; at the end it must have asked for nothing else, without errors."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **how})
    context.set_default_timeout(20_000)
    page, asked, wrong = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text))
    page.wrong, page.asked = wrong, asked
    page.goto(f"{file.as_uri()}{hash}")
    yield page
    context.close()
    assert wrong == []
    home = file.parent.as_uri() + "/"
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []


@contextmanager
def visited(browser, url: str, **how):
    """A page of a new browser; at the end nothing must have gone wrong in it, or left it."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
    context.set_default_timeout(60_000)
    page, asked, wrong = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    page.locator("#form textarea").wait_for()
    yield page
    hacked = page.evaluate("window.hacked")
    context.close()
    assert hacked is None
    assert wrong == []
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
