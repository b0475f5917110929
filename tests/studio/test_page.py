"""The page in a browser: what is typed, made, cancelled, planned; for keyboards and screen readers;
in light and dark, on a desk and on a phone."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from browsing import expect, visited
from mllm_server import Server, small

from sow.errors import UsageError

pytest.importorskip("gradio", reason="the extra studio is not installed")

from PIL import Image

from sow.studio.examples import Start
from sow.studio.form import wish_of
from sow.studio.history import History
from sow.studio.job import Job, Moment
from sow.studio.launch import serve
from sow.studio.studio import Wish

FACE = Path(__file__).parents[2] / "examples" / "drawn-beard.png"
DESK = {"viewport": {"width": 1280, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
KEY = "sk-very-secret-1234567890"


@pytest.fixture(autouse=True)
def no_pictures(served, tmp_path):
    """The page lists the pictures of all tests before, unless their folder is another."""
    served.studio.history = History(tmp_path / "results")


@pytest.fixture
def page(browser, served):
    with visited(browser, served.url) as page:
        yield page


def plant(page, file=FACE, prompt="a man in a coat"):
    page.set_input_files("#stage input[type=file]", file)
    expect(page.locator("#stage .piece")).to_be_visible()
    page.fill("#sow-prompt", prompt)


@pytest.fixture
def gate(monkeypatch):
    """While it is not set, what is being made stands still."""
    opened, before = threading.Event(), Job._on_progress

    def wait(job, progress):
        opened.wait(60)
        before(job, progress)

    monkeypatch.setattr(Job, "_on_progress", wait)
    yield opened
    opened.set()


@pytest.fixture
def wishes(served, monkeypatch):
    """What pictures were asked for; they are not made."""
    wished = []

    def make(session, wish):
        wished.append(wish)
        yield Moment("cancelled")

    monkeypatch.setattr(served.studio, "make", make)
    return wished


def test_unknown_words_are_marked_as_they_are_typed(page):
    page.locator("#sow-prompt").press_sequentially("a king in a red coat")
    expect(page.locator("#form mark")).to_have_text(["king"])
    expect(page.locator("#sow-words")).to_have_text(
        "figures does not know king. It is asked for “a man in a red coat”."
    )
    page.locator("#sow-prompt").press_sequentially(", zzyzx 🎩 velvet")
    expect(page.locator("#form mark")).to_have_text(["king", "zzyzx", "velvet"])
    page.fill("#sow-prompt", "a man in a red coat")
    expect(page.locator("#form mark")).to_have_count(0)
    expect(page.locator("#sow-words")).to_have_text("")


def test_the_marks_lie_under_the_words(page):
    page.fill("#sow-prompt", "a man in a long coat of wool and a red hat, with a velvet umbrella")
    expect(page.locator("#form mark")).not_to_have_count(0)
    field, behind = (
        page.locator(f"#form {name}").bounding_box() for name in ("textarea", ".backdrop")
    )
    assert field == pytest.approx(behind, abs=1)
    style = """e => ['font', 'padding', 'letterSpacing', 'whiteSpace'].map(
        (name) => getComputedStyle(e)[name])"""
    styles = [page.eval_on_selector(f"#form {name}", style) for name in ("textarea", ".backdrop")]
    assert styles[0] == styles[1]


def test_what_is_asked_depends_on_what_is_planted(page):
    page.fill("#sow-prompt", "zzyzx in the snow")
    expect(page.locator("#sow-words")).to_contain_text("asked for “a person in the snow”")
    page.set_input_files("#stage input[type=file]", FACE.parent / "drawn-car-part.png")
    expect(page.locator("#sow-words")).to_contain_text("asked for “in the snow”")


def test_a_page_can_begin_with_a_picture_and_a_prompt(browser, served, tmp_path):
    start = Start.of(FACE, "a man in a red coat")
    with (
        serve(served.studio.service, tmp_path, port=0, start=start) as begun,
        visited(browser, begun.url) as page,
    ):
        expect(page.locator("#stage .piece")).to_be_visible()
        expect(page.locator("#sow-prompt")).to_have_value("a man in a red coat")
        page.click("#form .go")
        expect(page.locator("#look img")).to_have_count(1)


def test_control_enter_makes_a_picture(page):
    plant(page)
    page.fill("#sow-prompt", "a man in a red coat")
    page.press("#sow-prompt", "Control+Enter")
    expect(page.locator("#form .go .label")).to_have_text("Cancel")
    expect(page.locator("#form .said")).to_have_text("Done.")
    expect(page.locator("#look img")).not_to_have_count(0)
    expect(page.locator("#form .go .label")).to_have_text("Generate")


def test_enter_in_a_field_makes_none(page):
    plant(page)
    page.locator("#form .more summary").click()
    page.press("#sow-negative", "Enter")
    expect(page.locator("#form .go .label")).to_have_text("Generate")


def test_the_picture_becomes_visible_while_it_forms(page, monkeypatch):
    seen, before = threading.Event(), Job._on_progress

    def wait_after_a_cycle(job, progress):
        before(job, progress)
        if progress.preview:
            seen.wait(60)

    monkeypatch.setattr(Job, "_on_progress", wait_after_a_cycle)
    plant(page)
    page.click("#form .go")
    forming = page.get_by_alt_text("The picture as it forms")
    expect(forming).to_have_attribute("src", re.compile("^data:image/"))
    expect(page.locator("#form .go .label")).to_have_text("Cancel")
    seen.set()
    expect(page.locator("#form .said")).to_have_text("Done.")


def test_what_is_typed_while_a_picture_is_made_stays(page):
    plant(page)
    page.click("#form .go")
    page.fill("#sow-prompt", "a woman in the snow")
    expect(page.locator("#form .said")).to_have_text("Done.")
    assert page.input_value("#sow-prompt") == "a woman in the snow"


def test_cancel_cancels(page, gate):
    plant(page)
    before = page.locator("#look img").count()
    page.click("#form .go")
    expect(page.locator("#form .left")).to_have_text("starting")
    expect(page.locator("#form .go .label")).to_have_text("Cancel")
    page.click("#form .go")
    gate.set()
    expect(page.locator("#form .go .label")).to_have_text("Generate")
    expect(page.locator("#form .said")).to_have_text("Cancelled.")
    expect(page.locator("#look img")).to_have_count(before)


def test_another_face_is_chosen_when_the_picture_is_made_and_not_before(page, gate):
    plant(page, FACE.parent / "drawn-two.png")
    faces = page.locator("#stage .faces button")
    expect(faces.first).to_have_attribute("aria-pressed", "true")
    page.click("#form .go")
    for button in (faces.last, page.locator("#stage .all"), page.locator("#stage .brush")):
        expect(button).to_be_disabled()
    gate.set()
    expect(page.get_by_alt_text("The finished picture")).to_be_visible()
    faces.last.click()
    expect(faces.last).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#stage .piece")).to_be_visible()


def test_the_place_in_line_is_said_and_can_be_left(page, served):
    plant(page)
    somebody = served.studio.line.join("somebody else")
    page.click("#form .go")
    expect(page.locator("#form .left")).to_have_text("1 before you")
    page.click("#form .go")
    expect(page.locator("#form .go .label")).to_have_text("Generate")
    served.studio.line.leave(somebody)


def test_an_error_is_a_sentence_beside_generate(page):
    problem = page.locator("#form .problem")
    for _ in range(2):  # the second one is the same as the first
        page.click("#form .go")
        expect(problem).to_contain_text("drop a picture")
        expect(page.locator("#form .go .label")).to_have_text("Generate")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("secret"), "something went wrong; the server's log says what"),
        (UsageError("too many people are here", "try again later"), "too many people are here"),
    ],
)
def test_what_fails_before_a_job_starts_is_said_and_generate_comes_back(
    page, served, monkeypatch, error, said
):
    plant(page)

    def fail(*_):
        raise error

    if isinstance(error, UsageError):
        monkeypatch.setattr(served.studio.sessions, "get", fail)
    else:
        monkeypatch.setattr(served.studio, "make", fail)
    page.locator("#form .go").click()
    expect(page.locator("#form .problem")).to_contain_text(said, ignore_case=True)
    expect(page.locator("#form .go .label")).to_have_text("Generate")
    assert "secret" not in page.content()


def test_nothing_is_made_of_nothing_and_a_sentence_goes_when_it_is_no_longer_so(page):
    problem, planned = page.locator("#form .problem"), page.locator("#form .planned")
    page.click("#form .go")
    expect(problem).to_have_text("No picture is planted; drop a picture on the canvas.")
    page.click("#form .plan-for-me")
    expect(planned).to_contain_text("drop a picture")
    plant(page, prompt="")
    expect(problem).to_be_hidden()
    expect(planned).to_have_text("")
    page.click("#form .go")
    expect(problem).to_have_text("Nothing is written; say what should grow around the picture.")
    page.fill("#sow-prompt", "a man")
    expect(problem).to_be_hidden()


def go(page):
    page.click("#form .go")  # it says "Cancel" at once
    expect(page.locator("#form .go .label")).to_have_text("Generate")


def test_what_the_controls_say_is_what_is_wished(page, wishes):
    page.fill("#sow-prompt", "a man in a red coat")
    go(page)
    page.locator("#form .format").get_by_label("2:3").check(force=True)
    page.locator("#form .more-one").click()
    page.fill("#sow-seed", "7")
    page.locator("#sow-likeness").press("End")
    page.locator("#form .more summary").click()
    page.fill("#sow-negative", "a hat")
    page.select_option("#sow-setting", "style")
    page.select_option("#sow-preset", "cow")
    page.get_by_label("Explain each picture").check()
    go(page)
    assert wishes == [
        Wish("a man in a red coat"),
        Wish("a man in a red coat", "a hat", "style", 1.0, "cow", "2:3", seed=7, num=2,
             explain=True),
    ]  # fmt: skip


def test_the_die_keeps_a_seed_and_the_cross_forgets_it(page, wishes):
    page.click("#form .die")
    kept = int(page.input_value("#sow-seed"))
    go(page)
    page.click("#form .clear")
    go(page)
    assert [wish.seed for wish in wishes] == [kept, None]


def test_the_seed_that_is_shown_is_the_one_that_is_used(page, wishes):
    largest = 2**53 - 1
    for typed, used in ((10**10, 10**10), (10**20, largest)):
        page.fill("#sow-seed", str(typed))
        page.locator("#sow-seed").blur()
        expect(page.locator("#sow-seed")).to_have_value(str(used))
        go(page)
    assert [wish.seed for wish in wishes] == [10**10, largest]


@pytest.mark.parametrize(
    "said",
    [
        {"prompt": "x" * 100_000}, {"num": 1000}, {"num": "many"}, {"seed": -1}, {"likeness": 2},
        {"prompt": ["a"]}, "a man", [1], {"explain": "no, thank you"},
    ],
)  # fmt: skip
def test_what_no_page_would_say_is_refused(said):
    with pytest.raises(UsageError, match="reload"):
        wish_of(None, said)


def test_plan_for_me_by_rules_fills_in_the_prompt(page):
    plant(page)
    page.fill("#sow-prompt", "a king in a red coat")
    page.click("#form .plan-for-me")
    expect(page.locator("#form .planned")).to_contain_text("Planned by rules.")
    expect(page.locator("#sow-prompt")).to_have_value("a man in a red coat")


@pytest.fixture(scope="module")
def model_server():
    """A language model on this machine."""
    server = Server(reply=small)
    yield server
    server.close()


@pytest.fixture(scope="module")
def served_with_key(served, model_server, tmp_path_factory):
    """A page in whose environment a key is set."""
    with pytest.MonkeyPatch.context() as changes:
        changes.setenv("OPENAI_API_KEY", KEY)
        changes.setenv("OPENAI_BASE_URL", f"{model_server.address}/v1")
        for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
            changes.delenv(name, raising=False)
        with serve(served.studio.service, tmp_path_factory.mktemp("out"), port=0) as page:
            yield page


def test_a_language_model_is_sent_nothing_before_the_user_agrees(
    browser, served_with_key, model_server
):
    with visited(browser, served_with_key.url) as page:
        plant(page)
        page.fill("#sow-prompt", "an old man with an umbrella")
        page.click("#form .plan-for-me")
        who = page.locator("#form .who")
        expect(who).to_contain_text("openai (chat-latest) at 127.0.0.1")
        expect(who).to_contain_text("your prompt and the planted part of your picture")
        expect(who).to_be_focused()
        assert model_server.asked == []

        page.press("#sow-consent", "Escape")
        expect(page.locator("#form .consent")).to_be_hidden()
        page.click("#form .plan-for-me")
        page.get_by_role("button", name="Plan by rules").click()
        expect(page.locator("#form .planned")).to_contain_text("Planned by rules.")
        assert model_server.asked == []

        page.click("#form .plan-for-me")
        page.get_by_role("button", name="Send and plan").click()
        expect(page.locator("#form .planned")).to_contain_text("Planned by openai chat-latest")
        asked = len(model_server.asked)
        assert asked > 0
        page.click("#form .plan-for-me")  # the session remembers it
        expect(page.locator("#form .planned")).to_have_text("Planning …")
        expect(page.locator("#form .planned")).to_contain_text("Planned by openai")
        assert len(model_server.asked) > asked
        page.fill("#sow-prompt", "an old man with a hat")
        page.locator("#sow-prompt").blur()
        expect(page.locator("#form .planned")).to_contain_text("so it is planned by rules")
    with visited(browser, served_with_key.url) as page:  # another session is asked again
        plant(page)
        page.click("#form .plan-for-me")
        expect(page.locator("#form .who")).to_be_visible()


def test_dark_or_light_is_the_systems_until_it_is_chosen(browser, served):
    with visited(browser, served.url, color_scheme="dark") as page:
        button = page.get_by_role("button", name="Dark colours")
        expect(page.locator("body.dark")).to_have_count(1)
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        expect(page.locator("body.dark")).to_have_count(0)
        page.reload()
        expect(button).to_have_attribute("aria-pressed", "false")
        expect(page.locator("body.dark")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_ticked_looks_ticked(browser, served, scheme):
    with visited(browser, served.url, color_scheme=scheme) as page:
        page.locator("#form .more summary").click()
        box = page.locator("#form [name=explain]")
        box.check()
        box.blur()
        with Image.open(io.BytesIO(box.screenshot())) as shown:
            red, green, _ = np.moveaxis(np.asarray(shown.convert("RGB"), int), -1, 0)
        assert (green > red + 40).mean() > 0.5


@pytest.mark.parametrize("canvas", ["", "9:16", "3:2"])
def test_everything_begins_at_the_same_edge(browser, served, canvas):
    with visited(browser, served.url, **DESK) as page:
        plant(page)
        page.locator(f"#form [name=canvas][value='{canvas}']").check(force=True)
        expect(page.locator("#stage .wait")).to_be_hidden()
        edges = [
            page.locator(f"#{part}").bounding_box()["x"]
            for part in ("header h1", "stage .mat >> visible=true", "stage .source")
        ]
        assert max(edges) - min(edges) < 1
        page.set_input_files("#stage .other input", FACE.parent / "drawn-two.png")
        expect(page.locator("#stage .faces button")).to_have_count(2)
        rows = {box.bounding_box()["y"] for box in page.locator("#stage .numbers input").all()}
        assert len(rows) == 1


def test_on_a_phone_generate_is_within_reach_and_nothing_is_wider_than_the_screen(browser, served):
    with visited(browser, served.url, **PHONE) as page:
        plant(page)
        box = page.locator("#form .go").bounding_box()
        assert box["y"] > 844 * 0.75
        assert box["y"] + box["height"] <= 844
        page.locator("#form .more summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        too_small = page.evaluate(
            """() => [...document.querySelectorAll(':is(#form, #header) :is(button, select)')]
            .filter((e) => e.checkVisibility()).map((e) => [e.className, e.getBoundingClientRect()])
            .filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"""
        )
        assert too_small == []


def check_accessible(page, state):
    """Assert that axe-core finds nothing serious: light and dark on a desk, light on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = []
    for colours in ("light", "dark"):
        page.evaluate(
            """async (dark) => {
            document.body.classList.toggle('dark', dark);
            await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
            const changing = document.getAnimations().filter((one) => one instanceof CSSTransition);
            await Promise.allSettled(changing.map((one) => one.finished)); }""",
            colours == "dark",
        )
        # A phone has the same colours, and this is the slowest of these tests.
        for size in (DESK["viewport"], PHONE["viewport"])[: 2 if colours == "light" else 1]:
            page.set_viewport_size(size)
            for one in axe.run(page).response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    where = [node["html"][:200] for node in one["nodes"]]
                    found.append((state, colours, size["width"], one["id"], one["help"], where))
    page.set_viewport_size(DESK["viewport"])
    assert found == []


def test_axe_finds_nothing_serious(browser, served, gate):
    with visited(browser, served.url, reduced_motion="reduce") as page:
        check_accessible(page, "empty")
        page.click("#form .go")
        expect(page.locator("#form .problem")).to_be_visible()
        check_accessible(page, "a problem")
        plant(page)
        page.fill("#sow-prompt", "a king in a red coat")
        expect(page.locator("#form mark")).to_have_count(1)
        page.locator("#form .more summary").click()
        page.locator("#sow-likeness").press("End")
        page.click("#form .die")
        check_accessible(page, "planted, with more choices")
        page.click("#form .go")
        expect(page.locator("#form .progress")).to_be_visible()
        check_accessible(page, "making")
        gate.set()
        expect(page.locator("#form .said")).to_have_text("Done.")
        check_accessible(page, "made")
        page.locator("#look .grid button").first.click()
        page.locator("#viewer .explain .ask").click()
        expect(page.locator("#viewer .words li")).not_to_have_count(0)
        check_accessible(page, "a picture large, with what its words did")


def test_axe_finds_nothing_serious_in_the_question(browser, served_with_key):
    with visited(browser, served_with_key.url) as page:
        plant(page)
        page.click("#form .plan-for-me")
        page.locator("#form .exactly summary").click()
        check_accessible(page, "asks")


def test_the_whole_form_is_used_with_the_keyboard(page):
    """Tab goes through the controls in the order in which they are seen."""
    page.focus("#sow-prompt")
    seen = []
    for _ in range(11):
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert seen[0] == "sow-prompt"
    wanted = ["plain plan-for-me", "go", "less", "sow-num", "more-one", "sow-likeness", "sow-seed",
              "die"]  # fmt: skip
    assert [name for name in seen if name in wanted] == wanted
