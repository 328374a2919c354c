"""The files that a reader can take along: the Anki deck and the CSV table of each language."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from lora_demo.pages.bank.content import Content
from lora_demo.pages.study.decks import study_cards
from lora_demo.pages.study.decks_anki import anki_package
from lora_demo.pages.study.decks_csv import csv_table

_LOCAL = ("127.0.0.1", "localhost", "0.0.0.0", None)


def deck_path(lang: str) -> str:
    """From the language's root."""
    return f"download/lora-interview-{lang}.apkg"


def table_path(lang: str) -> str:
    """From the language's root."""
    return f"download/lora-interview-{lang}.csv"


def download_files(content: Content, lang: str, site_url: str = "") -> dict[str, bytes]:
    """Path from the language's root -> bytes.

    site_url  where this language is published; an address of this machine is of no use on a card and is left out
    """
    cards = study_cards(content, lang)
    site = "" if urlsplit(site_url).hostname in _LOCAL else site_url.rstrip("/") + "/"
    return {
        deck_path(lang): anki_package(cards, lang, newest_change(content.root), site),
        table_path(lang): csv_table(cards),
    }


def newest_change(root: Path) -> int:
    """When the content last changed, in seconds since 1970; `SOURCE_DATE_EPOCH` says it for a reproducible build."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    files = [*(root / "qa" / "questions").rglob("*.md"), root / "qa" / "topics.yaml", root / "qa" / "figures.json"]
    return max(int(file.stat().st_mtime) for file in files if file.is_file())
