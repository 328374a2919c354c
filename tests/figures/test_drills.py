"""The drills on the page say what the figures say, and ZeRO's formula gives the paper's own example."""

from __future__ import annotations

import re

import pytest

from lora_demo.figures.catalogue import drills, mixture_of_experts, zero_stages
from lora_demo.figures.literature import cited
from lora_demo.results.paths import project_root
from lora_demo.results.units import GB

VERDICTS = {"zh": ("放得下", "放不下"), "en": ("It fits", "It does not fit")}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_has_every_drill_with_its_verdict(lang):
    text = (project_root() / "docs" / lang / "thirty-seconds.md").read_text(encoding="utf-8")
    answers = re.split(r'^\?\?\? question "', text, flags=re.MULTILINE)[1:]
    assert len(answers) == len(drills.DRILLS) >= 10
    yes, no = VERDICTS[lang]
    for answer, (name, drill) in zip(answers, drills.DRILLS.items(), strict=True):
        left = "spare" if drill.fits else "missing"
        assert {f"fig:drill.{name}.head", f"fig:drill.{name}.need", f"fig:drill.{name}.{left}"} <= set(
            re.findall(r"fig:drill\.[\w.]+", answer)
        )
        assert (yes in answer, no in answer) == (drill.fits, not drill.fits), name


def test_the_head_is_within_a_quarter_of_the_exact_need():
    """Round numbers are good enough, but for QLoRA, whose embedding stays in 16 bits."""
    off = {name: drill.head() / drill.need() for name, drill in drills.DRILLS.items()}
    assert {name for name, ratio in off.items() if not 0.85 <= ratio <= 1.15} == {"7b_qlora"}
    assert off["7b_qlora"] < 0.85


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_zero_formula_gives_the_papers_example(stage):
    computed = zero_stages.per_gpu(0, round(7.5 * GB), 64, stage) / GB
    assert computed == pytest.approx(cited(f"rajbhandari2019zero.stage{stage}"), rel=0.02)


def test_sharding_states_does_next_to_nothing_for_lora():
    lora = [zero_stages.states_per_gpu("lora_r16", stage) for stage in range(4)]
    full = [zero_stages.states_per_gpu("full", stage) for stage in range(4)]
    assert lora[2] > 0.95 * lora[0]
    assert lora[3] < 0.2 * lora[0]
    assert full[2] < 0.3 * full[0]


def test_mixtral_follows_from_its_dimensions():
    width, inner, layers, experts = 4096, 14_336, 32, 8
    attention = 2 * width * width + 2 * width * 1024
    per_layer = attention + experts * 3 * width * inner + experts * width + 2 * width
    assert mixture_of_experts.total() == layers * per_layer + 2 * 32_000 * width + width
    assert mixture_of_experts.lora_attention() == 16 * layers * (4 * width + 2 * (width + 1024))
    assert mixture_of_experts.router() == layers * experts * width
