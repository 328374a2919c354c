"""TeX between dollars -> MathML inside a span, so that the page needs no script and Markdown leaves it alone."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from latex2mathml.converter import convert

_TEXT_NODE = re.compile(r">([^<]*)<")
_BRACE = re.compile(r"(?<!\\)[{}]")
# latex2mathml prints a command that it does not know as an identifier.
_COMMAND = re.compile(r">(\\[A-Za-z]+)<")
_MARKDOWN = re.compile(r"[&\\`*_{}\[\]()#+\-.!|~^=:/']")


class BadMath(ValueError):
    """TeX that cannot be converted; the message quotes it."""


@lru_cache(maxsize=4096)
def to_mathml(tex: str, display: bool) -> str:
    """One line of inline HTML. A display formula is a span too: a block tag would end a list item."""
    if (fault := _fault(tex)) is not None:
        raise BadMath(f"cannot read the formula `{tex.strip()}`: {fault}")
    try:
        markup = convert(tex.strip(), display="block" if display else "inline")
    except Exception as error:
        # latex2mathml raises many unrelated types, IndexError among them; each means the same to the author.
        raise BadMath(f"cannot read the formula `{tex.strip()}`: {type(error).__name__} {error}") from error
    if unknown := _COMMAND.search(_TEXT_NODE.sub(lambda m: f">{html.unescape(m.group(1))}<", markup)):
        raise BadMath(f"cannot read the formula `{tex.strip()}`: unknown command `{unknown.group(1)}`")
    safe = _TEXT_NODE.sub(lambda m: ">" + _escape(m.group(1)) + "<", markup.replace("\n", " "))
    kind = "math math-block" if display else "math"
    return f'<span class="{kind}">{safe}</span>'


def _fault(tex: str) -> str | None:
    """What latex2mathml would swallow: braces that do not match."""
    depth = 0
    for brace in _BRACE.findall(tex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return "a `}` too many"
    return "a `}` is missing" if depth else None


def _escape(text: str) -> str:
    """Markdown's own characters as entities; entities that are there stay."""
    parts = re.split(r"(&[#\w]+;)", text)
    return "".join(p if i % 2 else _MARKDOWN.sub(lambda m: f"&#{ord(m.group())};", p) for i, p in enumerate(parts))
