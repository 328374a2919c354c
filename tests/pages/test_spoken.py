"""Spoken forms: what one hears lies within 5 % of the value, and sounds like a person."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.pages.writing.spoken import UNITS, spoken
from lora_demo.pages.writing.written import FORMS, written
from lora_demo.results.figure import Figure

SCALES = {
    "亿": 1e8, "万": 1e4, "billion": 1e9, "million": 1e6,
    "T": 2**40, "G": 2**30, "兆": 2**20, "K": 2**10,
    "terabytes": 2**40, "gigs": 2**30, "megs": 2**20, "kilobytes": 2**10,
    "小时": 3600, "分钟": 60, "毫秒": 1e-3, "微秒": 1e-6, "秒": 1,
    "hours": 3600, "minutes": 60, "milliseconds": 1e-3, "microseconds": 1e-6, "seconds": 1,
    "%": 0.01, "percent": 0.01,
}  # fmt: skip
WORDS = {
    "一半": 1 / 2, "half": 1 / 2, "半个字节": 1 / 2, "half a byte": 1 / 2,
    "三分之一": 1 / 3, "a third": 1 / 3, "三分之二": 2 / 3, "two thirds": 2 / 3,
    "四分之一": 1 / 4, "a quarter": 1 / 4, "四分之三": 3 / 4, "three quarters": 3 / 4,
    "五分之一": 1 / 5, "a fifth": 1 / 5, "十分之一": 1 / 10, "a tenth": 1 / 10,
}  # fmt: skip


def figure(value: int | float, unit: str, kind: str = "exact") -> Figure:
    tolerance = 0.0 if kind == "exact" else 0.1
    return Figure("a.b", value, unit, kind, tolerance, "s", {"zh": "甲", "en": "a"})


def heard(text: str, unit: str) -> float:
    """What a listener takes the words to mean: the opposite direction of the code under test."""
    bare = text.removeprefix("约").removeprefix("about").removeprefix("over").strip().removesuffix("以上").strip()
    if bare in WORDS:
        return WORDS[bare]
    match = re.match(r"(-?[\d,.]+)\s*(?:多)?\s*(.*)", bare)
    assert match is not None, text
    words = match.group(2).replace("倍", " ").split()
    scale = 1.0
    for word in words:
        if unit != "ms":
            scale *= SCALES.get(word, 1)
    return float(match.group(1).replace(",", "")) * scale


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("unit", sorted(UNITS))
@given(value=st.one_of(st.integers(1, 10**13), st.floats(1e-4, 1e7, allow_nan=False)))
def test_spoken_lies_within_five_percent(unit: str, lang: str, value: int | float) -> None:
    text = spoken(figure(value, unit), lang)
    assert heard(text, unit) == pytest.approx(value, rel=0.05), text


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (3_019_166_144, "params", "约 30 亿", "about 3 billion"),
        (2_519_431_424, "params", "约 25 亿", "about 2.5 billion"),
        (19_611_648, "params", "1960 多万", "about 19.6 million"),
        (3_022_848, "params", "约 300 万", "about 3 million"),
        (999_900_000, "params", "约 10 亿", "about 1 billion"),
        (256_000, "tokens", "25.6 万", "256,000"),
        (704, "tokens", "704", "704"),
        (21_470_000_000, "B", "约 20 G", "about 20 gigs"),
        (36 * 2**20, "B", "36 兆", "36 megs"),
        (16, "B/param", "16 字节", "16 bytes"),
        (1, "B/param", "1 字节", "1 byte"),
        (0.5, "B/param", "半个字节", "half a byte"),
        (4.127, "bits/param", "约 4.1 比特", "about 4.1 bits"),
        (0.006496, "%", "约 0.65%", "about 0.65 percent"),
        (0.9935, "%", "99% 以上", "over 99 percent"),
        (0.99961, "%", "99.9% 以上", "over 99.9 percent"),
        (1 / 3, "ratio", "三分之一", "a third"),
        (0.3352, "ratio", "约三分之一", "about a third"),
        (0.246, "ratio", "24.6%", "24.6 percent"),
        (8, "ratio", "8 倍", "8 times"),
        (9285.4, "ratio", "约 9300 倍", "about 9,300 times"),
        (0.734, "acc", "73.4%", "73.4 percent"),
        (0.0802, "s", "80.2 毫秒", "80.2 milliseconds"),
        (130, "s", "约 2.2 分钟", "about 2.2 minutes"),
        (25.8, "ms", "25.8 毫秒", "25.8 milliseconds"),
        (2.698, "points", "约 2.7 个点", "about 2.7 points"),
    ],
)
def test_spoken_as_a_person_says_it(value: int | float, unit: str, zh: str, en: str) -> None:
    assert spoken(figure(value, unit), "zh") == zh
    assert spoken(figure(value, unit), "en") == en


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_is_measured_or_predicted_is_always_about(lang: str) -> None:
    for kind in ("predicted", "measured"):
        assert spoken(figure(8, "ratio", kind), lang).startswith("约" if lang == "zh" else "about")
        assert spoken(figure(0.5, "ratio", kind), lang).startswith("约" if lang == "zh" else "about")


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (3_019_166_144, "params", ("30.2 亿", "3,019,166,144"), ("3.02 B", "3,019,166,144")),
        (18_432, "params", ("1.84 万", "18,432"), ("18.4 K", "18,432")),
        (9_216, "params", ("9,216", "9,216"), ("9,216", "9,216")),
        (21_152_713_932, "B", ("19.7 GiB", "21,152,713,932 字节"), ("19.7 GiB", "21,152,713,932 bytes")),
        (0.0064957, "%", ("0.650%", "0.64957%"), ("0.650%", "0.64957%")),
        (0.25, "%", ("25%", "25%"), ("25%", "25%")),
        (8, "ratio", ("8 倍", "8 倍"), ("8×", "8×")),
        (37_141.5456, "ratio", ("3.71 万倍", "37,141.5 倍"), ("37,100×", "37,141.5×")),
        (1.5, "s", ("1.5 s", "1.5 s"), ("1.5 s", "1.5 s")),
    ],
)
def test_short_and_exact(value: int | float, unit: str, zh: tuple[str, str], en: tuple[str, str]) -> None:
    for lang, (short, exact) in (("zh", zh), ("en", en)):
        assert written(figure(value, unit), "short", lang) == short
        assert written(figure(value, unit), "exact", lang) == exact


@given(value=st.integers(0, 10**15))
def test_exact_loses_no_digit(value: int) -> None:
    assert int(written(figure(value, "params"), "exact", "en").replace(",", "")) == value


@given(value=st.floats(1e-6, 1e12, allow_nan=False), unit=st.sampled_from([*sorted(UNITS), "GB", "TFLOPS"]))
def test_every_form_of_every_unit_can_be_written(value: float, unit: str) -> None:
    texts = [written(figure(value, unit), form, lang) for form in FORMS for lang in ("zh", "en")]
    assert all(text and "e-" not in text and "nan" not in text for text in texts)
