"""What retrieved text costs at every request, beside an adapter that all requests share (`serving.adapter`)."""

from __future__ import annotations

from lora_demo.figures.catalogue.seven_b import cache_per_token
from lora_demo.figures.registry import both, figure

TOKENS = 2_000


@figure(
    "prompt.retrieved_tokens",
    unit="tokens",
    title=both("例子里每次检索塞进来的长度", "retrieved text per request in the example"),
)
def retrieved_tokens() -> int:
    return TOKENS


@figure(
    "prompt.retrieved_cache",
    unit="B",
    title=both("这段检索内容占的 KV 缓存", "KV cache of that retrieved text"),
    conditions=both("Llama-2-7B，bf16，一个并发请求", "Llama-2-7B in bf16, one concurrent request"),
)
def retrieved_cache() -> int:
    return TOKENS * cache_per_token("llama2_7b")
