"""A figure on the page: short (3.02 B, 30.2 亿, 19.7 GiB) or exact to the last digit (3,019,166,144)."""

from __future__ import annotations

from lora_demo.pages.writing.rounding import grouped, scaled, significant, three_digits
from lora_demo.pages.writing.spoken import spoken
from lora_demo.results.figure import Figure
from lora_demo.results.units import GIB, KIB, MIB

FORMS = ("spoken", "short", "exact")
_COUNTS = {"zh": ((1e8, " 亿"), (1e4, " 万")), "en": ((1e9, " B"), (1e6, " M"), (1e3, " K"))}
_BYTES = ((1024.0 * GIB, " TiB"), (GIB, " GiB"), (MIB, " MiB"), (KIB, " KiB"))
_WORDS = {
    "zh": {
        "B": " 字节",
        "B/param": " 字节",
        "bits/param": " 比特",
        "B/token": " 字节",
        "ratio": " 倍",
        "points": " 个点",
    },
    "en": {"B": " bytes", "B/param": " bytes", "bits/param": " bits", "B/token": " bytes", "ratio": "×"},
}
_BARE = ("params", "tokens", "1")


def written(figure: Figure, form: str, lang: str) -> str:
    """`figure` in one of FORMS."""
    if form == "spoken":
        return spoken(figure, lang)
    return short(figure, lang) if form == "short" else exact(figure, lang)


def short(figure: Figure, lang: str) -> str:
    """Three significant digits with a scale; whole numbers below ten thousand in full."""
    value, base = figure.value, figure.unit
    if base in ("%", "acc"):
        return three_digits(value * 100) + "%"
    if base in ("B", "B/token") and value >= KIB:
        rounded = scaled(value, _BYTES, ear=False)
        return grouped(rounded.text) + rounded.scale
    if base == "s":
        return _time(value)
    if float(value).is_integer() and abs(value) < 1e4:
        return f"{int(value):,}{_unit(figure, lang)}"
    if lang == "en" and base == "ratio":
        return grouped(three_digits(value)) + _unit(figure, lang)
    rounded = scaled(value, _COUNTS[lang], ear=False)
    unit = _unit(figure, lang)
    return grouped(rounded.text) + rounded.scale + (unit.strip() if rounded.scale else unit)


def exact(figure: Figure, lang: str) -> str:
    """Whole numbers in full; the others to six significant digits."""
    if figure.unit in ("%", "acc"):
        return significant(figure.value * 100, 6) + "%"
    whole = float(figure.value).is_integer()
    number = f"{int(figure.value):,}" if whole else grouped(significant(figure.value, 6))
    return number + (" s" if figure.unit == "s" else _unit(figure, lang))


def _unit(figure: Figure, lang: str) -> str:
    """The unit's word; a ratio below one stands alone."""
    if figure.unit in _BARE or (figure.unit == "ratio" and abs(figure.value) < 1):
        return ""
    word = _WORDS[lang].get(figure.unit, f" {figure.unit}")
    return word.removesuffix("s") if figure.value == 1 and lang == "en" else word


def _time(value: int | float) -> str:
    for size, word in ((3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms")):
        if abs(value) >= (2 * size if size >= 60 else size):
            return three_digits(value / size) + word
    return three_digits(value / 1e-6) + " µs"
