"""The models interviewers name: Llama-2-7B, Llama-3.1-8B, Qwen2.5-7B."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter, nf4_double_quant_bits
from lora_demo.figures.catalogue.mgm2b_lora import WHERE
from lora_demo.figures.counting import TARGETS, biases, linears, lora, parameters
from lora_demo.figures.geometry import language_model
from lora_demo.figures.registry import both, figure

BITS_PER_BYTE = 8
PRESETS = {
    "llama2_7b": "llama-2-7b",
    "llama31_8b": "llama-3.1-8b",
    "qwen25_7b": "qwen2.5-7b",
    "llama32_3b": "llama-3.2-3b",
}
NAMES = {
    "llama2_7b": both("Llama-2-7B", "Llama-2-7B"),
    "llama31_8b": both("Llama-3.1-8B", "Llama-3.1-8B"),
    "qwen25_7b": both("Qwen2.5-7B", "Qwen2.5-7B"),
    "llama32_3b": both("Llama-3.2-3B", "Llama-3.2-3B"),
}
STATES = both(
    "权重、梯度、优化器状态；不含激活和 logits", "weights, gradients, optimizer state; no activations, no logits"
)
BF16_ADAPTERS = both(
    "适配器 bf16，全部七类线性层；" + STATES["zh"], "bf16 adapters on all seven linear layers; " + STATES["en"]
)


@figure(
    "{model}.params.total",
    unit="params",
    title=both("{model} 的总参数量", "parameters of {model} in all"),
    over={"model": PRESETS},
    words={"model": NAMES},
)
def total(model: str) -> int:
    return parameters(language_model(PRESETS[model]))


@figure(
    "{model}.lora.{targets}.r{rank}",
    unit="params",
    title=both(
        "{model} 上 LoRA r={rank}、挂{targets}的参数量", "trainable parameters of LoRA r={rank} on {targets} of {model}"
    ),
    over={"model": PRESETS, "targets": ("qv", "all"), "rank": (8, 16, 64)},
    words={"model": NAMES, "targets": WHERE},
)
def trainable(model: str, targets: str, rank: int) -> int:
    """LoRA applied at rank one, times the rank: each matrix's two factors grow with it."""
    return rank * lora(PRESETS[model], targets, 1)


@figure(
    "{model}.lora.{targets}.r{rank}.share",
    unit="%",
    title=both(
        "{model} 上 LoRA r={rank}、挂{targets}的比例", "trainable share of LoRA r={rank} on {targets} of {model}"
    ),
    over={"model": PRESETS, "targets": ("qv", "all"), "rank": (8, 16, 64)},
    words={"model": NAMES, "targets": WHERE},
)
def share(model: str, targets: str, rank: int) -> float:
    return trainable(model, targets, rank) / total(model)


@figure(
    "{model}.states.inference_bf16",
    unit="B",
    title=both("{model} 的 bf16 权重", "weights of {model} in bf16"),
    over={"model": PRESETS},
    words={"model": NAMES},
)
def inference(model: str) -> int:
    return int(total(model) * bytes_per_parameter("frozen_bf16"))


@figure(
    "{model}.states.{convention}",
    unit="B",
    title=both("{model} 全参微调的训练状态，{convention}", "training state of fully fine-tuning {model}, {convention}"),
    conditions=STATES,
    over={"model": PRESETS, "convention": ("full_bf16", "full_mixed", "full_adam8bit", "full_fp32_moments")},
    words={
        "model": NAMES,
        "convention": {
            "full_bf16": both("纯 bf16 AdamW", "pure bf16 AdamW"),
            "full_mixed": both("标准混合精度", "standard mixed precision"),
            "full_adam8bit": both("8-bit AdamW", "8-bit AdamW"),
            "full_fp32_moments": both("16 位权重和梯度、fp32 矩", "16-bit weights and gradients, fp32 moments"),
        },
    },
)
def full_states(model: str, convention: str) -> int:
    return int(total(model) * bytes_per_parameter(convention))


@figure(
    "{model}.states.lora_all_r16",
    unit="B",
    title=both("{model} LoRA r=16 全挂的训练状态", "training state of LoRA r=16 on all linears of {model}"),
    conditions=BF16_ADAPTERS,
    over={"model": PRESETS},
    words={"model": NAMES},
)
def lora_states(model: str) -> int:
    return int(inference(model) + trainable(model, "all", 16) * bytes_per_parameter("full_bf16"))


@figure(
    "{model}.weights.nf4",
    unit="B",
    title=both("{model} 量化成 NF4 后的权重", "weights of {model} in NF4"),
    conditions=both(
        "各层线性层按 NF4 加双重量化，词嵌入、输出层、norm 和 bias 保持 bf16",
        "the layers' linears in NF4 with double quantisation; embedding, output layer, norms and biases stay bf16",
    ),
    over={"model": PRESETS},
    words={"model": NAMES},
)
def nf4_weights(model: str) -> int:
    packed = sum(m.weight.numel() for m in linears(language_model(PRESETS[model]), TARGETS["all"]))
    quantised = packed * nf4_double_quant_bits() / BITS_PER_BYTE
    return round(quantised + (total(model) - packed) * bytes_per_parameter("frozen_bf16"))


@figure(
    "{model}.states.qlora_all_r16",
    unit="B",
    title=both("{model} QLoRA r=16 全挂的训练状态", "training state of QLoRA r=16 on all linears of {model}"),
    conditions=BF16_ADAPTERS,
    over={"model": PRESETS},
    words={"model": NAMES},
)
def qlora_states(model: str) -> int:
    return int(nf4_weights(model) + trainable(model, "all", 16) * bytes_per_parameter("full_bf16"))


@figure(
    "{model}.bias",
    unit="params",
    title=both("{model} 的 bias 数", "bias values in {model}"),
    over={"model": PRESETS},
    words={"model": NAMES},
)
def bias_count(model: str) -> int:
    return biases(language_model(PRESETS[model]))


@figure(
    "{model}.cache_per_token",
    unit="B/token",
    title=both("{model} 每个 token 的 KV 缓存", "KV cache per token of {model}"),
    conditions=both(
        "bf16；prefix tuning 的一个虚拟 token 也占这么多", "bf16; one virtual token of prefix tuning takes as much"
    ),
    over={"model": PRESETS},
    words={"model": NAMES},
)
def cache_per_token(model: str) -> int:
    layers = linears(language_model(PRESETS[model]), ("k_proj", "v_proj"))
    return 2 * sum(layer.out_features for layer in layers)
