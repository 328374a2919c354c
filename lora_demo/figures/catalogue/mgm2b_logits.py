"""MGM-2B's vocabulary, lengths and what the logits weigh."""

from __future__ import annotations

import math

from lora_demo.figures.geometry import gemma_2b, mgm_2b
from lora_demo.figures.registry import both, figure
from lora_demo.results.units import BYTES_PER_VALUE

NAIVE = both(
    "所有位置都算：bf16 logits、fp32 log-softmax、fp32 梯度、bf16 梯度同时在",
    "at every position: bf16 logits, fp32 log-softmax, fp32 gradient and bf16 gradient are alive together",
)


@figure("mgm2b.vocab", unit="1", title=both("Gemma-2B 的词表大小", "size of Gemma-2B's vocabulary"))
def vocabulary() -> int:
    return gemma_2b().config.vocab_size


@figure("mgm2b.hidden", unit="1", title=both("Gemma-2B 的隐藏维度", "hidden size of Gemma-2B"))
def hidden() -> int:
    return gemma_2b().config.hidden_size


@figure("mgm2b.layers", unit="1", title=both("Gemma-2B 的层数", "number of layers of Gemma-2B"))
def layers() -> int:
    return len(gemma_2b().model.layers)


@figure("mgm2b.image_tokens", unit="tokens", title=both("一张图占的 token 数", "tokens that one image takes"))
def image_tokens() -> int:
    """CLIP's patches, without the class token."""
    return mgm_2b().config.image_tokens


@figure(
    "mgm2b.max_length",
    unit="tokens",
    title=both("MGM-2B 训练的最大长度", "longest sequence MGM-2B trains on"),
    conditions=both("图像 token 展开以后", "after the image tokens are spliced in"),
)
def max_length() -> int:
    length = mgm_2b().config.splice.max_length
    assert length is not None
    return length


@figure(
    "mgm2b.text_tokens_with_image",
    unit="tokens",
    title=both("带一张图时留给文字的 token 数", "tokens left for text beside one image"),
)
def text_tokens() -> int:
    return max_length() - image_tokens()


@figure(
    "mgm2b.logits.{precision}_per_token",
    unit="B/token",
    title=both("每个位置一份 {precision} logits", "one {precision} copy of the logits per position"),
    over={"precision": ("bf16", "fp32")},
)
def one_copy(precision: str) -> int:
    return vocabulary() * BYTES_PER_VALUE[{"bf16": "bfloat16", "fp32": "float32"}[precision]]


@figure(
    "mgm2b.logits.naive_per_token",
    unit="B/token",
    title=both("朴素损失下每个位置的 logits 字节", "logits bytes per position under the naive loss"),
    conditions=NAIVE,
)
def naive() -> int:
    return 2 * one_copy("bf16") + 2 * one_copy("fp32")


@figure(
    "mgm2b.logits.naive.t{length}",
    unit="B",
    title=both("朴素损失、长度 {length} 的 logits", "logits under the naive loss at length {length}"),
    conditions=both(NAIVE["zh"] + "；batch 1", NAIVE["en"] + "; batch 1"),
    over={"length": (704, 1024, 2048)},
)
def naive_at(length: int) -> int:
    return length * naive()


@figure(
    "mgm2b.logits.fp32.t{length}",
    unit="B",
    title=both("长度 {length} 的一份 fp32 logits", "one fp32 copy of the logits at length {length}"),
    over={"length": (704, 1024, 2048)},
)
def fp32_at(length: int) -> int:
    return length * one_copy("fp32")


@figure(
    "mgm2b.logits.supervised64",
    unit="B",
    title=both("只在 64 个监督位置算 logits", "logits at 64 supervised positions only"),
    conditions=both("按同样的四份算；batch 1", "the same four copies; batch 1"),
)
def supervised() -> int:
    return 64 * naive()


@figure(
    "mgm2b.embed_scale",
    unit="ratio",
    title=both("Gemma 给词嵌入乘的系数", "factor that Gemma multiplies its embeddings with"),
    conditions=both("隐藏维度的平方根；图像 token 也要乘", "square root of the hidden size; image tokens need it too"),
)
def embed_scale() -> float:
    return math.sqrt(hidden())
