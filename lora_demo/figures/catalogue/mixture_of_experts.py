"""Mixtral-8x7B and DeepSeek-V3 as transformers' default configurations describe them, on the meta device."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from transformers import DeepseekV3Config, MixtralConfig, MixtralForCausalLM

from lora_demo.figures.counting import ATTENTION, linears, parameters
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

RANK = 16
EXPERTS = ("gate_up_proj", "down_proj")
GEOMETRY = both(
    "transformers 的默认配置，即 Mixtral-8x7B 的尺寸", "transformers' default configuration, Mixtral-8x7B's sizes"
)
MLA = both("transformers 的默认配置；bf16", "transformers' default configuration; bf16")


@cache
def mixtral() -> MixtralForCausalLM:
    with torch.device("meta"):
        return MixtralForCausalLM(MixtralConfig())


def fused(name: str) -> list[nn.Parameter]:
    """The fused expert weights [experts, d_out, d_in] of that name, one per layer."""
    return [p for path, p in mixtral().named_parameters() if path.endswith(f"experts.{name}")]


@figure(
    "mixtral.params.total",
    unit="params",
    title=both("Mixtral-8x7B 的总参数量", "parameters of Mixtral-8x7B in all"),
    conditions=GEOMETRY,
)
def total() -> int:
    return parameters(mixtral())


@figure(
    "mixtral.params.experts_share",
    unit="%",
    title=both("专家权重占 Mixtral-8x7B 的比例", "share of Mixtral-8x7B that is expert weights"),
    conditions=GEOMETRY,
)
def experts_share() -> float:
    return sum(p.numel() for name in EXPERTS for p in fused(name)) / total()


@figure(
    "mixtral.params.router",
    unit="params",
    title=both("Mixtral-8x7B 全部路由器的参数量", "parameters of all routers of Mixtral-8x7B"),
    conditions=GEOMETRY,
)
def router() -> int:
    config = mixtral().config
    return config.num_hidden_layers * config.num_local_experts * config.hidden_size


@figure(
    "mixtral.lora.attention.r16",
    unit="params",
    title=both("Mixtral-8x7B 上 LoRA r=16 挂 attention 的参数量", "LoRA r=16 on Mixtral-8x7B's attention"),
    conditions=GEOMETRY,
)
def lora_attention() -> int:
    return RANK * sum(layer.in_features + layer.out_features for layer in linears(mixtral(), ATTENTION))


@figure(
    "mixtral.lora.experts.r16",
    unit="params",
    title=both("Mixtral-8x7B 上 LoRA r=16 挂全部专家的参数量", "LoRA r=16 on all experts of Mixtral-8x7B"),
    conditions=both(
        GEOMETRY["zh"] + "；融合权重，每个专家一对 A、B，gate 和 up 合成一个矩阵",
        GEOMETRY["en"] + "; fused weights, one A and B per expert, gate and up as one matrix",
    ),
)
def lora_experts() -> int:
    return RANK * sum(p.shape[0] * (p.shape[1] + p.shape[2]) for name in EXPERTS for p in fused(name))


@figure(
    "mixtral.fused_gate_up",
    unit="B",
    title=both("Mixtral-8x7B 一层融合 gate_up 权重的大小", "one layer's fused gate_up weight of Mixtral-8x7B"),
    conditions=both(GEOMETRY["zh"] + "；bf16", GEOMETRY["en"] + "; bf16"),
)
def fused_gate_up() -> int:
    return fused("gate_up_proj")[0].numel() * BYTES_PER_VALUE["bfloat16"]


@figure(
    "deepseek_v3.kv_lora_rank",
    unit="1",
    title=both("DeepSeek-V3 的 kv_lora_rank", "DeepSeek-V3's kv_lora_rank"),
    conditions=MLA,
)
def kv_lora_rank() -> int:
    return DeepseekV3Config().kv_lora_rank


@figure(
    "deepseek_v3.cache_per_token",
    unit="B/token",
    title=both("DeepSeek-V3 每个 token 的 KV 缓存（压缩后）", "DeepSeek-V3's KV cache per token, compressed"),
    conditions=MLA,
)
def compressed_cache() -> int:
    config = DeepseekV3Config()
    width = config.kv_lora_rank + config.qk_rope_head_dim
    return config.num_hidden_layers * width * BYTES_PER_VALUE["bfloat16"]


@figure(
    "deepseek_v3.cache_saving",
    unit="ratio",
    title=both("同样的头全存 K、V 是压缩缓存的几倍", "full K and V of the same heads over the compressed cache"),
    conditions=MLA,
)
def cache_saving() -> float:
    config = DeepseekV3Config()
    assert config.v_head_dim is not None
    per_head = config.qk_nope_head_dim + config.qk_rope_head_dim + config.v_head_dim
    return config.num_attention_heads * per_head / (config.kv_lora_rank + config.qk_rope_head_dim)
