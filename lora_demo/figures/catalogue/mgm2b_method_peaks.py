"""Peak of one training step of MGM-2B for the methods beside LoRA, predicted like those in `mgm2b_peaks`."""

from __future__ import annotations

from dataclasses import replace

from lora_demo.figures.catalogue.mgm2b_peaks import TOLERANCE
from lora_demo.figures.registry import both, figure
from lora_demo.memory.predict import Setting, predict
from lora_demo.results.record import installed_versions

SETTINGS = {
    "dora": Setting("mgm-2b", "dora:r=16,targets=all"),
    "qlora": Setting("mgm-2b", "lora:r=16,targets=all", base="nf4"),
    "adapter": Setting("mgm-2b", "adapter:bottleneck=64"),
    "prefix": Setting("mgm-2b", "prefix:count=20"),
    "prompt": Setting("mgm-2b", "prompt:count=20"),
    "ia3": Setting("mgm-2b", "ia3:targets=k_proj+v_proj+down_proj,feedforward=down_proj"),
    "layernorm": Setting("mgm-2b", "layernorm"),
}
CONDITIONS = both(
    "batch 1，一张图，bf16 权重（qlora 的底座是 NF4），新加的参数是 fp32，foreach AdamW，不重算激活，logits 全算；"
    "LoRA、DoRA、QLoRA 都是 r=16、七类线性层全挂，Adapter 每层两个、瓶颈 64，Prefix 和 Prompt 各 20 个，"
    "IA3 挂 k、v、down；T 含 576 个图像位置；预测值，没有在 GPU 上实测",
    "batch 1, one image, bf16 weights (an NF4 base for qlora), added parameters in fp32, foreach AdamW, nothing "
    "recomputed, all logits; LoRA, DoRA and QLoRA with r=16 on all seven linears, two adapters per layer with "
    "bottleneck 64, prefix and prompt of 20, IA3 on k, v and down; T counts the 576 image positions; predicted, not "
    "measured on a GPU",
)


@figure(
    "mgm2b.method_peak.{method}.t{length}",
    unit="B",
    kind="predicted",
    tolerance=TOLERANCE,
    title=both("MGM-2B 一步的显存峰值：{method}，T={length}", "MGM-2B, peak of one step: {method}, T={length}"),
    conditions=CONDITIONS,
    environment=installed_versions,
    over={"method": tuple(SETTINGS), "length": (704, 2048)},
)
def method_peak(method: str, length: int) -> int:
    return predict(replace(SETTINGS[method], length=length)).peak_allocated
