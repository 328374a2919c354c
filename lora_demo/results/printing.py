"""Text from files of strangers, as it may be printed: a terminal shows it and obeys nothing in it."""

from __future__ import annotations

import json
import re
from typing import Any

OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line ends, marks that turn the direction of writing, and halves of a surrogate pair, which no
output takes."""


def one_line(text: str) -> str:
    """The text with everything escaped that would move the cursor, end the line or fail to print."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that every reader takes and every terminal shows. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    # Between the values stand only line ends of our own; inside a text JSON has escaped its line ends already.
    return OBEYED.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair, which JSON can spell, cannot."""
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
