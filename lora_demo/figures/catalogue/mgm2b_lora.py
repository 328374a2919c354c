"""LoRA on MGM-2B's language model: rank x target set, as counts, shares and adapter files."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_parts import embedding, full, stage_one, total
from lora_demo.figures.counting import TARGETS, linears, lora
from lora_demo.figures.geometry import gemma_2b, mgm_2b
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

RANKS = (4, 8, 16, 32, 64)
WHERE = {
    "qv": both("q、v", "q and v"),
    "qkvo": both("q、k、v、o", "q, k, v and o"),
    "qvo": both("q、v、o", "q, v and o"),
    "qvo_gate": both("q、v、o、gate", "q, v, o and gate"),
    "qvo_mlp": both("q、v、o 和 MLP 三层", "q, v, o and the three MLP layers"),
    "all": both("全部七类线性层", "all seven linear layers"),
}
LLM_ONLY = both("只挂在语言模型上；投影层和视觉塔冻结", "on the language model only; projectors and towers stay frozen")
OF_BASE = both("相对基座总参数量；投影层和视觉塔冻结", "of the base model's parameters; projectors and towers frozen")


@figure(
    "mgm2b.lora.{targets}.r{rank}",
    unit="params",
    title=both(
        "MGM-2B 上 LoRA r={rank}、挂{targets}的可训练参数量",
        "trainable parameters of LoRA r={rank} on {targets} of MGM-2B",
    ),
    conditions=LLM_ONLY,
    over={"targets": TARGETS, "rank": RANKS},
    words={"targets": WHERE},
)
def trainable(targets: str, rank: int) -> int:
    """What LoRA trains on the built language model; r x (in + out) per target."""
    return lora("gemma-2b", targets, rank)


@figure(
    "mgm2b.lora.{targets}.r{rank}.share",
    unit="%",
    title=both(
        "MGM-2B 上 LoRA r={rank}、挂{targets}的可训练比例", "trainable share of LoRA r={rank} on {targets} of MGM-2B"
    ),
    conditions=OF_BASE,
    over={"targets": TARGETS, "rank": RANKS},
    words={"targets": WHERE},
)
def share(targets: str, rank: int) -> float:
    return trainable(targets, rank) / total()


@figure(
    "mgm2b.lora.all.r16.share_peft",
    unit="%",
    title=both(
        "LoRA r=16 全挂的可训练比例，按 PEFT 的打印口径", "trainable share of LoRA r=16 on all, as PEFT prints it"
    ),
    conditions=both("分母里算上适配器自己", "the adapters count in the denominator too"),
)
def share_as_peft_prints() -> float:
    return trainable("all", 16) / (total() + trainable("all", 16))


@figure(
    "mgm2b.lora.all.r16_projectors",
    unit="params",
    title=both(
        "LoRA r=16 全挂、投影层也训练的参数量", "trainable parameters of LoRA r=16 on all, projectors training too"
    ),
    conditions=both("投影层按原版配方一起训练", "the projectors train, as in the original recipe"),
)
def with_projectors() -> int:
    return trainable("all", 16) + stage_one()


@figure(
    "mgm2b.lora.all.r16_projectors.share",
    unit="%",
    title=both("LoRA r=16 全挂、投影层也训练的比例", "trainable share of LoRA r=16 on all, projectors training too"),
    conditions=both("相对基座总参数量", "of the base model's parameters"),
)
def with_projectors_share() -> float:
    return with_projectors() / total()


@figure(
    "mgm2b.lora.all.r16.frozen_share",
    unit="%",
    title=both("LoRA r=16 全挂时冻结的比例", "share of MGM-2B that stays frozen under LoRA r=16 on all"),
)
def frozen_share() -> float:
    return total() / (total() + trainable("all", 16))


@figure(
    "mgm2b.lora.modules.{targets}",
    unit="1",
    title=both("挂{targets}时被包住的线性层个数", "linear layers wrapped when LoRA goes on {targets}"),
    over={"targets": TARGETS},
    words={"targets": WHERE},
)
def wrapped_modules(targets: str) -> int:
    return len(linears(gemma_2b(), TARGETS[targets]))


@figure(
    "mgm2b.adapter_file.{targets}.r{rank}",
    unit="B",
    title=both("LoRA r={rank}、挂{targets}的适配器文件大小", "adapter file size of LoRA r={rank} on {targets}"),
    conditions=both(
        "bf16 保存，只算张量，不含几 KB 的文件头", "saved in bf16; tensors only, without a few KB of header"
    ),
    over={"targets": ("qv", "all"), "rank": (8, 16, 32, 64)},
    words={"targets": WHERE},
)
def adapter_file(targets: str, rank: int) -> int:
    return BYTES_PER_VALUE["bfloat16"] * trainable(targets, rank)


@figure(
    "mgm2b.adapter_file.{targets}.r16_fp32",
    unit="B",
    title=both("LoRA r=16、挂{targets}的适配器文件大小，fp32", "fp32 adapter file size of LoRA r=16 on {targets}"),
    conditions=both("PEFT 默认按 fp32 存适配器；只算张量", "PEFT keeps adapters in fp32 by default; tensors only"),
    over={"targets": ("qv", "all")},
    words={"targets": WHERE},
)
def adapter_file_fp32(targets: str) -> int:
    return BYTES_PER_VALUE["float32"] * trainable(targets, 16)


@figure(
    "mgm2b.model_file.bf16",
    unit="B",
    title=both("MGM-2B 整个模型的 bf16 文件大小", "size of the whole MGM-2B in bf16"),
    conditions=both("共享的输出层只存一份；只算张量", "the tied output layer is stored once; tensors only"),
)
def model_file() -> int:
    return BYTES_PER_VALUE["bfloat16"] * total()


@figure(
    "mgm2b.adapter_file.all.r16.ratio",
    unit="ratio",
    title=both("整个模型与 r=16 全挂适配器的文件大小之比", "whole model over the r=16 adapter on all, in file size"),
    conditions=both("都按 bf16 保存", "both saved in bf16"),
)
def file_ratio() -> float:
    return model_file() / adapter_file("all", 16)


@figure(
    "mgm2b.lora.param_ratio.full_over_all_r16",
    unit="ratio",
    title=both("全参微调与 LoRA r=16 全挂的可训练参数之比", "trainable parameters of full over LoRA r=16 on all"),
)
def full_over_lora() -> float:
    return full() / trainable("all", 16)


@figure(
    "mgm2b.lora.param_ratio.embedding_over_all_r16",
    unit="ratio",
    title=both("词嵌入与 LoRA r=16 全挂的参数之比", "parameters of the embedding over LoRA r=16 on all"),
)
def embedding_over_lora() -> float:
    return embedding() / trainable("all", 16)


@figure(
    "mgm2b.lora.modules.clip_hit",
    unit="1",
    title=both("按后缀匹配 q、v 时误中的 CLIP 线性层", "CLIP layers that a suffix match on q and v hits by mistake"),
    conditions=both(
        "把整个 MGM 交给 PEFT、只写 q_proj 和 v_proj 时", "when the whole MGM is wrapped with bare q_proj and v_proj"
    ),
)
def clip_hit() -> int:
    return len(linears(mgm_2b().vision_tower, TARGETS["qv"]))
