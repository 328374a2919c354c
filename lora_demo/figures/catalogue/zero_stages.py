"""ZeRO: what each stage leaves on one GPU, for full fine-tuning and for LoRA."""

from __future__ import annotations

from lora_demo.figures.catalogue.seven_b import total, trainable
from lora_demo.figures.registry import both, figure

GPUS = 8
# weight, gradient, and master copy with two moments in fp32
MIXED = (2, 2, 12)
SHARDED_FROM = (3, 2, 1)
"""The stage from which weights, gradients and optimizer state are split."""
METHODS = {
    "full": both("全参微调", "full fine-tuning"),
    "lora_r16": both("LoRA r=16 全挂", "LoRA r=16 on all linears"),
}


def per_gpu(frozen: int, trained: int, gpus: int, stage: int) -> float:
    """Bytes of training state on each of `gpus` GPUs; frozen weights are split by stage 3 only."""
    parts = [trained * size / (gpus if stage >= at else 1) for size, at in zip(MIXED, SHARDED_FROM, strict=True)]
    return sum(parts) + frozen * MIXED[0] / (gpus if stage >= SHARDED_FROM[0] else 1)


@figure("zero.gpus", unit="1", title=both("例子里的卡数", "GPUs in the example"))
def gpus() -> int:
    return GPUS


@figure(
    "zero.llama2_7b.{method}.stage{stage}",
    unit="B",
    title=both(
        "Llama-2-7B {method}、ZeRO-{stage} 时每卡的训练状态",
        "training state per GPU: Llama-2-7B, {method}, ZeRO-{stage}",
    ),
    conditions=both(
        "8 卡；标准混合精度 Adam，LoRA 的冻结权重 bf16；不含激活、logits 和通信缓冲",
        "8 GPUs; standard mixed-precision Adam, LoRA's frozen weights in bf16; no activations, logits or buffers",
    ),
    over={"method": METHODS, "stage": (0, 1, 2, 3)},
    words={"method": METHODS},
)
def states_per_gpu(method: str, stage: int) -> int:
    base, adapter = total("llama2_7b"), trainable("llama2_7b", "all", 16)
    frozen, trained = (0, base) if method == "full" else (base, adapter)
    return round(per_gpu(frozen, trained, GPUS, stage))
