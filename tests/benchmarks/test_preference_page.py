"""The page of questions in a browser: by keys, resumed, saved, loaded; strangers' words."""

from __future__ import annotations

import json

import pytest
from browsing import ATTACKS, expect, opened
from tv2i_runs import drawn_run

from sow.benchmarks.tv2i.preference.answers import read_answers, read_votes
from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.survey import write_survey
from sow.benchmarks.tv2i.preference.votes import votes
from sow.benchmarks.tv2i.runs import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return drawn_run(tmp_path_factory.mktemp("results"), pairs=2, size=48)


@pytest.fixture(scope="module")
def best(results, tmp_path_factory):
    """A page of two groups by two criteria, and its key."""
    home = tmp_path_factory.mktemp("best")
    made = write_survey(results, home / "page", home / "key.json", groups=2, seed=4)
    return made.page, home / "key.json"


@pytest.fixture(scope="module")
def outlines(results, tmp_path_factory):
    home = tmp_path_factory.mktemp("outlines")
    made = write_survey(results, home / "page", home / "key.json", ("outline",), groups=1, seed=4)
    return made.page, home / "key.json"


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def saved(page, folder, name="answers.json"):
    """What the page saves, as a file."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").first.click()
    path = folder / name
    download.value.save_as(path)
    return path


def where(page):
    return page.locator(".where").inner_text()


def tokens(page):
    """The pictures that are shown, from left to right."""
    images = "[...document.querySelectorAll('.choice img')]"
    return page.evaluate(f"{images}.map((img) => img.src.split('/').at(-1).slice(0, -5))")


def test_all_of_it_by_keys(browser, best, tmp_path):
    page_file, key_file = best
    with opened(browser, page_file) as page:
        expect(page.locator("h2")).to_have_text("Which picture looks most like a real picture?")
        press(page, "Enter")
        expect(page.locator(".choice")).to_have_count(3)
        assert page.locator(".inputs").count() == 0
        first = tokens(page)
        press(page, "Enter")  # nothing is chosen yet
        expect(page.locator(".said")).to_have_text("Choose one, or say that all are bad.")
        press(page, "2", "Enter")
        press(page, "1", "3")
        expect(page.locator(".said")).to_have_text("1 and 3 are equally good.")
        second = tokens(page)
        press(page, "Enter")
        expect(page.locator("h2")).to_have_text("Which picture goes best with both inputs?")
        press(page, "Enter")
        expect(page.locator(".inputs .prompt")).not_to_be_empty()
        expect(page.locator(".inputs img")).to_have_js_property("naturalWidth", 48)
        press(page, "1", "0", "Enter", "t")
        expect(page.locator(".said")).to_have_text("1, 2 and 3 are equally good.")
        press(page, "Enter")
        expect(page.locator("h2")).to_have_text("That was all. Thank you.")
        assert "4 of 4 answered · 4 not in a file yet" in where(page)
        file = saved(page, tmp_path)
        assert where(page) == "4 of 4 answered"
    answers = read_answers(file, read_key(key_file)).answers
    assert [answer.order for answer in answers] == [0, 1, 2, 3]
    assert [list(answer.shown) for answer in answers[:2]] == [first, second]
    assert list(answers[0].chosen) == [first[1]]
    assert set(answers[1].chosen) == {second[0], second[2]}
    assert (answers[2].verdict, answers[2].chosen) == ("bad", ())
    assert set(answers[3].chosen) == set(answers[3].shown)
    assert votes([file], key_file).facts[0] == ("Answers", "4 of 1 people, to 4 questions")


def test_a_reload_goes_on_where_it_was(browser, best):
    with opened(browser, best[0]) as page:
        press(page, "Enter", "1", "Enter")
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        now = tokens(page)
        page.reload()
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        press(page, "Enter")
        assert tokens(page) == now
        press(page, "ArrowLeft")
        assert page.locator(".choice[aria-pressed=true] .badge").inner_text() == "1"
        press(page, "2", "1", "Enter")  # another answer to the first
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        stored = page.evaluate("JSON.parse(Object.values(localStorage)[0]).answers")
        assert [(a["changed"], len(a["chosen"])) for a in stored] == [(1, 1)]


def test_a_file_goes_on_in_another_browser(browser, best, tmp_path):
    with opened(browser, best[0]) as page:
        press(page, "Enter", "1", "Enter", "3", "Enter")
        file = saved(page, tmp_path)
        rater = json.loads(file.read_text())["rater"]
    with opened(browser, best[0]) as page:
        page.locator("input[type=file]").set_input_files(file)
        expect(page.locator(".where")).to_have_text("Part 2 of 2 · 2 of 4 answered")
        press(page, "Enter", "0", "Enter", "0", "Enter")
        again = saved(page, tmp_path, "again.json")
    found = json.loads(again.read_text())
    assert found["rater"] == rater
    assert found["answers"][:2] == json.loads(file.read_text())["answers"]
    assert len(found["answers"]) == 4
    read, notes = read_votes([file, again], read_key(best[1]))
    assert len(read) == 4
    assert len(notes) == 1


def test_people_see_other_orders(browser, best):
    orders = set()
    for _ in range(4):
        with opened(browser, best[0]) as page:
            press(page, "Enter")
            orders.add(tuple(tokens(page)))
    assert len(orders) > 1  # alike by chance once in 12**3 times


def test_another_person_begins_anew_after_being_asked(browser, best, tmp_path):
    with opened(browser, best[0]) as page:
        press(page, "Enter", "1", "Enter")
        asked = []
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.get_by_role("button", name="Another person").click()
        assert "would be lost" in asked[0]
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        one = saved(page, tmp_path)
        page.get_by_role("button", name="Another person").click()
        expect(page.locator(".where")).to_contain_text("0 of 4 answered")
        press(page, "Enter", "2", "Enter")
        other = saved(page, tmp_path, "other.json")
    raters = {json.loads(file.read_text())["rater"] for file in (one, other)}
    assert len(raters) == 2


BAD = (
    (lambda data: "no json", "This is no file of answers."),
    (lambda data: "[]", "This is no file of answers."),
    (lambda data: {**data, "survey": "0" * 16}, "These answers are of another page."),
    (lambda data: {**data, "version": 2}, "These answers are of another version."),
    (lambda data: {**data, "answers": data["answers"] * 2}, "These answers are damaged."),
    (lambda data: {**data, "rater": "<img src=x>"}, "These answers are damaged."),
    (lambda data: {**data, "answers": [{**data["answers"][0], "chosen": ["../x"]}]},
     "These answers are damaged."),
    (lambda data: {**data, "answers": [{**data["answers"][0], "shown": []}]},
     "These answers are damaged."),
)  # fmt: skip


def test_strangers_files_are_refused(browser, best, tmp_path):
    with opened(browser, best[0]) as page:
        press(page, "Enter", "1", "Enter")
        good = json.loads(saved(page, tmp_path).read_text())
        for number, (spoil, said) in enumerate(BAD):
            file, bad = tmp_path / f"{number}.json", spoil(good)
            file.write_text(bad if isinstance(bad, str) else json.dumps(bad))
            page.locator("input[type=file]").set_input_files(file)
            expect(page.locator(".where")).to_have_text(said)
        press(page, "2", "Enter")
        expect(page.locator(".where")).to_contain_text("2 of 4 answered")


def test_hands_and_keys_can_be_mixed(browser, best):
    with opened(browser, best[0]) as page:
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("button", name="All bad").click()
        press(page, "Enter")
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        page.locator(".choice").first.click()
        press(page, "Enter")
        expect(page.locator(".where")).to_contain_text("2 of 4 answered")
        press(page, "Enter", "Tab", "Tab", "Space")  # by keys alone: the second picture
        expect(page.locator(".said")).to_have_text("2 is the best.")


def test_without_storage_it_says_so_and_still_works(browser, best, tmp_path):
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw 1; }})")
    page = context.new_page()
    page.goto(best[0].as_uri())
    press(page, "Enter", "1", "Enter")
    expect(page.locator(".where")).to_contain_text("this browser keeps nothing")
    assert len(json.loads(saved(page, tmp_path).read_text())["answers"]) == 1
    context.close()


def test_storage_that_somebody_damaged_is_not_believed(browser, best):
    with opened(browser, best[0]) as page:
        press(page, "Enter", "1", "Enter")
        for text in ("{", '{"answers": 3}', "null"):
            page.evaluate(
                "text => { for (const k of Object.keys(localStorage)) localStorage[k] = text; }",
                text,
            )
            page.reload()
            expect(page.locator(".where")).to_contain_text("0 of 4 answered")


def test_outlines_are_marked_by_one_key(browser, outlines, tmp_path):
    page_file, key_file = outlines
    with opened(browser, page_file) as page:
        press(page, "Enter")
        expect(page.locator(".choice")).to_have_count(1)
        press(page, "y", "n", "ArrowLeft")
        assert page.locator(".mark[aria-pressed=true]").inner_text().startswith("No")
        press(page, "u", "3")
        expect(page.locator("h2")).to_have_text("That was all. Thank you.")
        file = saved(page, tmp_path)
    said = [answer.verdict for answer in read_answers(file, read_key(key_file)).answers]
    assert said == ["yes", "unsure", "unsure"]


def test_it_fits_a_small_window_and_works_by_touch(browser, best):
    how = {"viewport": {"width": 400, "height": 800}, "has_touch": True}
    with opened(browser, best[0], **how) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        page.get_by_role("button", name="Begin").tap()
        page.locator(".choice").nth(1).tap()
        page.get_by_role("button", name="Next").tap()
        expect(page.locator(".where")).to_contain_text("1 of 4 answered")
        assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_hostile_prompts_run_nothing(browser, results, tmp_path):
    some = tuple(
        one.model_copy(update={"prompt": ATTACKS[n // 3 % len(ATTACKS)]})
        for n, one in enumerate(results.outcomes)
    )
    made = write_survey(
        Results(results.folder, results.run, some), tmp_path / "page", tmp_path / "key.json"
    )
    with opened(browser, made.page) as page:
        shown = set()
        press(page, "Enter")
        while (
            page.locator("h2").count() == 0 or "That was all" not in page.locator("h2").inner_text()
        ):
            if page.locator(".screen").count():
                press(page, "Enter")
                continue
            if page.locator(".inputs").count():
                shown.add(page.locator(".inputs .prompt").evaluate("told => told.textContent"))
            press(page, "0", "Enter")
        assert shown == set(ATTACKS)
        assert page.evaluate("window.hacked ?? null") is None
        assert page.locator("svg").count() == 0


def test_pictures_that_are_missing_are_told(browser, results, tmp_path):
    made = write_survey(results, tmp_path / "page", tmp_path / "key.json", groups=1)
    for file in (made.page.parent / "pictures").iterdir():
        file.unlink()
    with opened(browser, made.page) as page:
        press(page, "Enter")
        expect(page.locator(".gone").first).to_have_text("This picture is missing")
        # What is missing is told on the console by the browser itself.
        assert all("ERR_FILE_NOT_FOUND" in text for text in page.wrong)
        page.wrong.clear()
        press(page, "0")
        expect(page.locator(".said")).to_have_text("All are bad.")
        page.wrong.clear()
