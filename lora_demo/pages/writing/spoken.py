"""A figure as a person says it: 约 30 亿, 1960 多万, about 3 billion, about 20 gigs.

Every form lies within 5 % of the value (rounding keeps `SPOKEN_ERROR`). Measure words stay with the text around it
(`{{ fig:x|spoken }}个参数`); bytes, percent, factors and times carry their unit, because the unit is what scales.
"""

from __future__ import annotations

from collections.abc import Callable

from lora_demo.pages.writing.rounding import SPOKEN_ERROR, Rounded, for_the_ear, grouped, scaled, significant
from lora_demo.results.figure import Figure
from lora_demo.results.units import GIB, KIB, MIB

_COUNTS = {"zh": ((1e8, " 亿"), (1e4, " 万")), "en": ((1e9, " billion"), (1e6, " million"))}
_BYTES = {
    "zh": ((1024.0 * GIB, " T"), (GIB, " G"), (MIB, " 兆"), (KIB, " K")),
    "en": ((1024.0 * GIB, " terabytes"), (GIB, " gigs"), (MIB, " megs"), (KIB, " kilobytes")),
}
_TIMES = {
    "zh": {3600.0: " 小时", 60.0: " 分钟", 1.0: " 秒", 1e-3: " 毫秒", 1e-6: " 微秒"},
    "en": {3600.0: " hours", 60.0: " minutes", 1.0: " seconds", 1e-3: " milliseconds", 1e-6: " microseconds"},
}
_FRACTIONS = (
    (1 / 2, {"zh": "一半", "en": "half"}),
    (1 / 3, {"zh": "三分之一", "en": "a third"}),
    (2 / 3, {"zh": "三分之二", "en": "two thirds"}),
    (1 / 4, {"zh": "四分之一", "en": "a quarter"}),
    (3 / 4, {"zh": "四分之三", "en": "three quarters"}),
    (1 / 5, {"zh": "五分之一", "en": "a fifth"}),
    (1 / 10, {"zh": "十分之一", "en": "a tenth"}),
)
_SMALL_UNITS = {"zh": {"byte": " 字节", "bit": " 比特"}, "en": {"byte": " bytes", "bit": " bits"}}


def spoken(figure: Figure, lang: str) -> str:
    """The value for the ear, within 5 %; 约 / about unless it is exact and nothing was rounded."""
    return _WRITERS.get(figure.unit, _plain)(figure, lang)


def _about(rounded: Rounded, tail: str, figure: Figure, lang: str) -> str:
    number = rounded.text if lang == "zh" else grouped(rounded.text)
    if rounded.exact and figure.kind in ("exact", "cited"):
        return f"{number}{tail}"
    return f"约 {number}{tail}" if lang == "zh" else f"about {number}{tail}"


def _count(figure: Figure, lang: str) -> str:
    rounded = scaled(figure.value, _COUNTS[lang])
    if lang == "zh" and rounded.scale and _a_little_over(rounded):
        return f"{rounded.text} 多{rounded.scale.strip()}"
    return _about(rounded, rounded.scale, figure, lang)


def _a_little_over(rounded: Rounded) -> bool:
    """Whether 多 fits: 1961 is 1960 多; 302 is not 300 多, which one hears as up to 399."""
    tens = len(rounded.text) >= 3 and rounded.text.endswith("0") and not rounded.text.endswith("00")
    return tens and rounded.text.isdigit() and 0.5 <= rounded.value - float(rounded.text) < 10


def _bytes(figure: Figure, lang: str) -> str:
    rounded = scaled(figure.value, _BYTES[lang])
    return _about(rounded, rounded.scale or _SMALL_UNITS[lang]["byte"], figure, lang)


def _small(word: str) -> Callable[[Figure, str], str]:
    def write(figure: Figure, lang: str) -> str:
        if figure.value == 0.5 and word == "byte":
            return "半个字节" if lang == "zh" else "half a byte"
        tail = " " + word if lang == "en" and figure.value == 1 else _SMALL_UNITS[lang][word]
        return _about(Rounded(for_the_ear(figure.value), figure.value), tail, figure, lang)

    return write


def _percent(figure: Figure, lang: str) -> str:
    value = figure.value
    if 0.99 < value < 1:
        return _nines(value, lang)
    return _about(Rounded(for_the_ear(value * 100), value * 100), "%" if lang == "zh" else " percent", figure, lang)


def _nines(value: int | float, lang: str) -> str:
    """Rounding 99.35 % to 100 % would deny what is left, so the nines are floored: over 99 percent."""
    digits = 0
    while value >= 1 - 10.0 ** -(digits + 3):
        digits += 1
    text = "99" + ("." + "9" * digits if digits else "")
    return f"{text}% 以上" if lang == "zh" else f"over {text} percent"


def _accuracy(figure: Figure, lang: str) -> str:
    """Scores differ in their third digit, so three stay."""
    rounded = Rounded(significant(figure.value * 100, 3), figure.value * 100)
    return _about(rounded, "%" if lang == "zh" else " percent", figure, lang)


def _ratio(figure: Figure, lang: str) -> str:
    if abs(figure.value) >= 1 or figure.value == 0:
        rounded = scaled(figure.value, _COUNTS[lang])
        tail = f"{rounded.scale}倍" if rounded.scale and lang == "zh" else " 倍"
        return _about(rounded, tail if lang == "zh" else f"{rounded.scale} times", figure, lang)
    for value, words in _FRACTIONS:
        if abs(value - figure.value) <= SPOKEN_ERROR * figure.value:
            exact = abs(value - figure.value) < 1e-9 and figure.kind in ("exact", "cited")
            return words[lang] if exact else ("约" if lang == "zh" else "about ") + words[lang]
    return _percent(figure, lang)


def _seconds(figure: Figure, lang: str) -> str:
    value = abs(figure.value)
    size = 3600.0 if value >= 7200 else 60.0 if value >= 120 else 1.0 if value >= 1 else 1e-3 if value >= 1e-3 else 1e-6
    return _about(Rounded(for_the_ear(figure.value / size), figure.value / size), _TIMES[lang][size], figure, lang)


def _named(zh: str, en: str) -> Callable[[Figure, str], str]:
    """A unit that does not scale: three digits matter, so rounding is for the ear only beyond them."""

    def write(figure: Figure, lang: str) -> str:
        rounded = Rounded(for_the_ear(figure.value), figure.value)
        tail = {"zh": zh, "en": en.removesuffix("s") if rounded.text == "1" else en}[lang]
        return _about(rounded, f" {tail}", figure, lang)

    return write


def _plain(figure: Figure, lang: str) -> str:
    rounded = scaled(figure.value, _COUNTS[lang])
    return _about(rounded, f"{rounded.scale} {figure.unit}", figure, lang)


_WRITERS: dict[str, Callable[[Figure, str], str]] = {
    "params": _count,
    "tokens": _count,
    "1": _count,
    "B": _bytes,
    "B/token": _bytes,
    "B/param": _small("byte"),
    "bits/param": _small("bit"),
    "%": _percent,
    "acc": _accuracy,
    "ratio": _ratio,
    "s": _seconds,
    "ms": _named("毫秒", "milliseconds"),
    "points": _named("个点", "points"),
}
UNITS = frozenset(_WRITERS)
