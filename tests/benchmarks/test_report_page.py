"""A report as a browser shows it."""

from __future__ import annotations

import pytest
from browsing import ATTACKS, expect, opened
from tv2i_runs import METHODS, drawn_run

from sow.benchmarks.tv2i.report.report import report
from sow.benchmarks.tv2i.report.writing import write_report
from sow.benchmarks.tv2i.runs import Measure, Method, Results


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    made = drawn_run(folder, pairs=3, size=64)
    home = tmp_path_factory.mktemp("report")
    return write_report(report(made), home)[1]


def test_tables_and_pictures_are_shown(browser, page_file):
    with opened(browser, page_file) as page:
        assert page.title() == "drawn-tv2i"
        table = page.locator("#s0 table").first
        assert table.locator("thead th").all_inner_texts()[1] == "ID-Distance ↓"
        assert table.locator("tbody tr").count() == len(METHODS)
        assert "n\u00a0=\u00a0" in table.locator("tbody td").first.inner_text()  # not broken
        assert "p\u00a0" in table.locator("tbody tr").nth(1).inner_text()
        assert page.locator("#s0 .theirs").first.inner_text().startswith("The paper's Table I")
        pictures = page.locator(".sheet img")
        assert pictures.count() == 3 * 3 * 4
        pictures.first.scroll_into_view_if_needed()
        expect(pictures.first).to_have_js_property("naturalWidth", 64)


def test_a_narrow_window_scrolls_tables_and_not_the_page(browser, page_file):
    with opened(browser, page_file, viewport={"width": 400, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        frame = page.locator(".wide").first
        assert frame.evaluate("e => e.scrollWidth > e.clientWidth")
        frame.evaluate("e => { e.scrollLeft = 200; }")
        left = page.locator(".wide tbody th").first.evaluate("e => e.getBoundingClientRect().left")
        assert left < 30  # the names of the rows stay


@pytest.mark.parametrize("width", [1280, 800])
def test_tables_of_seven_columns_fit_a_wide_window_and_five_a_narrow_one(browser, tmp_path, width):
    results = drawn_run(tmp_path / "results", pairs=3, size=32)
    measures = tuple(
        Measure(name=f"m{n}", label=f"Some metric {n}", better="lower", group=f"G{n > 6}")
        for n in range(12)
    )
    outcomes = tuple(
        one.model_copy(update={"scores": {m.name: 0.1234 * len(one.pair) for m in measures}})
        for one in results.outcomes if one.file
    )  # fmt: skip
    run = results.run.model_copy(update={"measures": measures})
    file = write_report(report(Results(results.folder, run, outcomes)), tmp_path)[1]
    with opened(browser, file, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        fits = "e => e.scrollWidth <= e.clientWidth"
        seven, five = (page.locator(f"#s0 [aria-label={name}]") for name in ("GFalse", "GTrue"))
        assert five.evaluate(fits)
        assert seven.evaluate(fits) == (width == 1280)


def test_dark_windows_get_a_dark_page(browser, page_file):
    def ground(scheme):
        with opened(browser, page_file, color_scheme=scheme) as page:
            return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert ground("light") != ground("dark")


def test_hostile_words_run_nothing(browser, tmp_path):
    plain = drawn_run(tmp_path / "results", pairs=1, size=32)
    names = {method.name: f"{method.name}{ATTACKS[0]}"[:200] for method in METHODS}
    methods = tuple(
        Method(
            name=names[m.name], label=ATTACKS[n], note=ATTACKS[1], settings={ATTACKS[0]: ATTACKS[2]}
        )
        for n, m in enumerate(METHODS)
    )
    outcomes = [
        one.model_copy(
            update={
                "method": names[one.method],
                "prompt": ATTACKS[0],
                "pair": f"{one.pair}{ATTACKS[1]}",
                "missing": {"id_distance": ATTACKS[1]},
                "scores": {"id_distance": None, ATTACKS[0]: 1},
            }
        )
        for one in plain.outcomes
    ]
    lost = outcomes[0].model_copy(update={"pair": "lost", "file": None, "error": ATTACKS[3]})
    run = plain.run.model_copy(
        update={"methods": methods, "benchmark": ATTACKS[0], "notes": ATTACKS}
    )
    made = Results(plain.folder, run, (*outcomes, lost))
    file = write_report(report(made), tmp_path)[1]
    with opened(browser, file) as page:
        assert page.title() == ATTACKS[0]
        assert page.evaluate("window.hacked") is None
        assert page.locator("script, svg").count() == 0
        assert page.locator(".prompt span").first.inner_text() == ATTACKS[0]
        assert page.locator("img:not([src^='data:image/webp'])").count() == 0


def test_the_browser_itself_refuses_scripts_and_addresses(browser, tmp_path, page_file):
    words = page_file.read_text(encoding="utf-8")
    evil = "<script>window.hacked=1</script><img src='https://example.com/x.png'>"
    file = tmp_path / "evil.html"
    file.write_text(words.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    context = browser.new_context()
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text))
    page.goto(file.as_uri())
    assert page.evaluate("window.hacked ?? null") is None
    page.wait_for_timeout(100)
    context.close()
    assert sum("Content Security Policy" in text for text in wrong) == 2
