"""What it costs to train or to save Gemma-2B's embedding beside an adapter."""

from __future__ import annotations

from lora_demo.figures.catalogue.conventions import bytes_per_parameter
from lora_demo.figures.catalogue.mgm2b_parts import embedding
from lora_demo.figures.counting import lora
from lora_demo.figures.geometry import gemma_2b
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

NEW_TOKENS = 10


@figure("mgm2b.embedding.bf16", unit="B", title=both("Gemma-2B 词嵌入的 bf16 大小", "Gemma-2B's embedding in bf16"))
def size() -> int:
    return embedding() * BYTES_PER_VALUE["bfloat16"]


@figure(
    "mgm2b.embedding.states_bf16",
    unit="B",
    title=both("整张词嵌入参与训练时的状态", "training state when the whole embedding trains"),
    conditions=both("纯 bf16 AdamW：权重、梯度、两个矩", "pure bf16 AdamW: weight, gradient, two moments"),
)
def states() -> int:
    return int(embedding() * bytes_per_parameter("full_bf16"))


@figure(
    "mgm2b.embedding.over_lora_r16",
    unit="ratio",
    title=both("词嵌入的参数量与 LoRA r=16 全挂之比", "parameters of the embedding over LoRA r=16 on all linears"),
)
def over_lora() -> float:
    return embedding() / lora("gemma-2b", "all", 16)


@figure(
    "mgm2b.new_tokens10",
    unit="params",
    title=both("只训 10 个新 token 的词嵌入行", "parameters when only 10 new tokens' rows of the embedding train"),
    conditions=both("权重绑定，输入输出共用一行", "tied weights: input and output share the row"),
)
def new_rows() -> int:
    return NEW_TOKENS * gemma_2b().config.hidden_size
