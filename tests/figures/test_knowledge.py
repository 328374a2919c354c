"""Capacity, prompt cost and leakage, worked out a second time from published dimensions."""

from __future__ import annotations

import math

import pytest

from lora_demo.results.paths import figures_file
from lora_demo.results.store import load

HIDDEN, INNER, LAYERS = 4096, 11_008, 32
PER_RANK = LAYERS * (4 * 2 * HIDDEN + 3 * (HIDDEN + INNER))


@pytest.fixture(scope="module")
def value():
    figures = load(figures_file())
    return lambda name: figures[name].value


@pytest.mark.parametrize("rank", [16, 256])
def test_llama_2_7b_stores_two_bits_a_parameter(value, rank: int) -> None:
    bits = 2 * rank * PER_RANK
    assert value(f"knowledge.capacity.llama2_7b.r{rank}") == bits
    assert value(f"knowledge.corpus_over_capacity.r{rank}") == pytest.approx(value("knowledge.corpus") / bits)


def test_the_corpus_is_a_bit_a_token(value) -> None:
    assert value("knowledge.corpus") == value("biderman2024.cpt_tokens")


def test_rl_at_rank_one_has_room(value) -> None:
    room = 2 * value("schulman2025.rl.params")
    assert value("knowledge.rl.capacity_over_bits") * value("schulman2025.rl.bits") == pytest.approx(room)


def test_retrieved_text_is_keys_and_values_in_two_bytes(value) -> None:
    assert value("prompt.retrieved_cache") == value("prompt.retrieved_tokens") * 2 * 2 * LAYERS * HIDDEN


def test_the_leaked_share_inflates_by_the_band(value) -> None:
    """Measured accuracy q + (1 - q) p less p is one half width at p."""
    accuracy, items = value("peft2026runs.lora_r32.accuracy"), value("peft2026runs.test_size")
    leaked = value("eval.leak.share_for_band")
    inflation = leaked + (1 - leaked) * accuracy - accuracy
    assert inflation == pytest.approx(1.959964 * math.sqrt(accuracy * (1 - accuracy) / items), rel=1e-6)
    assert value("eval.leak.items_for_band") == round(leaked * items)


def test_gemmas_embedding_dwarfs_the_adapter(value) -> None:
    ratio = value("mgm2b.lora.param_ratio.embedding_over_all_r16")
    assert ratio * value("mgm2b.lora.all.r16") == pytest.approx(value("mgm2b.params.embedding"))
