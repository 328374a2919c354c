"""What the logits weigh in other model families, and against the layers of Gemma-2B."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_logits import NAIVE, hidden, layers, naive
from lora_demo.figures.catalogue.seven_b import NAMES, PRESETS
from lora_demo.figures.geometry import language_model
from lora_demo.figures.registry import both, figure
from lora_demo.memory.in_the_head import step_bytes

FAMILIES = ("llama2_7b", "llama31_8b", "qwen25_7b")
LENGTH = 2048


@figure(
    "{model}.vocab",
    unit="1",
    title=both("{model} 的词表大小", "size of {model}'s vocabulary"),
    conditions=both("含补齐的行", "padding rows included"),
    over={"model": FAMILIES},
    words={"model": NAMES},
)
def vocabulary(model: str) -> int:
    head = language_model(PRESETS[model]).get_output_embeddings()  # type: ignore[operator]  # a transformers model
    return head.weight.shape[0]


@figure(
    "{model}.logits.naive.t2048",
    unit="B",
    title=both("{model}：朴素损失、长度 2048 的 logits", "{model}: logits under the naive loss at length 2048"),
    conditions=both(NAIVE["zh"] + "；batch 1", NAIVE["en"] + "; batch 1"),
    over={"model": FAMILIES},
    words={"model": NAMES},
)
def naive_logits(model: str) -> int:
    return int(step_bytes(0, 0, tokens=LENGTH, vocabulary=vocabulary(model))["logits"])


@figure(
    "mgm2b.logits.over_layer_inputs",
    unit="ratio",
    title=both(
        "每个位置的 logits 与检查点下各层输入之比", "logits of one position over its layer inputs under checkpointing"
    ),
    conditions=both(
        "Gemma-2B，朴素损失；层输入 bf16，每层一份", "Gemma-2B, naive loss; layer inputs in bf16, one each"
    ),
)
def over_layer_inputs() -> float:
    return naive() / step_bytes(0, 0, tokens=1, layers=layers(), hidden=hidden())["layer inputs"]
