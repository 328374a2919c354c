"""How long a text is to the ear, counted after rendering."""

from __future__ import annotations

import re

BOUNDS = {"zh": (150, 300), "en": (110, 170)}
UNITS = {"zh": "Chinese characters", "en": "English words"}
# A run of Latin letters and digits (LoRA, bf16, 3.02, v_proj) is spoken as one unit.
_HAN = re.compile(r"[\u4e00-\u9fff]|[A-Za-z0-9][A-Za-z0-9._\-]*")
_WORD = re.compile(r"\S*[A-Za-z0-9]\S*")


def length(text: str, lang: str) -> int:
    """Chinese: Han characters, each run of Latin letters and digits counting as one. English: words."""
    return len((_HAN if lang == "zh" else _WORD).findall(text))
