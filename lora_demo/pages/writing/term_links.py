"""Where a page first uses a term of the glossary: found in the prose of a text, never in headings or links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lora_demo.pages.bank.glossary import Glossary, Term
from lora_demo.pages.bank.prose import GAP, HEADING, masked

_TABLE_HEAD = re.compile(r"^[ \t]*\|.*$(?=\n[ \t]*\|[-:| \t]+$)", re.MULTILINE)
# `masked` leaves a link's text and puts a gap where its target stood.
_LINK_TEXT = re.compile(rf"\[[^\[\]\n]*\](?={GAP})")
# A dot, hyphen, slash or underscore before a word makes it part of a name: memory.activations, lora_dropout.
_JOINS_BEFORE = frozenset("._-/")
_JOINS_AFTER = frozenset("_-/")


@dataclass(frozen=True)
class Use:
    """A term at ``text[start:end]``."""

    start: int
    end: int
    term: Term


def first_uses(text: str, lang: str, glossary: Glossary, seen: set[str]) -> list[Use]:
    """The first use of each term that `seen` lacks, in the order of the text; their ids are added to `seen`."""
    if not glossary.terms:
        return []
    plain = _linkable(text)
    lower = plain.lower() if len(plain.lower()) == len(plain) else plain
    found: dict[str, Use] = {}
    for form, term in glossary.by_form[lang]:
        within = lower if form == form.lower() else plain
        if form not in within:
            continue
        place = next(places(within, form), None)
        if place and term.id not in seen:
            found[term.id] = min(found.get(term.id, Use(*place, term)), Use(*place, term), key=_start)
        # What a longer form covers is no use of a shorter one.
        spans = [match.span() for match in re.finditer(re.escape(form), within)]
        plain, lower = _covered(plain, spans), _covered(lower, spans)
    seen |= set(found)
    return sorted(found.values(), key=_start)


def _start(use: Use) -> int:
    return use.start


def places(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Where `form` stands as a word of its own; an English plural s belongs to it."""
    at = text.find(form)
    while at >= 0:
        end = at + len(form)
        if _joins(form[-1]) and text[end : end + 1] == "s":
            end += 1
        if _free(text[at - 1 : at], form[0], _JOINS_BEFORE) and _free(text[end : end + 1], form[-1], _JOINS_AFTER):
            yield at, end
        at = text.find(form, at + 1)


def _joins(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _free(neighbour: str, edge: str, joining: frozenset[str]) -> bool:
    """Chinese needs no blank around a word; a Latin letter or digit must not go on."""
    return not _joins(edge) or not neighbour or not (_joins(neighbour) or neighbour in joining)


def _linkable(text: str) -> str:
    out = masked(text)
    for pattern in (HEADING, _TABLE_HEAD, _LINK_TEXT):
        out = pattern.sub(lambda match: GAP * len(match.group()), out)
    return out


def _covered(text: str, spans: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], GAP * (end - start)]
        at = end
    return "".join(parts) + text[at:]
