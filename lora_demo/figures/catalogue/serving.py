"""Fifty customers on one 7B: one base with fifty adapters, against fifty merged models."""

from __future__ import annotations

from lora_demo.figures.counting import lora, parameters
from lora_demo.figures.geometry import language_model
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

MODEL = "llama-2-7b"
CUSTOMERS = 50
SETTING = both("Llama-2-7B，bf16，LoRA r=16 挂全部七类线性层", "Llama-2-7B in bf16, LoRA r=16 on all seven linears")


def _base() -> int:
    return parameters(language_model(MODEL)) * BYTES_PER_VALUE["bfloat16"]


@figure("serving.customers", unit="1", title=both("例子里的客户数", "customers in the example"))
def customers() -> int:
    return CUSTOMERS


@figure("serving.adapter", unit="B", title=both("每个客户的适配器大小", "adapter of one customer"), conditions=SETTING)
def adapter() -> int:
    return lora(MODEL, "all", 16) * BYTES_PER_VALUE["bfloat16"]


@figure(
    "serving.shared",
    unit="B",
    title=both("一份基座加全部适配器", "one base and all adapters"),
    conditions=SETTING,
)
def shared() -> int:
    return _base() + CUSTOMERS * adapter()


@figure(
    "serving.merged",
    unit="B",
    title=both("每个客户一份合并模型", "one merged model per customer"),
    conditions=SETTING,
)
def merged() -> int:
    return CUSTOMERS * _base()
