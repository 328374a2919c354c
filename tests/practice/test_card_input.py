"""Cards without a mouse: keys alone, a finger on a phone, and somebody who wants nothing to move."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.practice.visitor import PHONE, Visitor, counts, stored

pytestmark = pytest.mark.browser
# Buttons, and labels that are pressed instead of their hidden input.
TARGETS = "#practice :is(button, .chip, summary, label.button)"
SMALLEST = 36
HEIGHTS = """all => all.filter(one => one.checkVisibility())
    .map(one => [one.outerHTML.slice(0, 60), one.getBoundingClientRect().height])"""
OUTLINE = """() => {
  const found = document.activeElement, seen = found.matches(".chip input") ? found.nextSibling : found;
  const style = getComputedStyle(seen);
  return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
}"""


def tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{most} tabs never reach {selector}")


def test_a_session_with_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open("cards")
    tab_to(page, "[data-act=start]")
    page.keyboard.press("Enter")
    expect(page.locator(".card-title")).to_be_focused()
    page.keyboard.press("3")
    expect(page.locator(".card-back")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.locator("#card-answer")).to_be_focused()
    first = str(page.locator(".card").get_attribute("data-id"))
    page.keyboard.press("4")
    expect(page.locator(f".card[data-id='{first}']")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator(f".card[data-id='{first}'] .card-back")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator(f".card[data-id='{first}']")).to_have_count(0)
    # While one writes, digits and letters are text; Ctrl+Enter shows the answer.
    tab_to(page, ".own-answer")
    page.keyboard.type("u 1 2")
    expect(page.locator(".own-answer")).to_have_value("u 1 2")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".card-back")).to_be_visible()
    assert len(stored(page)["reviews"]) == 1
    tab_to(page, "[data-grade='1']")
    page.keyboard.press("Enter")
    expect(page.locator(".card-back")).to_have_count(0)
    assert [review["grade"] for review in stored(page)["reviews"] if review["id"] != first] == [1]


def test_what_has_the_focus_is_outlined(visitor: Visitor) -> None:
    page = visitor.open("cards")
    for selector in ("[data-act=start]", ".chip input[type=checkbox]", ".limits summary"):
        tab_to(page, selector)
        width = page.evaluate(OUTLINE)
        assert width >= 1, selector


def test_single_keys_can_be_switched_off(visitor: Visitor) -> None:
    page = visitor.open("cards")
    page.locator(".limits summary").click()
    page.locator("[name=keys]").uncheck()
    page.locator("[data-act=start]").click()
    page.keyboard.press("Space")
    expect(page.locator(".card-back")).to_have_count(0)
    visitor.again(page)
    page.locator(".card-go .primary").click()
    page.keyboard.press("4")
    page.locator("[data-act=stop]").click()
    expect(page.locator(".deck-head")).to_be_visible()
    assert stored(page)["reviews"] == []


def swipe(page: Page, by: tuple[int, int], release: bool = True) -> None:
    """A finger on the card's title pushes it; `by` in pixels."""
    # Below the theme's bar, wherever the page was scrolled to.
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    box = page.locator(".card-tags").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        point = {"x": x + by[0] * step / 8, "y": y + by[1] * step / 8}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    # The finger rests before it lifts: a page that still coasts swallows the next tap.
    for _ in range(3):
        page.wait_for_timeout(60)
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    if release:
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_on_a_phone_a_finger_is_enough(visitor: Visitor) -> None:
    page = visitor.open("cards", **PHONE)
    page.locator("[data-act=start]").tap()
    grades = {}
    for distance in (170, -170):
        page.locator(".card-go .primary").tap()
        expect(page.locator(".card-back")).to_be_visible()
        expect(page.locator(".hint-swipe")).to_be_visible()
        expect(page.locator(".hint-keys")).to_be_hidden()
        name = str(page.locator(".card").get_attribute("data-id"))
        swipe(page, (40, 0))
        swipe(page, (distance * 2 // 3, -80))
        assert name not in [review["id"] for review in stored(page)["reviews"]], "too short, or slanted"
        swipe(page, (distance, 0))
        expect(page.locator(f".card[data-id='{name}'] .card-back")).to_have_count(0)
        grades[name] = distance
    graded = {review["id"]: review["grade"] for review in stored(page)["reviews"]}
    assert graded == {name: 3 if distance > 0 else 1 for name, distance in grades.items()}
    page.locator("[data-act=undo]").tap()
    expect(page.locator(".card-back")).to_be_visible()
    page.locator("[data-grade='4']").tap()
    expect(page.locator(".card-back")).to_have_count(0)
    swipe(page, (200, 0))
    assert len(stored(page)["reviews"]) == 2, "a card is graded only after its answer was shown"


@pytest.mark.parametrize("name", ["cards", "interview", "progress", "calculator"])
def test_a_phone_shows_everything_in_reach_of_a_thumb(visitor: Visitor, name: str) -> None:
    """Both languages at 390 and 320 pixels: no sideways scrolling, nothing too small to hit."""
    for lang in ("zh", "en"):
        page = visitor.open(name, lang, **PHONE)
        sizes = page.locator(TARGETS).evaluate_all(HEIGHTS)
        assert len(sizes) >= 3
        assert [size for size in sizes if size[1] < SMALLEST] == []
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    if name == "cards":
        assert counts(page)["fresh"] == 10


def test_nothing_moves_for_those_who_want_it_still(visitor: Visitor) -> None:
    for motion, moves in (("reduce", False), ("no-preference", True)):
        page = visitor.open("cards", reduced_motion=motion, **PHONE)
        page.locator("[data-act=start]").tap()
        page.locator(".card-go .primary").tap()
        expect(page.locator(".card-back")).to_be_visible()
        swipe(page, (120, 0), release=False)
        expect(page.locator(".card")).to_have_attribute("data-pushed", "right")
        assert (page.locator(".card").evaluate("card => card.style.transform") != "") == moves
        assert (page.locator(".card").evaluate("card => getComputedStyle(card).transitionDuration") != "0s") == moves
