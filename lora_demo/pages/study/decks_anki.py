"""The Anki deck of one language as the bytes of an `.apkg` file.

A note's GUID is the question's id and the ids of deck and note type never change, so importing a newer deck updates
the notes in place and keeps their scheduling. Both languages share the note type: importing the other language's deck
turns the same cards into that language.

Anki takes a note over only if it is newer than its own, hence `moment`: the time of the newest change in the content,
not of the build. The same content gives the same bytes (ZIP entries and database rows carry fixed dates).
"""

from __future__ import annotations

import html
import io
import itertools
import sqlite3
import zipfile

import genanki

from lora_demo.pages.bank.language import KINDS, LANGUAGES, LEVELS
from lora_demo.pages.study.decks import StudyCard, rubric_lines
from lora_demo.pages.writing.words import word

# Drawn once at random, as genanki asks for; a new value would double every card in the readers' collections.
NOTE_TYPE_ID = 1_607_392_319
DECK_IDS = {"zh": 2_059_400_110, "en": 2_059_400_111}
DECK_NAMES = {"zh": "LoRA 面试手册", "en": "LoRA Interview Handbook"}
FIELDS = ("Question", "Facts", "OneSentence", "SixtySeconds", "Rubric", "Page", "Id")
FRONT = '<div class="question">{{Question}}</div><div class="facts">{{Facts}}</div>'
BACK = """{{FrontSide}}<hr id="answer"><div class="sentence">{{OneSentence}}</div>
<div class="sixty">{{SixtySeconds}}</div><div class="rubric">{{Rubric}}</div><div class="facts">{{Page}}</div>"""
CSS = """.card { max-width: 40em; margin: 1em auto; padding: 0 1em; font-family: system-ui, sans-serif; font-size: 18px;
  line-height: 1.7; text-align: left; color: #23282b; background: #fbf9f4; }
.question { font-size: 1.25em; font-weight: 600; }
.facts { color: #545c60; font-size: .8em; }
.sentence { font-weight: 600; }
.sixty { margin: 1em 0; padding-left: .9em; border-left: 3px solid #a63f25; }
.rubric { font-size: .9em; }
.nightMode.card { color: #dcdad3; background: #16191b; }
.nightMode .facts { color: #a5a9a6; }
.nightMode .sixty { border-color: #eba28b; }
"""
# The oldest date a ZIP can hold.
_DATE = (1980, 1, 1, 0, 0, 0)


def anki_package(cards: list[StudyCard], lang: str, moment: int, site: str = "") -> bytes:
    """The deck of `cards`.

    moment  seconds since 1970 of the newest change in the content
    site    the published site's address in this language, ending in a slash; "" leaves the links out
    """
    # Of two notes of one moment Anki keeps its own even when told to take over all: the languages must differ.
    moment += LANGUAGES.index(lang)
    deck = genanki.Deck(DECK_IDS[lang], DECK_NAMES[lang])
    note_type = _note_type()
    for place, card in enumerate(cards):
        deck.add_note(_note(card, note_type, place, site))
    return _zipped(_database(deck, moment))


def _note_type() -> genanki.Model:
    return genanki.Model(
        NOTE_TYPE_ID,
        "LoRA Interview Handbook",
        fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Card", "qfmt": FRONT, "afmt": BACK}],
        css=CSS,
    )


def _note(card: StudyCard, note_type: genanki.Model, place: int, site: str) -> genanki.Note:
    question, title = card.question, html.escape(card.question.title(card.lang), quote=False)
    url = f"{site}{question.page.removesuffix('.md')}/"
    fields = {
        "Question": title,
        "Facts": _facts(card),
        "OneSentence": card.as_html(card.one_sentence),
        "SixtySeconds": card.as_html(card.sixty),
        "Rubric": _rubric(card),
        "Page": f'<a href="{html.escape(url)}">{html.escape(url)}</a>' if site else "",
        "Id": question.id,
    }
    values = [fields[name] for name in FIELDS]
    return genanki.Note(note_type, values, guid=question.id, tags=card.tags, sort_field=title, due=place)


def _facts(card: StudyCard) -> str:
    meta, lang = card.question.meta, card.lang
    asked = word(lang, "asked", n=meta.asked.lists) if meta.asked.lists else word(lang, "not asked")
    facts = (card.topic_title, LEVELS[lang][meta.level], KINDS[lang][meta.kind], asked)
    return html.escape(word(lang, "joint").join(facts), quote=False)


def _rubric(card: StudyCard) -> str:
    return card.as_html("\n".join(f"- *{level}* {text}" for level, text in rubric_lines(card)))


def _database(deck: genanki.Deck, moment: int) -> bytes:
    connection = sqlite3.connect(":memory:")
    try:
        # Ids count up from the moment, as Anki's own do.
        genanki.Package(deck).write_to_db(connection.cursor(), moment, itertools.count(moment * 1000))
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


def _zipped(collection: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in (("collection.anki2", collection), ("media", b"{}")):
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
