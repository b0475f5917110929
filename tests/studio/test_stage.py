"""The stage in a real browser: what is shown on the screen is what the server plants."""

from __future__ import annotations

import time

import pytest
from brought import as_bytes, as_url, heads, shapes, side_by_side
from browsing import expect

SIZES = {"phone": (390, 844), "laptop": (1280, 800), "large": (1920, 1200)}
FORMATS = {"": (128, 128), "3:2": (160, 96), "9:16": (96, 160)}


@pytest.fixture
def visit(browser, served):
    """Opens the page in a window of a size, and returns it with its `session` of the server."""
    contexts, wrong = [], []

    def open_page(size="laptop", **how):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        known = set(served.studio.sessions._sessions)
        page.goto(served.url)
        page.locator("#stage .example").first.wait_for()
        page.session = lambda: next(
            one for key, one in served.studio.sessions._sessions.items() if key not in known
        )
        page.plan = lambda: served.studio.placed_plan(page.session())
        page.mask = lambda: served.studio.condition(page.session()).mask
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def bring(page, image, name="somebody.png", **how):
    page.locator("#stage .file").first.set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": as_bytes(image, **how)}
    )
    page.locator("#stage .piece").wait_for()
    page.locator("#stage .piece canvas[data-drawn]").wait_for()


def choose_format(page, shape):
    page.locator(f'#form [name=canvas][value="{shape}"]').check(force=True)


def numbers(box):
    return [box.x, box.y, box.width, box.height]


def until(holds):
    """Waits until something of the server is so."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.05)
    assert holds()


def shown(page, selector=".piece"):
    """Where something is on the screen, in canvas pixels."""
    return page.evaluate(
        """([selector, canvas]) => {
          const sheet = document.querySelector(".sheet").getBoundingClientRect();
          const rect = document.querySelector("#stage " + selector)?.getBoundingClientRect();
          if (!rect) return [-9, -9, -9, -9]; // not yet
          const scale = canvas / sheet.width;
          return [(rect.x - sheet.x) * scale, (rect.y - sheet.y) * scale, rect.width * scale,
                  rect.height * scale];
        }""",
        [selector, page.plan().canvas[0]],
    )


def is_where_it_is_shown(page):
    def off(box, selector):
        return max(abs(a - b) for a, b in zip(numbers(box), shown(page, selector), strict=True))

    plan = page.plan()
    boxes = [(plan.box, ".piece")]
    boxes += [(r.box, f".region:nth-child({n + 1})") for n, r in enumerate(plan.related)]
    return max(off(box, selector) for box, selector in boxes) < 1


def middle(page, selector=".piece"):
    there = page.locator(f"#stage {selector}").first
    there.evaluate("node => node.scrollIntoView({ block: 'center' })")
    rect = there.bounding_box()
    return rect["x"] + rect["width"] / 2, rect["y"] + rect["height"] / 2


def drag(page, start, by):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2)
    page.mouse.move(start[0] + by[0], start[1] + by[1])
    page.mouse.up()


def touch(page, start, by):
    """The same with a finger."""
    session = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", start)
    for part in (0.3, 0.7, 1):
        send("touchMove", (start[0] + part * by[0], start[1] + part * by[1]))
    send("touchEnd")


@pytest.mark.parametrize("size", SIZES)
def test_a_dragged_box_comes_back_within_a_pixel(visit, size):
    page = visit(size)
    bring(page, side_by_side(2))
    for shape, canvas in FORMATS.items():
        choose_format(page, shape)
        until(lambda canvas=canvas: page.session().plan.canvas == canvas)
        until(lambda: is_where_it_is_shown(page))
        before = page.plan().box
        drag(page, middle(page), (-31, 47))
        until(lambda before=before: page.plan().box != before)
        until(lambda: is_where_it_is_shown(page))
        before = page.plan().box
        drag(page, middle(page, '.piece [data-corner="se"]'), (33, 40))
        until(lambda before=before: page.plan().box != before)
        until(lambda: is_where_it_is_shown(page))
        box = page.plan().box
        assert numbers(box)[:2] == numbers(before)[:2]
        assert box.width == box.height > before.width
        assert all(number % 8 == 0 for number in numbers(box))
        fields = [page.locator(f"#stage .numbers [name={name}]").input_value()
                  for name in ("x", "y", "width", "height")]  # fmt: skip
        assert [int(field) for field in fields] == numbers(box)


@pytest.mark.parametrize("corner", ["nw", "ne", "sw", "se"])
def test_a_corner_cannot_leave_the_canvas_and_keeps_the_shape(visit, corner):
    page = visit()
    bring(page, heads()[0])
    before = page.plan().box
    away = (-900 if "w" in corner else 900, -900 if "n" in corner else 900)
    drag(page, middle(page, f'.piece [data-corner="{corner}"]'), away)
    until(lambda: page.plan().box != before)
    box = page.plan().box
    assert box.is_inside((128, 128))
    assert box.width == box.height
    opposite = {"nw": (box.right, box.bottom), "ne": (box.x, box.bottom),
                "sw": (box.right, box.y), "se": (box.x, box.y)}  # fmt: skip
    kept = {"nw": (before.right, before.bottom), "ne": (before.x, before.bottom),
            "sw": (before.right, before.y), "se": (before.x, before.y)}  # fmt: skip
    assert opposite[corner] == kept[corner]
    assert page.locator("#stage .hint").is_visible() == (max(box.width, box.height) > 72)
    until(lambda: is_where_it_is_shown(page))


def test_keys_move_and_resize_it(visit):
    page = visit()
    bring(page, heads()[0])
    x, y, width, height = numbers(page.plan().box)
    page.locator("#stage .piece").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    until(lambda: numbers(page.plan().box) == [x - 16, y + 8, width, height])
    said = f"Piece at {x - 16}, {y + 8}, {width} by {height} pixels"
    expect(page.locator("#stage .said")).to_have_text(said)
    page.keyboard.press("-")
    page.keyboard.press("Shift+ArrowLeft")
    until(lambda: page.plan().box.width == width - 16)
    page.keyboard.press("+")
    until(lambda: page.plan().box.width == width - 8)
    until(lambda: is_where_it_is_shown(page))
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    until(lambda: page.plan().box.y == 0)


def test_a_finger_moves_and_resizes_it(visit):
    page = visit("phone", has_touch=True, is_mobile=True)
    bring(page, heads()[0])
    before = page.plan().box
    touch(page, middle(page), (-60, 40))
    until(lambda: page.plan().box.x < before.x and page.plan().box.y > before.y)
    until(lambda: is_where_it_is_shown(page))
    before = page.plan().box
    touch(page, middle(page, '.piece [data-corner="se"]'), (60, 60))
    until(lambda: page.plan().box.width > before.width)
    assert numbers(page.plan().box)[:2] == numbers(before)[:2]
    until(lambda: is_where_it_is_shown(page))


def test_a_late_answer_does_not_pull_it_from_under_the_hand(visit, served, monkeypatch):
    page = visit()
    bring(page, heads()[0])
    answered, place = [], served.studio.place

    def slowly(session, placing):
        time.sleep(0.5)
        place(session, placing)
        answered.append(placing)

    monkeypatch.setattr(served.studio, "place", slowly)
    drag(page, middle(page), (-80, 0))
    start = middle(page)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0], start[1] + 120, steps=4)
    held = shown(page)
    until(lambda: answered)
    page.wait_for_timeout(300)
    assert shown(page) == held
    page.mouse.up()
    until(lambda: len(answered) == 2)
    until(lambda: is_where_it_is_shown(page))
    assert shown(page) == held


def test_numbers_are_typed(visit):
    page = visit()
    bring(page, heads()[0])
    for name, typed, expected in (("x", "-5", 0), ("y", "13", 16), ("width", "43", 40),
                                  ("height", "100", 104), ("x", "900", 24),
                                  ("width", "9999", 128)):  # fmt: skip
        field = page.locator(f"#stage .numbers [name={name}]")
        field.fill(typed)
        field.press("Enter")
        until(lambda name=name, expected=expected: getattr(page.plan().box, name) == expected)
        expect(field).to_have_value(str(expected))
    until(lambda: is_where_it_is_shown(page))


def test_an_answer_does_not_replace_a_number_that_is_being_written(visit):
    page = visit()
    bring(page, heads()[0])
    page.locator("#stage .numbers [name=y]").fill("40")
    before = page.locator("#stage .numbers [name=x]").input_value()
    # The piece moves and the server answers, before the number is entered.
    page.locator("#stage .piece").dispatch_event("keydown", {"key": "ArrowLeft"})
    until(lambda: page.session().placing.box is not None)
    expect(page.locator("#stage .numbers [name=y]")).to_have_value("40")
    expect(page.locator("#stage .numbers [name=x]")).not_to_have_value(before)
    page.locator("#stage .numbers [name=y]").press("Enter")
    until(lambda: page.plan().box.y == 40)


def test_a_region_follows_until_it_is_touched(visit):
    page = visit()
    bring(page, heads()[0])
    (before,) = page.plan().related
    page.locator("#stage .piece").focus()
    page.keyboard.press("ArrowDown")
    until(lambda: page.plan().related[0].box.y == before.box.y + 8)
    until(lambda: is_where_it_is_shown(page))
    region = page.locator("#stage .region").bounding_box()
    drag(page, (region["x"] + 20, region["y"] + region["height"] - 30), (30, -60))
    until(lambda: page.session().placing.regions)
    touched = page.plan().related[0].box
    until(lambda: is_where_it_is_shown(page))
    page.locator("#stage .piece").focus()
    page.keyboard.press("ArrowUp")
    until(lambda: page.plan().box.y == before.box.y - 56)
    assert page.plan().related[0].box == touched
    page.locator("#stage .region").focus()
    page.keyboard.press("Shift+ArrowLeft")
    until(lambda: page.plan().related[0].box.width == touched.width - 8)
    until(lambda: is_where_it_is_shown(page))


def test_what_is_shown_is_what_is_made_and_placing_can_go_on(visit, served):
    page = visit()
    page.locator("#stage .example").nth(1).click()
    page.locator("#stage .piece canvas[data-drawn]").wait_for()
    expect(page.locator("#form [name=prompt]")).to_have_value("a man in a red coat in a forest")
    drag(page, middle(page), (-90, 120))
    where = shown(page)
    page.locator("#form .go").click()  # at once: the server may not have heard of the move
    page.locator("#stage .again").wait_for(timeout=60_000)
    made = numbers(served.studio.pictures(page.session())[0].recipe.plan.box)
    assert max(abs(a - b) for a, b in zip(made, where, strict=True)) < 1
    assert not page.locator("#stage .piece").is_visible()
    assert page.locator("#stage .shown").get_attribute("src").startswith("data:image/png")
    page.locator("#stage .again").click()
    expect(page.locator("#stage .piece")).to_be_visible()
    assert max(abs(a - b) for a, b in zip(shown(page), where, strict=True)) < 1


def test_of_formats_that_are_chosen_at_once_the_last_one_counts(visit):
    page = visit()
    bring(page, heads()[0])
    for shape in ("3:2", "2:3", "9:16", ""):
        choose_format(page, shape)
    choose_format(page, "3:2")
    until(lambda: page.plan().canvas == FORMATS["3:2"])
    until(lambda: is_where_it_is_shown(page))


def test_a_face_is_chosen_by_click_and_by_key_or_all_of_it(visit):
    page = visit()
    bring(page, side_by_side(5))
    faces = page.locator("#stage .faces button")
    expect(faces).to_have_count(5)
    expect(page.locator("#stage .notes")).to_contain_text("5 faces were found")
    for index, act in ((3, "click"), (2, "press")):
        if act == "click":
            faces.nth(index).click()
        else:
            faces.nth(index).focus()
            page.keyboard.press("Enter")
        until(lambda index=index: page.session().face_index == index and page.session().plan)
        expect(faces.nth(index)).to_have_attribute("aria-pressed", "true")
    page.locator("#stage .all").click()
    until(lambda: page.session().whole and page.session().plan)
    expect(page.locator("#stage .all")).to_have_attribute("aria-pressed", "true")
    until(lambda: is_where_it_is_shown(page))
    assert page.plan().box.width > page.plan().box.height


def test_painting_changes_the_mask_that_is_planted(visit):
    page = visit()
    bring(page, heads()[0])
    before = page.mask().tobytes()
    page.locator("#stage .brush").click()
    page.locator("#stage .painter .remove").click()
    veil = page.locator("#stage .veil").bounding_box()
    start = (veil["x"] + 0.2 * veil["width"], veil["y"] + veil["height"] / 2)
    drag(page, start, (0.6 * veil["width"], 0))
    page.locator("#stage .undo").click()
    expect(page.locator("#stage .undo")).to_be_disabled()
    drag(page, start, (0.6 * veil["width"], 0))
    page.locator("#stage .painter .done").click()
    until(lambda: page.session().mask is not None)
    mask = page.mask()
    row = [mask.getpixel((x, mask.height // 2)) for x in range(mask.width)]
    assert max(row[mask.width // 4 : 3 * mask.width // 4]) == 0
    assert mask.getpixel((mask.width // 2, mask.height // 3)) == 255
    expect(page.locator("#stage .piece canvas[data-drawn=painted]")).to_be_visible()
    pixel = page.evaluate(
        """() => { const canvas = document.querySelector(".piece canvas");
        return canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1)
          .data[3]; }"""
    )
    assert pixel == 0
    page.locator("#stage .brush").click()
    page.locator("#stage .reset").click()
    until(lambda: page.session().mask is None)
    assert page.mask().tobytes() == before


def test_a_finger_paints(visit):
    page = visit("phone", has_touch=True, is_mobile=True)
    bring(page, heads()[0])
    page.locator("#stage .brush").click()
    middle(page, ".veil")
    veil = page.locator("#stage .veil").bounding_box()
    touch(page, (veil["x"] + 12, veil["y"] + 12), (120, 0))
    page.locator("#stage .painter .done").click()
    until(lambda: page.session().mask is not None)
    assert page.mask().getpixel((8, 2)) > 250


def test_keys_paint(visit):
    page = visit()
    bring(page, heads()[0])
    page.locator("#stage .brush").click()
    page.locator("#stage .painter .remove").click()
    page.locator("#stage .veil").focus()
    page.keyboard.press(" ")
    page.locator("#stage .painter .done").click()
    until(lambda: page.session().mask is not None)
    mask = page.mask()
    assert mask.getpixel((mask.width // 2, mask.height // 2)) == 0
    assert mask.getpixel((mask.width // 2, mask.height // 3)) == 255


def test_paste_and_drop_bring_a_picture(visit):
    page = visit()
    put = """([kind, url, target]) => fetch(url).then((got) => got.blob()).then((blob) => {
      const data = new DataTransfer();
      data.items.add(new File([blob], "it.png", { type: "image/png" }));
      const how = { bubbles: true, cancelable: true };
      document.querySelector(target).dispatchEvent(kind === "paste"
        ? new ClipboardEvent("paste", { ...how, clipboardData: data })
        : new DragEvent("drop", { ...how, dataTransfer: data }));
    })"""
    page.evaluate(put, ["paste", as_url(heads()[0]), "body"])
    page.locator("#stage .piece canvas[data-drawn]").wait_for()
    assert page.session().name == "it.png"
    assert len(page.session().faces) == 1
    page.evaluate(put, ["drop", as_url(side_by_side(2)), "#form"])
    expect(page.locator("#stage .faces button")).to_have_count(2)


def test_what_cannot_be_used_is_one_sentence_and_the_page_goes_on(visit):
    page = visit()
    file = page.locator("#stage .file").first
    for data in (b"hello", as_bytes(heads()[0])[:3000], b""):
        file.set_input_files({"name": "<b>x.png", "mimeType": "image/png", "buffer": data})
        expect(page.locator("#stage .problem.first")).to_be_visible()
        said = page.locator("#stage .problem.first").inner_text()
        assert said.count("\n") == 0
        assert said.endswith(".")
        page.evaluate("document.querySelector('.problem.first').hidden = true")
    bring(page, heads()[0])
    assert not page.locator("#stage .work .problem").is_visible()
    page.locator("#stage .other .file").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": b"hello"}
    )
    expect(page.locator("#stage .work .problem")).to_contain_text("not a picture")
    expect(page.locator("#stage .piece")).to_be_visible()


def test_a_blank_picture_and_one_without_a_face_have_a_choice(visit):
    from PIL import Image

    page = visit()
    page.locator("#stage .file").first.set_input_files({
        "name": "x.png", "mimeType": "image/png",
        "buffer": as_bytes(Image.new("RGB", (90, 60), (90, 20, 20))),
    })  # fmt: skip
    expect(page.locator("#stage .work .problem")).to_contain_text("The picture is blank")
    page.locator("#stage .all").click()
    page.locator("#stage .piece canvas[data-drawn]").wait_for()
    expect(page.locator("#stage .work .problem")).to_be_hidden()
    page.locator("#stage .other .file").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": as_bytes(shapes())}
    )
    expect(page.locator("#stage .notes")).to_contain_text("No face was found")
    page.locator("#stage .turn").click()
    until(lambda: page.session().picture.size == (160, 200))


def test_the_camera_is_asked_only_when_it_is_clicked(visit):
    page = visit()
    page.evaluate("""() => {
      window.asked = 0;
      navigator.mediaDevices.getUserMedia = async () => {
        window.asked += 1;
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [320, 240];
        const pen = canvas.getContext("2d");
        setInterval(() => {
          pen.fillStyle = "#c33"; pen.fillRect(0, 0, 320, 240);
          pen.fillStyle = "#36c"; pen.fillRect(60, 60, 90, 90);
        }, 30);
        return canvas.captureStream(20);
      };
    }""")
    assert page.evaluate("window.asked") == 0
    page.locator("#stage .take").click()
    expect(page.locator("#stage .camera video")).to_be_visible()
    assert page.evaluate("window.asked") == 1
    page.wait_for_function("document.querySelector('.camera video').videoWidth > 0")
    page.locator("#stage .shot").click()
    page.locator("#stage .piece canvas[data-drawn]").wait_for()
    assert page.session().picture.size == (320, 240)
