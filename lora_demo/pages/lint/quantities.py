"""The number lint: a typed quantity has no source, so it must be a figure.

Flagged: digits with a unit, a percentage or a factor (18 GB, 99%, 3 倍, 20M, 10x, 704 tokens, 3,019,166,144);
Chinese numerals with 万, 亿, 倍, 成, 分之, 字节 or a size (两千万, 三倍, 九成, 百分之五); English number words with
times, percent, thousand, million, billion or bytes (three times, two bytes).

Free: small words (两个矩阵, 一阶矩, three ideas), names (7B, r=16, 4-bit, 16 位, 60 秒, RTX 4090, T=2048), shapes
(2048×2048), and whatever is not prose: code, math, placeholders, link targets, headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lora_demo.pages.bank.prose import GAP, HEADING, masked

_DIGITS = r"(?<![\w./@×])(?<![A-Za-z]-)\d[\d,]*(?:\.\d+)?"
_MARKUP = r"[*_+\s\-]{0,4}"
_DIGIT_UNITS = r"""
      (?:个)?百分点 | [%％‰] | 多?\s?[万亿]?倍 | 成(?![立为功本员绩果型熟长就])
    | 多?\s?[十百千]?[万亿] | 个?字节 | 兆(?!瓦) | 毫秒 | 微秒 | 小时
    | [KMGTP]i?B(?:/s|/param|/token)?\b | [KMGT]iB\b | [GM](?![\w.\-]) | ms\b | (?:T|G)?FLOP[sS]?\b
    | (?:个\s*)?(?:图像\s*|视觉\s*|image\s+|visual\s+)?tokens?(?:/s)?\b
    | percent(?:age\s+points?)?\b | per\s+cent\b | times\b | fold\b | [x×](?![\w×]) | hours?\b
    | thousand\b | million\b | billion\b | trillion\b
    | bytes?\b | (?:kilo|mega|giga|tera)bytes?\b | gigs?\b | megs?\b
"""
_HAN = "零一二两三四五六七八九十百千半"
_HAN_NUMBER = rf"[{_HAN}]*[一二两三四五六七八九十][{_HAN}点]*"
_HAN_UNITS = r"""
      多?[万亿]{0,2}倍 | 多?[万亿]{1,2} | 成(?![立为功本员绩果型熟长就不]) | 个?百分点 | 个?字节
    | \s*[KMGTP]i?B\b | \s+?G\b | 兆 | 个?\s?tokens?\b
"""
_SMALL = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_LARGE = "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred"
_WORDS = f"{_SMALL} {_LARGE}".split()
_WORD = rf"\b(?:{'|'.join(_WORDS)})(?:[\s\-]+(?:and\s+)?(?:{'|'.join(_WORDS)}))*"
_WORD_UNITS = r"""
      times\b(?!\s+(?:the|a)\s+matrix) | percent\b | per\s+cent\b | percentage\s+points?\b | fold\b | thousand\b
    | million\b | billion\b | trillion\b | (?:kilo|mega|giga|tera)?bytes?\b | [KMGT]i?B\b | gigs?\b | megs?\b
"""
_QUANTITY = re.compile(
    # The look-ahead rejects at once what no quantity begins with.
    rf"""
    (?=[0-9百千万{_HAN}aotfsenh]) (?:
      (?P<power>(?<![\w.])\d+(?:\.\d+)?\s*(?:[×x]\s*10\s*\^|[eE]\+?(?=\d))\s*\d{{1,2}}(?!\w))
    | (?P<digits>{_DIGITS})(?:{_MARKUP}(?P<unit>{_DIGIT_UNITS}))
    | (?P<grouped>(?<![\w.,])\d{{1,3}}(?:,\d{{3}})+(?![\w,]))
    | (?P<long>(?<![\w.\-/×:@]) \d{{6,}} (?![\w\-×/]|\.\d))
    | (?P<part>(?<![\d/.])\d/\d{{1,2}}(?=\s*(?:的|of\b)))
    | (?P<share>(?:百|千|万|[{_HAN}]+)分之[{_HAN}点\d]+)
    | (?P<han>(?<![{_HAN}第每同哪]){_HAN_NUMBER})(?P<hanunit>{_HAN_UNITS})
    | (?P<word>{_WORD})(?:[\s\-]+(?P<wordunit>{_WORD_UNITS}))
    | (?P<fold>\b(?:{"|".join(_WORDS)})fold\b)
    | (?P<round>\ba\s+(?:hundred|thousand|million|billion|trillion)\b)
    | (?P<fraction>\b(?:one|two|three|four)[\s\-](?:thirds?|quarters?|fifths?|tenths?)\b)
    )
    """,
    # ASCII: a Chinese character next to a unit is no letter of it.
    re.VERBOSE | re.ASCII,
)
_QUOTED = re.compile(r"“[^”\n]*”|\"[^\"\n]*\"|「[^」\n]*」")


@dataclass(frozen=True)
class Quantity:
    """A typed quantity: where it begins in the text, its words, and what they amount to."""

    offset: int
    text: str
    value: float | None
    unit: str


@lru_cache(maxsize=16384)
def quantities(text: str, quotes_are_free: bool = False) -> tuple[Quantity, ...]:
    """Typed quantities in Markdown. `quotes_are_free`: what others say wrongly may be quoted (common mistakes)."""
    return tuple(_quantities(text, quotes_are_free))


def _quantities(text: str, quotes_are_free: bool) -> Iterator[Quantity]:
    prose = HEADING.sub(lambda m: GAP * len(m.group()), masked(text))
    if quotes_are_free:
        prose = _QUOTED.sub(lambda m: GAP * len(m.group()), prose)
    for match in _QUANTITY.finditer(prose):
        if not _is_name(prose, match):
            value, unit = _amount(match)
            yield Quantity(match.start(), match.group().strip(), value, unit)


def _is_name(prose: str, match: re.Match[str]) -> bool:
    """一成不变 and the like are excluded by the pattern; a shape such as 3 × 3 is a name."""
    return (match.group("unit") or "") in ("x", "×") and prose[match.end() :].lstrip()[:1].isdigit()


def _amount(match: re.Match[str]) -> tuple[float | None, str]:
    groups = match.groupdict()
    for number, unit in (("digits", "unit"), ("han", "hanunit"), ("word", "wordunit")):
        if groups[number]:
            read = {"digits": _digits, "han": _han, "word": _english}[number]
            return read(groups[number]), re.sub(r"^[\s\-个多]+", "", groups[unit])
    if groups["grouped"] or groups["long"]:
        return _digits(match.group()), ""
    return None, ""


def _digits(text: str) -> float:
    return float(text.replace(",", "").rstrip("."))


def _han(text: str) -> float | None:
    """二十四 -> 24, 两千 -> 2000, 三点五 -> 3.5; None for vague ones such as 三四."""
    digit = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "半": 0.5}
    whole, _, rest = text.partition("点")
    if rest:
        return float(f"{_han(whole) or 0:.0f}." + "".join(str(digit.get(c, 0)) for c in rest))
    total, last = 0.0, 0.0
    for char in whole:
        if char in "十百千":
            total += (last or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            last = 0.0
        elif last:
            return None
        else:
            last = float(digit[char])
    return total + last


def _english(text: str) -> float:
    total = 0.0
    for word in re.split(r"[\s\-]+", text):
        if word == "hundred":
            total = (total or 1) * 100
        elif word in _WORDS:
            index = _WORDS.index(word)
            total += index + 1 if index < 20 else (index - 17) * 10
    return total
