"""Every linear layer of MGM-2B by part: what a suffix or `all-linear` reaches when the whole model is wrapped."""

from __future__ import annotations

from torch import nn

from lora_demo.figures.counting import linears
from lora_demo.figures.geometry import gemma_2b, mgm_2b, mining
from lora_demo.figures.registry import both, figure

RANK = 16
PARTS = {
    "llm": both("语言模型", "the language model"),
    "clip": both("CLIP 塔", "the CLIP tower"),
    "convnext": both("ConvNeXt 塔", "the ConvNeXt tower"),
    "projectors": both("投影层和细节挖掘", "projector and patch-info mining"),
}
NO_HEAD = both("输出层不算", "the output layer not counted")


def _part(name: str) -> list[nn.Linear]:
    model = mgm_2b()
    roots = {
        "llm": [gemma_2b().model],
        "clip": [model.vision_tower],
        "convnext": [model.vision_tower_aux],
        "projectors": [model.mm_projector, mining()],
    }
    return [module for root in roots[name] for module in root.modules() if isinstance(module, nn.Linear)]


def _adapter(layers: list[nn.Linear]) -> int:
    return sum(RANK * (layer.in_features + layer.out_features) for layer in layers)


@figure(
    "vlm.linears.{part}",
    unit="1",
    title=both("MGM-2B 里{part}的线性层数", "linear layers in {part} of MGM-2B"),
    conditions=NO_HEAD,
    over={"part": PARTS},
    words={"part": PARTS},
)
def linear_count(part: str) -> int:
    return len(_part(part))


@figure(
    "vlm.linears.total",
    unit="1",
    title=both("MGM-2B 全模型的线性层数", "linear layers in the whole of MGM-2B"),
    conditions=NO_HEAD,
)
def linear_total() -> int:
    return sum(linear_count(part) for part in PARTS)


@figure(
    "vlm.all_linear.r16.{part}",
    unit="params",
    title=both("LoRA r=16 挂满{part}的参数量", "parameters of LoRA r=16 on every linear of {part}"),
    over={"part": PARTS},
    words={"part": PARTS},
)
def adapter_count(part: str) -> int:
    return _adapter(_part(part))


@figure(
    "vlm.all_linear.r16.outside_share",
    unit="%",
    title=both(
        "all-linear 的适配器参数里落在语言模型之外的比例", "share of all-linear's adapters outside the language model"
    ),
    conditions=both("LoRA r=16 挂满整个 MGM-2B，输出层不挂", "LoRA r=16 on the whole of MGM-2B, output layer left out"),
)
def outside_share() -> float:
    return 1 - adapter_count("llm") / sum(adapter_count(part) for part in PARTS)


@figure(
    "vlm.qv_suffix.r16.clip",
    unit="params",
    title=both("裸后缀 q、v 多挂到 CLIP 上的参数量", "parameters that bare q and v suffixes add in the CLIP tower"),
    conditions=both("LoRA r=16", "LoRA r=16"),
)
def suffix_in_clip() -> int:
    return _adapter(linears(mgm_2b().vision_tower, ("q_proj", "v_proj")))
