"""What is left of an RTX 4090 after the training state: arithmetic, with activations and logits still to come."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_states import full_states, lora_states
from lora_demo.figures.literature import cited
from lora_demo.figures.registry import both, figure

LEFT = both(
    "PyTorch 可见显存减去训练状态；激活、logits 和 CUDA 上下文还要从里面出",
    "memory that PyTorch sees minus the training state; activations, logits and the CUDA context still come out of it",
)


def _visible() -> int:
    return int(cited("rtx4090.memory_visible"))


@figure(
    "mgm2b.full_bf16.headroom_4090",
    unit="B",
    title=both("纯 bf16 全参微调后 4090 剩下的显存", "what a 4090 has left beside pure bf16 full fine-tuning"),
    conditions=LEFT,
)
def full_bf16_headroom() -> int:
    return _visible() - full_states("full_bf16")


@figure(
    "mgm2b.full_adam8bit.headroom_4090",
    unit="B",
    title=both(
        "8-bit AdamW 全参微调后 4090 剩下的显存", "what a 4090 has left beside full fine-tuning with 8-bit AdamW"
    ),
    conditions=LEFT,
)
def full_adam8bit_headroom() -> int:
    return _visible() - full_states("full_adam8bit")


@figure(
    "mgm2b.lora_r16.headroom_4090",
    unit="B",
    title=both("LoRA r=16 全挂后 4090 剩下的显存", "what a 4090 has left beside LoRA r=16 on all linears"),
    conditions=LEFT,
)
def lora_headroom() -> int:
    return _visible() - lora_states(16)


@figure(
    "mgm2b.full_mixed.excess_4090",
    unit="B",
    title=both("标准混合精度全参微调超出 4090 的部分", "by how much mixed-precision full fine-tuning exceeds a 4090"),
    conditions=both("只算训练状态，就已经超出", "the training state alone"),
)
def full_mixed_excess() -> int:
    return full_states("full_mixed") - _visible()


@figure(
    "rtx4090.hidden",
    unit="B",
    title=both("nvidia-smi 与 PyTorch 所见显存之差", "memory that nvidia-smi shows and PyTorch does not see"),
)
def hidden() -> int:
    return int(cited("rtx4090.memory_nvidia_smi")) - _visible()
