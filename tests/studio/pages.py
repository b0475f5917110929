"""Browsers that use a served page."""

from __future__ import annotations

from contextlib import contextmanager


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
