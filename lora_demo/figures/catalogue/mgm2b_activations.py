"""What MGM-2B's language model keeps for the backward pass, as far as plain counting goes: inputs of the linears."""

from __future__ import annotations

from lora_demo.figures.catalogue.mgm2b_logits import hidden, layers
from lora_demo.figures.counting import linears
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

BF16 = BYTES_PER_VALUE["bfloat16"]
# q, k, v read one tensor, gate and up another: whoever needs it, it is kept once.
INPUTS = {"qv": ("q_proj",), "all": ("q_proj", "o_proj", "gate_proj", "down_proj")}


@figure(
    "mgm2b.linear_inputs.{targets}.t{length}",
    unit="B",
    title=both(
        "长度 {length}：算{targets}的梯度要留的线性层输入",
        "inputs kept for the gradients of {targets} at length {length}",
    ),
    conditions=both(
        "bf16，batch 1，不开检查点；q、k、v 共用一份输入，gate、up 共用一份；不含其他激活",
        "bf16, batch 1, no checkpointing; q, k, v share one input, gate and up another; nothing else counted",
    ),
    over={"targets": INPUTS, "length": (704, 2048)},
    words={
        "targets": {
            "qv": both("只挂 q、v", "adapters on q and v only"),
            "all": both("全参或七类全挂", "full fine-tuning or all seven linears"),
        }
    },
)
def linear_inputs(targets: str, length: int) -> int:
    return length * BF16 * sum(layer.in_features for layer in linears(gemma_2b(), INPUTS[targets]))


@figure(
    "mgm2b.layer_inputs.t{length}",
    unit="B",
    title=both(
        "长度 {length}：开检查点后每层只留的输入",
        "one input per layer, all that checkpointing keeps at length {length}",
    ),
    conditions=both("bf16，batch 1，按层重算", "bf16, batch 1, recomputing layer by layer"),
    over={"length": (704, 2048)},
)
def layer_inputs(length: int) -> int:
    return length * BF16 * hidden() * layers()
