"""What PEFT does on a mixture of experts whose experts are one fused parameter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from lora_demo.methods import surgery

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

SIZES = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
FUSED = ["experts.gate_up_proj", "experts.down_proj"]


@pytest.fixture
def model() -> MixtralForCausalLM:
    torch.manual_seed(0)
    return MixtralForCausalLM(MixtralConfig(**SIZES, **HEADS)).eval()


def gpt_oss() -> GptOssForCausalLM:
    return GptOssForCausalLM(GptOssConfig(**SIZES, **HEADS, head_dim=8, layer_types=["full_attention"] * 2))


def adapted(model: torch.nn.Module, **settings: Any) -> torch.nn.Module:
    return get_peft_model(model, LoraConfig(r=2, **settings))


def adapted_leaves(model: torch.nn.Module) -> set[str]:
    """Last names of the modules that "all-linear" adapted."""
    names = {name.partition(".lora_")[0] for name in trained(adapted(model, target_modules="all-linear"))}
    return {name.removesuffix(".base_layer").rpartition(".")[2] for name in names}


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning")
def test_all_linear_takes_experts_and_router_where_peft_knows_the_family(model):
    """For families that had linear experts once, PEFT maps the old names: the router gets LoRA too, unasked."""
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2}
    qwen = Qwen3MoeForCausalLM(Qwen3MoeConfig(**SIZES, **heads, moe_intermediate_size=24))
    assert adapted_leaves(model) == adapted_leaves(qwen) == {*ATTENTION, "experts", "gate"}


def test_all_linear_reaches_attention_only_elsewhere():
    """GPT-OSS' experts and router never were nn.Linear: "all-linear" leaves them out without a word."""
    model = gpt_oss()
    assert {name.rpartition(".")[2] for name in surgery.find(model, "all")} == ATTENTION
    assert adapted_leaves(model) == ATTENTION


@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning")
def test_all_linear_skips_shared_experts_and_dense_layers():
    """In DeepSeek-V3 the mapped names swallow the ordinary gate, up and down of shared experts and dense layers."""
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "num_experts_per_tok": 2}
    latent = {"kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "v_head_dim": 8, "qk_nope_head_dim": 8}
    experts = {"n_routed_experts": 4, "moe_intermediate_size": 24, "n_group": 1, "topk_group": 1}
    model = DeepseekV3ForCausalLM(DeepseekV3Config(**SIZES, **heads, **latent, **experts, first_k_dense_replace=1))
    plain = {name for name in surgery.find(model, "all") if name.endswith(("gate_proj", "up_proj", "down_proj"))}
    assert len(plain) == 2 * 3
    adapted_model = adapted(model, target_modules="all-linear")
    assert not any(path in name for path in plain for name in trained(adapted_model))
    assert any(".kv_b_proj." in name for name in trained(adapted_model)), "MLA's own low-rank factors get LoRA as well"


def test_fused_experts_are_stored_either_way_round(model):
    """[experts, out, in] in Mixtral, [experts, in, out] in GPT-OSS: four experts, 32 wide, 48 inside."""
    shapes = [
        {name.rpartition(".")[2]: tuple(p.shape) for name, p in family.named_parameters() if "experts." in name}
        for family in (model, gpt_oss())
    ]
    assert [one["gate_up_proj"] for one in shapes] == [(4, 2 * 48, 32), (4, 32, 2 * 48)]
    assert [one["down_proj"] for one in shapes] == [(4, 32, 48), (4, 48, 32)]


def test_target_parameters_reach_the_fused_experts(model, tokens):
    expected = model(tokens).logits
    shapes = [p.shape for name, p in model.named_parameters() if name.endswith(tuple(FUSED))]
    wrapped = adapted(model, target_modules=[], target_parameters=FUSED)
    torch.testing.assert_close(wrapped(tokens).logits, expected)
    assert len(shapes) == 4
    # one A and one B per expert: r (d_in + d_out) each
    assert sum(p.numel() for p in trained(wrapped).values()) == sum(2 * e * (o + i) for e, o, i in shapes)


def test_each_expert_gets_an_update_of_rank_r(model):
    wrapped = adapted(model, target_modules=[], target_parameters=FUSED)
    for name, parameter in trained(wrapped).items():
        if "lora_B" in name:
            parameter.data.normal_()
    before = {n: p.clone() for n, p in wrapped.named_parameters() if n.endswith(("gate_up_proj", "down_proj"))}
    merged = {n: p for n, p in wrapped.merge_and_unload().named_parameters() if n.endswith(tuple(FUSED))}
    assert len(before) == len(merged) == 4
    for (_, old), (_, new) in zip(sorted(before.items(), key=_order), sorted(merged.items(), key=_order), strict=True):
        ranks = torch.linalg.matrix_rank((new - old).detach(), atol=1e-4)
        assert ranks.tolist() == [2] * len(old)


def test_a_forward_holds_a_second_copy_of_the_experts(model, tokens):
    """W + ΔW of all experts is formed in the forward and, where the input needs a gradient, kept for the backward."""
    wrapped = adapted(model, target_modules=["q_proj"], target_parameters=FUSED)
    frozen = {p.untyped_storage().data_ptr() for p in wrapped.parameters()}
    sizes = sorted(p.nbytes for name, p in wrapped.named_parameters() if name.endswith(("gate_up_proj", "down_proj")))
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in frozen:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = wrapped(tokens).logits.sum()
    assert len(sizes) == 4
    assert all(list(kept.values()).count(size) >= sizes.count(size) for size in sizes)
    loss.backward()


def test_dropout_is_refused_on_fused_experts(model):
    with pytest.raises(ValueError, match="lora_dropout"):
        adapted(model, lora_dropout=0.1, target_modules=[], target_parameters=FUSED)


def _order(item: tuple[str, torch.Tensor]) -> tuple[str, str]:
    layer = item[0].partition("layers.")[2][:1]
    return layer, item[0].rpartition(".")[2]
