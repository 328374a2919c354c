"""Mental arithmetic: model, method and card; the estimate in the head, the exact state, and what the card has left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lora_demo.figures.catalogue.mgm2b_logits import vocabulary as gemma_vocabulary
from lora_demo.figures.catalogue.seven_b import (
    cache_per_token,
    full_states,
    inference,
    lora_states,
    qlora_states,
)
from lora_demo.figures.counting import parameters
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure
from lora_demo.memory.cards import card
from lora_demo.memory.in_the_head import ADAM_8BIT, ADAM_BF16, ADAM_MIXED, BF16, NF4, step_bytes
from lora_demo.results.units import GB


@dataclass(frozen=True)
class Drill:
    """`head`: bytes by round numbers; `need`: bytes exactly; `fits` is checked when the figure is computed."""

    head: Callable[[], float]
    need: Callable[[], float]
    card: str
    fits: bool
    cards: int = 1

    def left(self) -> int | float:
        """Bytes left on the card, or missing where it does not fit."""
        left = self.cards * card(self.card).visible - self.need()
        if (left >= 0) != self.fits:
            raise ValueError(f"{self.need():,.0f} bytes on {self.cards} x {self.card}: `fits={self.fits}` is wrong")
        return abs(left)


def states(billions: int | float, weight: float = BF16, state: float = 0.0) -> Callable[[], float]:
    """Round billions of parameters, all of them trained if `state` is given."""
    return lambda: step_bytes(billions * GB, billions * GB if state else 0, weight, state)["total"]


def cache(model: str, tokens: int) -> Callable[[], float]:
    return lambda: inference(model) + tokens * cache_per_token(model)


def logits(vocabulary: int, tokens: int) -> float:
    return step_bytes(0, 0, tokens=tokens, vocabulary=vocabulary)["total"]


def llama2_inputs() -> float:
    return lora_states("llama2_7b") + step_bytes(0, 0, tokens=4 * 4096, layers=32, hidden=4096)["total"]


DRILLS = {
    "7b_inference": Drill(states(7), lambda: inference("llama2_7b"), "16gb", True),
    "8b_lora": Drill(states(8), lambda: lora_states("llama31_8b"), "rtx4090", True),
    "7b_qlora": Drill(states(7.6, NF4), lambda: qlora_states("qwen25_7b"), "12gb", True),
    "7b_full_bf16": Drill(states(7, BF16, ADAM_BF16), lambda: full_states("llama2_7b", "full_bf16"), "a100-80gb", True),
    "7b_full_mixed": Drill(
        states(7, BF16, ADAM_MIXED), lambda: full_states("llama2_7b", "full_mixed"), "a100-80gb", False
    ),
    "7b_full_8bit": Drill(
        states(7.6, BF16, ADAM_8BIT), lambda: full_states("qwen25_7b", "full_adam8bit"), "l40s", True
    ),
    "13b_lora": Drill(states(13), states(13), "rtx4090", False),
    "13b_qlora": Drill(states(13, NF4), states(13, NF4), "12gb", True),
    "70b_qlora": Drill(states(70, NF4), states(70, NF4), "l40s", True),
    "70b_lora": Drill(states(70), states(70), "a100-80gb", True, cards=2),
    "gemma_logits": Drill(
        lambda: states(2.5)() + logits(256_000, 4 * 2000),
        lambda: BF16 * parameters(gemma_2b()) + logits(gemma_vocabulary(), 4 * 2048),
        "rtx4090",
        False,
    ),
    "7b_cache": Drill(lambda: states(7)() + 32_000 * 0.5e6, cache("llama2_7b", 8 * 4096), "rtx4090", False),
    "8b_cache": Drill(lambda: states(8)() + 32_000 * 0.125e6, cache("llama31_8b", 8 * 4096), "rtx4090", True),
    "7b_layer_inputs": Drill(lambda: states(7)() + 2.0 * 16_000 * 4000 * 32, llama2_inputs, "rtx4090", True),
}
WORDS = {
    "7b_inference": both("Llama-2-7B bf16 推理，16 GB 卡", "Llama-2-7B, bf16 inference, 16 GB card"),
    "8b_lora": both("Llama-3.1-8B LoRA r=16，RTX 4090", "Llama-3.1-8B, LoRA r=16, RTX 4090"),
    "7b_qlora": both("Qwen2.5-7B QLoRA r=16，12 GB 卡", "Qwen2.5-7B, QLoRA r=16, 12 GB card"),
    "7b_full_bf16": both("Llama-2-7B 纯 bf16 全参，A100 80GB", "Llama-2-7B, full in pure bf16, A100 80GB"),
    "7b_full_mixed": both("Llama-2-7B 混合精度全参，A100 80GB", "Llama-2-7B, full in mixed precision, A100 80GB"),
    "7b_full_8bit": both("Qwen2.5-7B 8-bit Adam 全参，L40S", "Qwen2.5-7B, full with 8-bit Adam, L40S"),
    "13b_lora": both("13B LoRA 的 bf16 基座，RTX 4090", "bf16 base of LoRA on a 13B, RTX 4090"),
    "13b_qlora": both("13B QLoRA 的基座，12 GB 卡", "base of QLoRA on a 13B, 12 GB card"),
    "70b_qlora": both("70B QLoRA 的基座，L40S", "base of QLoRA on a 70B, L40S"),
    "70b_lora": both("70B LoRA 的 bf16 基座，两张 A100 80GB", "bf16 base of LoRA on a 70B, two A100 80GB"),
    "gemma_logits": both(
        "Gemma-2B 权重加朴素 logits，batch 4，长 2048", "Gemma-2B, weights and naive logits, batch 4, length 2048"
    ),
    "7b_cache": both("Llama-2-7B 权重加 KV 缓存，8 路 4096", "Llama-2-7B, weights and KV cache, 8 rows of 4096"),
    "8b_cache": both("Llama-3.1-8B 权重加 KV 缓存，8 路 4096", "Llama-3.1-8B, weights and KV cache, 8 rows of 4096"),
    "7b_layer_inputs": both(
        "Llama-2-7B LoRA 加检查点层输入，batch 4，长 4096", "Llama-2-7B, LoRA and checkpointed layer inputs, 4 of 4096"
    ),
}
IN_ALL = both("不写明的部分都没算；十进制 GB", "what is not named is left out; decimal GB")
VISIBLE = both(
    "PyTorch 可见显存减去精确需求；4090 是读数，其余按标称减 0.35 GiB 估",
    "memory that PyTorch sees, less the exact need; read off for a 4090, nominal less 0.35 GiB for others",
)


@figure(
    "drill.{drill}.head",
    unit="GB",
    title=both("心算：{drill}", "in the head: {drill}"),
    conditions=IN_ALL,
    over={"drill": DRILLS},
    words={"drill": WORDS},
)
def head(drill: str) -> float:
    return DRILLS[drill].head() / GB


@figure(
    "drill.{drill}.need",
    unit="B",
    title=both("精确：{drill}", "exactly: {drill}"),
    over={"drill": DRILLS},
    words={"drill": WORDS},
)
def need(drill: str) -> int:
    return round(DRILLS[drill].need())


@figure(
    "drill.{drill}.spare",
    unit="B",
    title=both("还剩：{drill}", "left over: {drill}"),
    conditions=VISIBLE,
    over={"drill": [name for name, drill in DRILLS.items() if drill.fits]},
    words={"drill": WORDS},
)
def spare(drill: str) -> int:
    return round(DRILLS[drill].left())


@figure(
    "drill.{drill}.missing",
    unit="B",
    title=both("还差：{drill}", "missing: {drill}"),
    conditions=VISIBLE,
    over={"drill": [name for name, drill in DRILLS.items() if not drill.fits]},
    words={"drill": WORDS},
)
def missing(drill: str) -> int:
    return round(DRILLS[drill].left())
