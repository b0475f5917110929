"""How long a picture takes on the page, beside sampling alone: `python tests/studio_speed.py`.

Prints the median seconds of further pictures of one plan, on an idle machine: of `Service.make`
alone, in a process of its own, before and after; and from the click on Generate until the picture
is shown in the browser.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from browsing import chromium

ROOT = Path(__file__).parents[1]
FACE, PROMPT = ROOT / "examples" / "drawn-beard.png", "a man in a red coat"
ALONE = """
import sys, time
import sow
model, face, prompt, preset, count = *sys.argv[1:5], int(sys.argv[5])
service = sow.Service(model, planner=sow.PlannerChoice("offline"))
service.pipe.set_progress_bar_config(disable=True)
spec = service.resolve(sow.Request(image=face, prompt=prompt, preset=preset or None))
for seed in range(count + 1):
    started = time.perf_counter()
    list(service.make(spec, [seed]))
    if seed:
        print(time.perf_counter() - started)
"""


def alone(model: str, preset: str, count: int) -> list[float]:
    """Return the seconds of pictures made by the service alone, without the first."""
    command = [sys.executable, "-c", ALONE, model, str(FACE), PROMPT, preset, str(count)]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return [float(line) for line in made.stdout.split()]


def on_the_page(model: str, preset: str, count: int) -> list[float]:
    """Return the seconds from click to shown picture, without the first."""
    with tempfile.TemporaryDirectory() as out, chromium() as browser:
        command = [sys.executable, "-m", "sow", "studio", "--model", model, "--port", "0"]
        command += ["--out", out, "--face", str(FACE), "--prompt", PROMPT]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.set_default_timeout(600_000)
            page.goto(found.group(0))
            page.locator("#stage .piece").wait_for()
            if preset:
                page.locator("#form .more summary").click()
                page.locator("#sow-preset").select_option(preset)
            return [_click_to_shown(page, number + 1) for number in range(count + 1)][1:]
        finally:
            server.terminate()
            server.wait()


SHOWN = """
async (number) => {
  const grid = document.querySelector("#look .grid");
  const shown = new Promise((done) => new MutationObserver(() => {
    if (grid.querySelectorAll("img").length >= number) done();
  }).observe(grid, { childList: true }));
  const clicked = performance.now();
  document.querySelector("#form .go").click();
  await shown;
  return (performance.now() - clicked) / 1000;
}
"""
"""Asked in the page: who looks from outside, looks late."""


def _click_to_shown(page, number: int) -> float:
    took = page.evaluate(SHOWN, number)
    page.wait_for_timeout(500)
    return took


def main() -> None:
    """Measure, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="figures")
    parser.add_argument("--preset", default="")
    parser.add_argument("--count", type=int, default=10)
    options = parser.parse_args()
    before = alone(options.model, options.preset, options.count)
    page = on_the_page(options.model, options.preset, options.count)
    after = alone(options.model, options.preset, options.count)
    for name, seconds in (("alone", before), ("page", page), ("alone again", after)):
        print(
            f"{name}: {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}"
        )
    ratio = statistics.median(page) / statistics.median(before + after)
    print(f"page over alone: {ratio:.2f}")


if __name__ == "__main__":
    main()
