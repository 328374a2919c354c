"""The parameter table of "LoRA Without Regret" on Llama-3.1-8B, recounted with and without the output layer."""

from __future__ import annotations

from lora_demo.figures.counting import ATTENTION, MLP, linears
from lora_demo.figures.geometry import language_model
from lora_demo.figures.registry import both, figure

ROWS = {
    "mlp_r256": (MLP, 256),
    "attn_r256": (ATTENTION, 256),
    "all_r256": (ATTENTION + MLP, 256),
    "mlp_r128": (MLP, 128),
}
HEAD = {"plain": (), "with_head": ("lm_head",)}


@figure(
    "schulman2025.recount.{row}.{head}",
    unit="params",
    title=both("Llama-3.1-8B 上 {row} 的参数量，{head}", "parameters of {row} on Llama-3.1-8B, {head}"),
    conditions=both(
        "我们的复算：算上输出层才与原文的表一致",
        "our recount: only with the output layer does it match the post's table",
    ),
    over={"row": ROWS, "head": HEAD},
    words={
        "head": {
            "plain": both("不含输出层", "without the output layer"),
            "with_head": both("输出层也挂 LoRA", "with LoRA on the output layer too"),
        }
    },
)
def recount(row: str, head: str) -> int:
    names, rank = ROWS[row]
    model = language_model("llama-3.1-8b")
    return sum(rank * (m.in_features + m.out_features) for m in linears(model, (*names, *HEAD[head])))
