"""The deck opens in Anki's own library, and importing a newer one updates cards in place, progress kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lora_demo.pages.bank.content import load
from lora_demo.pages.study.decks import StudyCard, study_cards
from lora_demo.pages.study.decks_anki import DECK_NAMES, anki_package

anki = pytest.importorskip("anki.collection", reason="the anki package has no wheel for this machine")

ROOT = Path(__file__).resolve().parents[2]
MOMENT = 1_700_000_000


@pytest.fixture(scope="module")
def cards() -> dict[str, list[StudyCard]]:
    content = load(ROOT)
    return {lang: study_cards(content, lang) for lang in ("zh", "en")}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[anki.Collection]:
    opened = anki.Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def bring_in(collection: anki.Collection, tmp_path: Path, package: bytes, always: bool = False) -> None:
    """Import as Anki does when a deck is opened: newer notes replace older ones."""
    file = tmp_path / "deck.apkg"
    file.write_bytes(package)
    update = anki.ImportAnkiPackageOptions.DESCRIPTOR.fields_by_name["update_notes"].enum_type.values_by_name
    condition = next(v.number for name, v in update.items() if name.endswith("ALWAYS" if always else "IF_NEWER"))
    options = anki.ImportAnkiPackageOptions(update_notes=condition, update_notetypes=condition, with_scheduling=False)
    collection.import_anki_package(anki.ImportAnkiPackageRequest(package_path=str(file), options=options))


def notes(collection: anki.Collection) -> dict[str, anki.Note]:
    """Question id -> note."""
    found = [collection.get_note(note) for note in collection.find_notes("")]
    return {note.guid: note for note in found}


def test_the_deck_opens_with_every_card_and_its_tags(
    collection: anki.Collection, tmp_path: Path, cards: dict[str, list[StudyCard]]
) -> None:
    bring_in(collection, tmp_path, anki_package(cards["zh"], "zh", MOMENT, "https://example.org/"))
    found = notes(collection)
    assert set(found) == {card.question.id for card in cards["zh"]}
    assert len(collection.find_cards(f'deck:"{DECK_NAMES["zh"]}"')) == len(cards["zh"]) >= 50
    assert len(collection.find_notes("tag:level::senior")) == sum(
        card.question.meta.level == "senior" for card in cards["zh"]
    )
    for card in cards["zh"]:
        note = found[card.question.id]
        assert sorted(note.tags) == sorted(card.tags)
        front, back = note.cards()[0].question(), note.cards()[0].answer()
        assert card.question.title("zh") in front.replace("&lt;", "<").replace("&amp;", "&")
        assert note["SixtySeconds"] in back
        assert f"https://example.org/q/{card.question.meta.topic}/{card.question.slug}/" in back


def test_formulas_reach_mathjax(collection: anki.Collection, tmp_path: Path, cards: dict[str, list[StudyCard]]) -> None:
    card = cards["en"][0]
    text = "the update " + card.aside.take(r"\Delta W=BA", False)
    bring_in(collection, tmp_path, anki_package([replace(card, one_sentence=text)], "en", MOMENT))
    note = notes(collection)[card.question.id]
    assert note["OneSentence"] == r"<p>the update \(\Delta W=BA\)</p>"
    assert r"\(\Delta W=BA\)" in note.cards()[0].answer()


def test_a_newer_deck_updates_in_place_and_keeps_progress(
    collection: anki.Collection, tmp_path: Path, cards: dict[str, list[StudyCard]]
) -> None:
    bring_in(collection, tmp_path, anki_package(cards["zh"], "zh", MOMENT))
    before = {guid: (note.id, note.cards()[0].id) for guid, note in notes(collection).items()}
    studied = cards["zh"][3]
    learnt = notes(collection)[studied.question.id].cards()[0]
    collection.sched.set_due_date([learnt.id], "30")
    due = collection.get_card(learnt.id)

    changed = [replace(card, sixty="改过的答案") if card is studied else card for card in cards["zh"]]
    bring_in(collection, tmp_path, anki_package(changed[:-1], "zh", MOMENT + 60))
    after = {guid: (note.id, note.cards()[0].id) for guid, note in notes(collection).items()}
    # The last question left the deck: the reader's card stays.
    assert after == before
    assert collection.note_count() == collection.card_count() == len(cards["zh"])
    note = notes(collection)[studied.question.id]
    assert note["SixtySeconds"] == "<p>改过的答案</p>"
    now = note.cards()[0]
    assert (now.ivl, now.due, now.type, now.queue) == (due.ivl, due.due, due.type, due.queue)
    assert now.ivl == 30

    # An older deck brings nothing back.
    bring_in(collection, tmp_path, anki_package(cards["zh"], "zh", MOMENT + 30))
    assert notes(collection)[studied.question.id]["SixtySeconds"] == "<p>改过的答案</p>"


@pytest.mark.parametrize(("first", "second"), [("zh", "en"), ("en", "zh")])
def test_the_other_language_turns_the_same_cards_when_asked_to(
    collection: anki.Collection, tmp_path: Path, cards: dict[str, list[StudyCard]], first: str, second: str
) -> None:
    bring_in(collection, tmp_path, anki_package(cards[first], first, MOMENT))
    learnt = notes(collection)[cards[first][0].question.id].cards()[0]
    collection.sched.set_due_date([learnt.id], "30")
    bring_in(collection, tmp_path, anki_package(cards[second], second, MOMENT), always=True)
    assert collection.note_count() == collection.card_count() == len(cards[second])
    turned = notes(collection)
    assert {guid: note["SixtySeconds"] for guid, note in turned.items()} == {
        card.question.id: card.as_html(card.sixty) for card in cards[second]
    }
    assert collection.get_card(learnt.id).ivl == 30
