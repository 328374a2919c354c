"""TeX between dollars -> MathML inside a span, so that the page needs no script and Markdown leaves it alone."""

from __future__ import annotations

import re
from functools import lru_cache

from latex2mathml.converter import convert

_TEXT_NODE = re.compile(r">([^<]*)<")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!|~^=:/']")


class BadMath(ValueError):
    """TeX that cannot be converted; the message quotes it."""


@lru_cache(maxsize=4096)
def to_mathml(tex: str, display: bool) -> str:
    """One line of inline HTML. A display formula is a span too: a block tag would end a list item."""
    try:
        markup = convert(tex.strip(), display="block" if display else "inline")
    except Exception as error:
        # latex2mathml raises many unrelated types, IndexError among them; each means the same to the author.
        raise BadMath(f"cannot read the formula `{tex.strip()}`: {type(error).__name__} {error}") from error
    safe = _TEXT_NODE.sub(lambda m: ">" + _escape(m.group(1)) + "<", markup.replace("\n", " "))
    kind = "math math-block" if display else "math"
    return f'<span class="{kind}">{safe}</span>'


def _escape(text: str) -> str:
    """Markdown's own characters as entities; entities that are there stay."""
    parts = re.split(r"(&[#\w]+;)", text)
    return "".join(p if i % 2 else _MARKDOWN.sub(lambda m: f"&#{ord(m.group())};", p) for i, p in enumerate(parts))
