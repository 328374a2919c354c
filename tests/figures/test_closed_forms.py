"""Counts on built models against arithmetic on the published dimensions, written out here a second time."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from lora_demo.results.figure import Figure
from lora_demo.results.paths import figures_file
from lora_demo.results.store import load

HIDDEN, INNER, LAYERS, HEADS, KV_HEADS, HEAD, VOCAB = 2048, 16384, 18, 8, 1, 256, 256_000
SHAPES = {
    "q": (HIDDEN, HEADS * HEAD),
    "k": (HIDDEN, KV_HEADS * HEAD),
    "v": (HIDDEN, KV_HEADS * HEAD),
    "o": (HEADS * HEAD, HIDDEN),
    "gate": (HIDDEN, INNER),
    "up": (HIDDEN, INNER),
    "down": (INNER, HIDDEN),
}
SETS = {
    "qv": "q v",
    "qkvo": "q k v o",
    "qvo": "q v o",
    "qvo_gate": "q v o gate",
    "qvo_mlp": "q v o gate up down",
    "all": "q k v o gate up down",
}
KEYS = Path(__file__).parents[1] / "models" / "mgm_2b_keys.json"


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return load(figures_file())


@pytest.fixture(scope="module")
def value(figures: dict[str, Figure]):
    return lambda name: figures[name].value


def layer() -> int:
    return sum(i * o for i, o in SHAPES.values()) + 2 * HIDDEN


def test_gemma_is_embedding_layers_and_a_norm(value) -> None:
    """Gemma-2B's count follows from its seven matrices per layer."""
    assert value("mgm2b.params.layer") == layer()
    assert value("mgm2b.params.llm") == VOCAB * HIDDEN + LAYERS * layer() + HIDDEN


def test_parts_of_mgm_2b_add_up_to_its_total(value) -> None:
    """Language model, two towers, projector and mining are all there is."""
    parts = ("llm", "clip", "convnext", "projector", "mining")
    assert sum(value(f"mgm2b.params.{part}") for part in parts) == value("mgm2b.params.total")


def test_total_equals_the_shapes_of_the_released_tensors(value) -> None:
    """The count agrees with the table of all 911 tensors of the checkpoint."""
    table = json.loads(KEYS.read_text(encoding="utf-8"))
    shapes = table.get("tensors", table)
    assert len(shapes) == 911
    assert sum(math.prod(_shape(entry)) for entry in shapes.values()) == value("mgm2b.params.total")


def _shape(entry: object) -> list[int]:
    return entry["shape"] if isinstance(entry, dict) else entry


def test_convnext_and_clip_follow_from_their_dimensions(value) -> None:
    """Both towers, block by block."""
    dims, depths = (192, 384, 768, 1536), (3, 3, 27, 3)
    block = [49 * d + d + 2 * d + (4 * d * d + 4 * d) + (4 * d * d + d) + d for d in dims]
    down = [0, *(2 * a + 4 * a * b + b for a, b in pairwise(dims))]
    stem = 3 * 16 * dims[0] + dims[0] + 2 * dims[0]
    assert value("mgm2b.params.convnext") == stem + sum(n * b + d for n, b, d in zip(depths, block, down, strict=True))
    width, inner = 1024, 4096
    attention = 4 * (width * width + width)
    clip_layer = attention + 2 * width * inner + inner + width + 4 * width
    embeddings = width + 3 * 14 * 14 * width + (24 * 24 + 1) * width
    assert value("mgm2b.params.clip") == embeddings + 24 * clip_layer + 4 * width


def test_lora_on_every_target_set_is_rank_times_in_plus_out(value) -> None:
    """r(d + k) per matrix, over 18 layers, six target sets and five ranks."""
    checked = 0
    for name, members in SETS.items():
        for rank in (4, 8, 16, 32, 64):
            expected = LAYERS * sum(rank * sum(SHAPES[m]) for m in members.split())
            assert value(f"mgm2b.lora.{name}.r{rank}") == expected
            assert value(f"mgm2b.lora.{name}.r{rank}.share") == expected / value("mgm2b.params.total")
            checked += 1
    assert checked == 30


def test_other_methods_follow_from_their_shapes(value) -> None:
    """Adapter, prefix, prompt, IA3, norms and biases by hand."""
    bottleneck = {b: HIDDEN * b + b + b * HIDDEN + HIDDEN for b in (64, 256)}
    assert value("mgm2b.adapter.houlsby.b64") == 2 * LAYERS * bottleneck[64]
    assert value("mgm2b.adapter.houlsby.b256") == 2 * LAYERS * bottleneck[256]
    assert value("mgm2b.adapter.single.b64") == LAYERS * bottleneck[64]
    kv = KV_HEADS * HEAD
    assert value("mgm2b.prefix.t20") == 20 * LAYERS * 2 * kv
    assert value("mgm2b.prefix.t20_projected") == 20 * kv + (kv + 1) * kv + (kv + 1) * LAYERS * 2 * kv
    assert value("mgm2b.prompt.t20") == 20 * HIDDEN
    assert value("mgm2b.ia3.peft") == LAYERS * (HEADS * HEAD + kv + INNER)
    assert value("mgm2b.ia3.classic") == LAYERS * (2 * kv + INNER)
    assert value("mgm2b.lntuning") == (2 * LAYERS + 1) * HIDDEN
    assert value("mgm2b.bias.attention_zero_init") == LAYERS * (HEADS * HEAD + 2 * kv + HIDDEN)


def test_gemma_has_no_bias_to_train(value) -> None:
    """BitFit finds nothing on Gemma, Llama; Qwen2.5 has q, k and v biases."""
    assert value("mgm2b.bitfit") == value("llama2_7b.bias") == value("llama31_8b.bias") == 0
    assert value("qwen25_7b.bias") == 28 * (28 * 128 + 2 * 4 * 128)


def test_states_follow_from_bytes_per_parameter(value) -> None:
    """Frozen weights cost two bytes, trained ones by their convention; parts add up to the whole."""
    total, trained = value("mgm2b.params.total"), value("mgm2b.full.trainable")
    for convention, each in {"full_bf16": 8, "full_mixed": 16, "full_adam8bit": 6}.items():
        assert value(f"mgm2b.states.{convention}") == 2 * (total - trained) + each * trained
    parts = ("weights", "gradients", "moments")
    assert sum(value(f"mgm2b.states.full_bf16.{p}") for p in parts) == value("mgm2b.states.full_bf16")
    mixed = sum(value(f"mgm2b.states.full_mixed.{p}") for p in ("master", "gradients", "moments"))
    assert mixed + 2 * total == value("mgm2b.states.full_mixed")
    assert value("mgm2b.states.lora_r16") == 2 * total + 8 * value("mgm2b.lora.all.r16")


def test_logits_cost_twelve_bytes_per_vocabulary_entry(value) -> None:
    """Two bf16 copies and two fp32 copies per position."""
    assert value("mgm2b.logits.naive_per_token") == 12 * VOCAB
    assert value("mgm2b.logits.naive.t2048") == 2048 * 12 * VOCAB


def test_rank_barely_moves_the_training_state(value) -> None:
    """From r=8 to r=32 the state grows by less than four percent of the base's weights."""
    assert value("mgm2b.states.r8_to_r32") < 0.04 * value("mgm2b.states.inference_bf16")


def test_lora_saves_at_most_a_third_of_the_arithmetic(value) -> None:
    """Backward through frozen weights remains: two of three passes are left."""
    for rank in (8, 16, 64):
        assert 2 / 3 < value(f"flops.lora_share_of_full.r{rank}") < 0.71
    n, r = 4096, 16
    assert (2 * n * n + 6 * n * r) / (3 * n * n) == pytest.approx(value("flops.lora_share_of_full"), rel=0.02)


def test_named_models_have_their_published_sizes(value) -> None:
    """Llama-2-7B, Llama-3.1-8B, Llama-3.2-3B and Qwen2.5-7B from vocabulary, width and layers."""

    def llama(vocab: int, d: int, inner: int, layers: int, kv: int, tied: bool, bias: int = 0) -> int:
        one = 2 * d * d + 2 * d * kv + 3 * d * inner + 2 * d + bias
        return (1 if tied else 2) * vocab * d + layers * one + d

    assert value("llama2_7b.params.total") == llama(32_000, 4096, 11_008, 32, 4096, False)
    assert value("llama31_8b.params.total") == llama(128_256, 4096, 14_336, 32, 1024, False)
    assert value("llama32_3b.params.total") == llama(128_256, 3072, 8192, 28, 1024, True)
    assert value("qwen25_7b.params.total") == llama(152_064, 3584, 18_944, 28, 512, False, bias=3584 + 2 * 512)


def test_published_parameter_table_includes_the_output_layer(value) -> None:
    """With LoRA on lm_head too, every cell of the table in LoRA Without Regret is met; without it none is."""
    for row in ("mlp_r256", "attn_r256", "all_r256", "mlp_r128"):
        printed = value(f"schulman2025.{row}.params")
        assert abs(value(f"schulman2025.recount.{row}.with_head") - printed) <= 0.01e9 / 2 + 1e6
        assert abs(value(f"schulman2025.recount.{row}.plain") - printed) > 0.01e9


def test_paper_ratios_follow_from_its_own_numbers(value) -> None:
    """9,285 times fewer parameters at r=4; a third more tokens per second; a quarter less time per token."""
    assert value("gpt3.lora.qv.r4") == 2 * 96 * 12288 * 4 * 2
    assert round(value("gpt3.lora.qv.r4.ratio")) == 9285
    assert value("hu2021.throughput.gain") == pytest.approx(43.1 / 32.5 - 1)
    assert value("hu2021.time_saved") == pytest.approx(1 - 32.5 / 43.1)


def test_gap_between_lora_and_full_lies_inside_the_error_band(value) -> None:
    """In the published runs LoRA, full fine-tuning and DoRA cannot be told apart."""
    for run in ("lora_r32", "dora_r32"):
        assert abs(value(f"peft2026runs.gap.{run}_over_full")) < value("peft2026runs.difference_band")
    assert 2.6 < value("peft2026runs.accuracy_band") < 2.8


def test_bf16_full_fine_tuning_fits_a_4090_only_without_fp32_master_weights(value) -> None:
    """Pure bf16 states leave a few GiB for activations and logits; mixed precision exceeds the card on states alone."""
    visible = value("rtx4090.memory_visible")
    assert value("mgm2b.states.full_adam8bit") < value("mgm2b.states.full_bf16") < visible
    assert value("mgm2b.states.full_mixed") > visible
