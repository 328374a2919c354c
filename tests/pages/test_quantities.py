"""The number lint: what counts as a typed quantity, in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lora_demo.pages.lint.matching import advice, candidates
from lora_demo.pages.lint.quantities import quantities
from lora_demo.pages.writing.written import written
from lora_demo.results.figure import Figure

FLAGGED = """
18 GB|约25GB显存|99%以上|3 倍|20M 可训练|10x smaller|704 tokens|3,019,166,144|两千万|三倍|九成|百分之五|三分之一
three times|two bytes|16 字节|每参 **16** 字节|1.09%|a million|two hundred percent|5 percentage points|10-fold
tenfold|1e9 参数|2 × 10^9|二十四 GB|24G 的卡|两个字节|八倍|十倍|5 million|fifty percent|2 thousand|80 GiB|37.7 MB
1/3 的显存|256000|两万五千 token|三四倍|95%+|1.2 TB|0.5 ms|3 hours|7 成|12 亿|two-thirds of|three-fold
twenty-four gigabytes|约 576 个图像 token|5× faster|2.3个百分点|30 亿|2000 万|8-16 GB|一亿|百分之九十五
two hundred million|one billion|about 20 gigs|25 percent|省了三成|用掉 3 小时|165 TFLOPS|1008 GB/s
140 多万|三十多亿|2 万倍
"""
FREE = """
两个矩阵|一阶矩|three ideas|7B 模型|r=16|60 秒|RTX 4090|T=2048|2048×2048|4-bit|16 位|fp16 和 bf16|万一|千万别
一成不变|成倍增长|GSM8K|第一步|Qwen2.5-72B|2026 年|arXiv 2106.09685|步骤 3|r 从 8 到 32|many times|`18 GB`
$2^{30}$ B|r=8, 16, 32|batch 4|3 × 3 卷积|one time|Table 4|几万|数倍|LLaMA-2-7B|a few percent|三句话|两步走
一次前向|合成三个|millions of|every time|half of|二者成立|8-bit Adam|每一个字节|60-second answer|dropout 0.1
学习率 1e-4|3B 参数|60 seconds|ViT-L/14|CUDA 12.4|分成两类|[25](10GB.md)|OPT-350M|<span data-x='3 GB'>
"""


def each(texts: str) -> list[str]:
    return [text for line in texts.strip().splitlines() for text in line.split("|")]


@pytest.mark.parametrize("text", each(FLAGGED))
def test_typed_quantity_is_flagged(text: str) -> None:
    assert list(quantities(f"说明：{text}。")), text


@pytest.mark.parametrize("text", each(FREE))
def test_small_words_and_names_are_free(text: str) -> None:
    assert [q.text for q in quantities(f"我们看 {text} 吧")] == []


def test_headings_code_math_and_placeholders_are_free() -> None:
    text = "# 18 GB\n\n```text\n18 GB\n```\n\n$18\\,GB$ `18 GB` {{ fig:x|spoken }} <b title='18 GB'>\n\n- 24 GB\n"
    assert [(q.text, text.count("\n", 0, q.offset)) for q in quantities(text)] == [("24 GB", 8)]


def test_quotes_are_free_only_where_mistakes_are_quoted() -> None:
    text = "“显存是三倍。”其实是四倍。"
    assert [q.text for q in quantities(text)] == ["三倍", "四倍"]
    assert [q.text for q in quantities(text, quotes_are_free=True)] == ["四倍"]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("两千万", 2000, "万"),
        ("二十四 GB", 24, "GB"),
        ("三点五亿", 3.5, "亿"),
        ("twenty-four gigabytes", 24, "gigabytes"),
        ("two hundred million", 200, "million"),
        ("三四倍", None, "倍"),
        ("3,019,166,144", 3019166144, ""),
    ],
)
def test_what_a_quantity_amounts_to(text: str, value: float | None, unit: str) -> None:
    (quantity,) = quantities(text)
    assert (quantity.value, quantity.unit) == (value, unit)


def figure(value: int | float, unit: str) -> Figure:
    return Figure("net.total", value, unit, "exact", 0.0, "s", {"zh": "甲", "en": "a"})


@pytest.mark.parametrize("lang", ["zh", "en"])
@given(value=st.integers(20_000, 10**12), unit=st.sampled_from(["params", "B", "%", "ratio"]))
def test_typing_a_figure_out_is_flagged_and_answered_with_its_name(lang: str, value: int, unit: str) -> None:
    known = figure(value / 10**12 if unit == "%" else value, unit)
    for form in ("spoken", "short"):
        typed = written(known, form, lang)
        if typed.endswith((" B", " K", "KiB", "kilobytes")):
            continue  # 7 B and 128 K read as names of models and context lengths
        found = list(quantities(f"共 {typed} 个"))
        assert found, typed
        assert candidates(found[0], {"net.total": known}) == ["net.total"], typed


def test_advice_names_the_nearest_figures() -> None:
    known = {"a.near": figure(3_010_000_000, "params"), "a.far": figure(5_000_000_000, "params")}
    (quantity,) = quantities("三十亿参数")
    assert advice(quantity, known) == "write `{{ fig:a.near|spoken }}`"
    (quantity,) = quantities("七十亿参数")
    assert "register the number" in advice(quantity, known)
