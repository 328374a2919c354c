"""A session of cards in a real browser: grading, undo, reload, the other language, limits, the next days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.practice.visitor import MONDAY, READY, Visitor, counts, page_path, stored

pytestmark = pytest.mark.browser


def begin(page: Page) -> None:
    page.locator("[data-act=start]").click()


def reveal(page: Page) -> None:
    page.locator(".card-go .primary").click()
    expect(page.locator(".card-back")).to_be_visible()


def saved(page: Page, name: str, value: int) -> None:
    """Wait until a setting is in the store: a reload in the very moment of a change may still drop it."""
    for _ in range(200):
        if {"name": name, "value": value} in stored(page)["settings"]:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{name}={value} was never stored: {stored(page)['settings']}")


def grade(page: Page, number: int) -> str:
    """Grade the open card and wait until the next one (or the summary) is there; the card's question id."""
    name = shown(page)
    page.locator(f"[data-grade='{number}']").click()
    expect(page.locator(f".card[data-id='{name}'] .card-back")).to_have_count(0)
    return name


def shown(page: Page) -> str:
    return str(page.locator(".card").get_attribute("data-id"))


def tomorrow(page: Page, visitor: Visitor, days: int) -> None:
    page.clock.set_fixed_time(MONDAY + timedelta(days=days))
    visitor.again(page)


def test_a_whole_session(visitor: Visitor) -> None:
    """Ten new cards, every grade, what the buttons promise is what is stored, and the days after."""
    page = visitor.profile().new_page()
    page.clock.set_fixed_time(MONDAY)
    visitor.go(page, page_path("cards"))
    assert counts(page) == {"due": 0, "learning": 0, "fresh": 10}
    begin(page)
    expect(page.locator(".card-title")).to_be_focused()
    expect(page.locator(".card-back")).to_have_count(0)
    seen = []
    for number in (1, 2, 3, 4, 4, 4, 4, 4, 4, 4):
        reveal(page)
        assert page.locator(".grade").count() == 4
        assert page.locator(".card-back .answer.sixty-seconds").inner_text()
        assert page.locator(".card-back .rubric li").count() >= 3
        promised = page.locator(".grade small").all_inner_texts()
        seen.append((grade(page, number), promised[number - 1]))
    assert [said for _, said in seen[:4]] == ["1 分钟", "6 分钟", "10 分钟", "8 天"]
    cards = {card["id"]: card for card in stored(page)["cards"]}
    assert [round((cards[name]["due"] - cards[name]["last"]) / 60_000) for name, _ in seen[:4]] == [1, 6, 10, 11520]
    # Nothing else is left, so the cards in their steps come up early, the first due first.
    assert shown(page) == seen[0][0]
    for _ in range(3):
        reveal(page)
        grade(page, 4)
    expect(page.locator(".summary")).to_contain_text("答了 13 次")
    expect(page.locator(".summary")).to_contain_text("忘了 1 次")
    page.locator("[data-act=back]").click()
    expect(page.locator(".deck-message")).to_contain_text("今天该练的都练完了")
    after = stored(page)
    assert len(after["reviews"]) == 13

    for days in (1, 8):
        tomorrow(page, visitor, days)
        due = sum(card["days"] <= days for card in after["cards"])
        assert counts(page) == {"due": due, "learning": 0, "fresh": 10}
    assert due >= 7
    begin(page)
    # Known cards come before new ones, and each grade leads further away.
    reveal(page)
    days = [int(text.split()[0]) for text in page.locator(".grade small").all_inner_texts()[1:] if "天" in text]
    assert len(days) == 3
    assert days == sorted(set(days))


def test_undo_takes_back_one_grade_after_another_even_the_last(visitor: Visitor) -> None:
    page = visitor.open("cards")
    begin(page)
    first = shown(page)
    expect(page.locator("[data-act=undo]")).to_be_disabled()
    graded = []
    for number in (4, 1):
        reveal(page)
        graded.append(grade(page, number))
    page.locator("[data-act=stop]").click()
    expect(page.locator(".summary")).to_contain_text("答了 2 次")
    page.locator("[data-act=undo]").click()
    expect(page.locator(f".card[data-id='{graded[1]}'] .card-back")).to_be_visible()
    assert [card["id"] for card in stored(page)["cards"]] == [first]
    page.locator("[data-act=undo]").click()
    expect(page.locator(f".card[data-id='{first}'] .card-back")).to_be_visible()
    assert stored(page)["cards"] == stored(page)["reviews"] == []
    assert counts(page) == {"due": 0, "learning": 0, "fresh": 10}


def test_reload_and_the_other_language_keep_the_session(visitor: Visitor) -> None:
    """What was typed, ticked and revealed; and progress, which belongs to the question and not to its language."""
    page = visitor.open("cards")
    begin(page)
    reveal(page)
    first = grade(page, 4)
    name, chinese = shown(page), page.locator(".card-title").inner_text()
    page.locator(".own-answer").fill("冻结 W，只训 <b>A、B</b>")
    reveal(page)
    page.locator(".rubric input").nth(1).check()
    visitor.again(page)
    assert shown(page) == name
    page.locator(".language-switch").click()
    page.wait_for_url("**/en/practice/cards/")
    page.wait_for_selector(READY)
    assert shown(page) == name
    assert page.locator(".card-title").inner_text() != chinese
    expect(page.locator(".own-answer")).to_have_value("冻结 W，只训 <b>A、B</b>")
    expect(page.locator(".rubric input").nth(1)).to_be_checked()
    assert page.locator(".grade b").all_inner_texts() == ["Again", "Hard", "Good", "Easy"]
    grade(page, 3)
    assert {card["id"] for card in stored(page)["cards"]} == {first, name}
    # The round's first grade, given in Chinese, can still be taken back.
    for _ in range(2):
        page.locator("[data-act=undo]").click()
        expect(page.locator(".card-back")).to_be_visible()
    expect(page.locator(f".card[data-id='{first}']")).to_be_visible()


def test_decks_by_topic_level_and_how_often_asked(visitor: Visitor) -> None:
    page = visitor.open("cards", "en")
    bank = {
        question["id"]: question
        for question in page.evaluate("fetch('../../../app/questions.en.json').then(r => r.json())")["questions"]
    }
    page.locator(".limits summary").click()
    page.locator("[name=fresh]").fill("999")
    page.locator("[name=fresh]").press("Tab")
    expect(page.locator(".limits")).to_be_visible()
    for choice in ("memory", "math", "senior"):
        page.locator(f".chip:has(input[value={choice}])").click()
    page.locator(".chip:has(input[name=asked][value='1'])").click()

    def fits(question: dict) -> bool:
        return question["topic"] in ("memory", "math") and question["level"] == "senior" and question["asked"] >= 1

    wanted = [name for name, question in bank.items() if fits(question)]
    assert 1 <= len(wanted) < len(bank)
    visitor.again(page)
    assert counts(page)["fresh"] == len(wanted)
    begin(page)
    assert shown(page) == wanted[0], "the most asked first"
    # A link to one topic's deck, as the report of an interview gives it.
    page.evaluate("sessionStorage.clear()")
    visitor.go(page, page_path("cards", "en") + "?topics=vlm,<b>")
    assert page.url.endswith("/cards/")
    assert counts(page)["fresh"] == sum(question["topic"] == "vlm" for question in bank.values())
    # An impossible combination says so.
    page.locator(".chip:has(input[value=junior])").click()
    page.locator(".chip:has(input[name=asked][value='6'])").click()
    expect(page.locator(".deck-message")).to_contain_text("No question in this deck")
    expect(page.locator("[data-act=start]")).to_have_count(0)


def test_the_daily_limit_holds_and_can_be_lifted(visitor: Visitor) -> None:
    page = visitor.open("cards")
    page.locator(".limits summary").click()
    page.locator("[name=fresh]").fill("2")
    page.locator("[name=fresh]").press("Tab")
    saved(page, "fresh", 2)
    visitor.again(page)
    assert counts(page)["fresh"] == 2
    begin(page)
    for _ in range(2):
        reveal(page)
        grade(page, 4)
    page.locator("[data-act=back]").click()
    expect(page.locator("[data-act=start]")).to_have_count(0)
    page.locator("[data-act=more]").click()
    assert counts(page)["fresh"] == 5
    # A number that makes no sense changes nothing.
    page.locator(".limits summary").click()
    page.locator("[name=fresh]").fill("-3")
    page.locator("[name=fresh]").press("Tab")
    visitor.again(page)
    page.locator(".limits summary").click()
    expect(page.locator("[name=fresh]")).to_have_value("2")


def test_the_evening_before_gives_twenty_in_a_row(visitor: Visitor) -> None:
    page = visitor.open("cards")
    page.locator(".chip:has(input[value=vlm])").click()
    page.locator("[data-act=tonight]").click()
    assert counts(page) == {"due": 0, "learning": 0, "fresh": 20}
    most_asked = page.evaluate("fetch('../../app/questions.zh.json').then(r => r.json())")["questions"][0]
    assert shown(page) == most_asked["id"]
    visitor.again(page)
    assert counts(page)["fresh"] == 20
