"""The pictures of `docs/studio.md`, made by driving the page: `make studio-pictures`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browsing import chromium, expect
from PIL import Image

import sow
from sow.studio.launch import serve

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "studio"
FACE = ROOT / "examples" / "drawn-beard.png"
TWO = ROOT / "examples" / "drawn-two.png"
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
    "device_scale_factor": 2,
}  # fmt: skip
MAX_BYTES = 300_000


def main() -> None:
    """Make all pictures."""
    FOLDER.mkdir(exist_ok=True)
    # A key, so that the page has somebody to ask; it asks nobody before somebody agrees.
    os.environ["OPENAI_API_KEY"] = "sk-none"
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_BASE_URL", "SOW_OPENAI_MODEL"):
        os.environ.pop(name, None)
    service = sow.Service("figures", device="cpu", dtype="float32")
    with (
        tempfile.TemporaryDirectory() as out,
        serve(service, Path(out), port=0) as served,
        chromium() as browser,
    ):
        on_the_desk(browser, served.url)
        on_a_phone(browser, served.url)


def on_the_desk(browser: Any, url: str) -> None:
    """Take the pictures of every step."""
    with opened(browser, url, **DESK) as page:
        take(page, "1-plant")
        plant(page, TWO)
        take(page, "2-faces")
        plant(page, FACE)
        page.fill("#sow-prompt", "a king in a red coat in the forest")
        expect(page.locator("#form mark")).to_have_count(1)
        drag_down(page)
        take(page, "3-place")
        page.locator("#form .plan-for-me").click()
        expect(page.locator("#form .consent")).to_be_visible()
        take(page, "4-plan-for-me", clip=of(page, "#form"))
        page.get_by_role("button", name="Plan by rules").click()
        expect(page.locator("#form .planned")).to_contain_text("rules")
        page.fill("#sow-seed", "7")
        page.fill("#sow-num", "4")
        page.locator("#form .go").click()
        page.wait_for_function("parseFloat(document.querySelector('#form .fill').style.width) > 45")
        take(page, "5-generate")
        made(page)
        top(page)
        page.wait_for_timeout(700)
        take(page, "6-look", full_page=True)
        page.locator("#look .grid button").first.click()
        page.locator("#viewer .explain .ask").click()
        page.locator("#viewer .words li").first.wait_for(timeout=120_000)
        page.locator("#viewer .words button").nth(1).hover()
        page.wait_for_timeout(700)
        take(page, "7-explain")
    with opened(browser, url, color_scheme="dark", **DESK) as page:
        plant(page, FACE)
        page.fill("#sow-prompt", "a man in a blue suit in the city")
        page.fill("#sow-seed", "3")
        page.locator("#form .go").click()
        made(page)
        top(page)
        page.wait_for_timeout(700)
        take(page, "8-dark")


def on_a_phone(browser: Any, url: str) -> None:
    """Take two pictures beside each other."""
    with opened(browser, url, **PHONE) as page:
        plant(page, FACE)
        page.fill("#sow-prompt", "a man in a red coat in the snow")
        top(page)
        placed = shot(page)
        page.locator("#form .go").click()
        made(page)
        top(page)
        page.wait_for_timeout(700)
        finished = shot(page)
    gap = 48
    sheet = Image.new("RGB", (2 * placed.width + gap, placed.height), "#888888")
    sheet.paste(placed, (0, 0))
    sheet.paste(finished, (placed.width + gap, 0))
    save(sheet.resize((sheet.width * 5 // 8, sheet.height * 5 // 8)), "9-phone")


# ---------------------------------------------------------------------- what is done on the page


@contextmanager
def opened(browser: Any, url: str, **how: Any) -> Iterator[Any]:
    """Open the page in a new browser."""
    context = browser.new_context(**how)
    page = context.new_page()
    page.goto(url)
    page.locator("#sow-prompt").wait_for()
    page.wait_for_timeout(500)
    yield page
    context.close()


def plant(page: Any, file: Path) -> None:
    """Choose a picture."""
    page.set_input_files("#stage input[type=file]", file)
    page.locator("#stage .piece").wait_for()
    page.wait_for_timeout(1000)


def drag_down(page: Any) -> None:
    """Drag the piece to the left and a little down."""
    box = page.locator("#stage .piece").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 90, y + 10, steps=8)
    page.mouse.up()
    page.wait_for_timeout(800)


def made(page: Any) -> None:
    """Wait until the pictures are made."""
    page.wait_for_function(
        "document.querySelector('#form .go .label').textContent === 'Generate'", timeout=120_000
    )
    page.wait_for_timeout(700)


def top(page: Any) -> None:
    """Go to the top, and leave what is focused, whose ring would distract."""
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    page.wait_for_timeout(300)


def of(page: Any, selector: str) -> dict[str, float]:
    """Return where a part of the page is, with some space around it."""
    box = page.locator(selector).bounding_box()
    return {
        "x": box["x"] - 20, "y": max(0, box["y"] - 20),
        "width": box["width"] + 40, "height": min(box["height"] + 40, 900),
    }  # fmt: skip


# ---------------------------------------------------------------------- files


def take(page: Any, name: str, **how: Any) -> None:
    """Save a picture of the page."""
    save(shot(page, **how), name)


def shot(page: Any, **how: Any) -> Image.Image:
    """Return a picture of the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shot.png"
        page.screenshot(path=path, **how)
        with Image.open(path) as image:
            return image.convert("RGB")


def save(image: Image.Image, name: str) -> None:
    """Save a picture with 256 colours, which the page hardly has more of."""
    path = FOLDER / f"{name}.png"
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path.name} has more than {MAX_BYTES} bytes")
    print(path.relative_to(ROOT), path.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
