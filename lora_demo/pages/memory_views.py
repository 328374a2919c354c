"""The memory pages' pictures and tables, made from records: waterfall, what is alive at a peak, predicted against
measured. Colours are the theme's variables, so one picture serves light and dark."""

from __future__ import annotations

import html
import json
import statistics
from typing import Any

from lora_demo.pages.content import Content

GIB = 2**30
GB = 10**9
KINDS = {
    "weights_frozen": ("冻结权重", "frozen weights"),
    "weights_trainable": ("可训练权重", "trained weights"),
    "gradients": ("梯度", "gradients"),
    "optimizer": ("优化器状态", "optimizer state"),
    "activations": ("激活", "activations"),
    "logits": ("logits", "logits"),
    "temporaries": ("临时张量", "temporaries"),
}
STEPS = {
    "naive": ("全参，照最省事的写法", "full, written the plain way"),
    "fused": ("换 fused AdamW", "fused AdamW"),
    "selected": ("只算监督位置的 logits", "logits at supervised positions"),
    "recompute": ("激活重算", "recompute activations"),
    "adamw8bit": ("8-bit AdamW", "8-bit AdamW"),
    "lora": ("换成 LoRA r=16", "LoRA r=16 instead"),
}
BAR, GAP, LEFT, WIDTH = 26, 16, 230, 900


def waterfall(content: Content, lang: str, page: str) -> str:
    """One bar per saver, stacked by what the bytes are for."""
    steps = _samples(content, "memory-waterfall", "waterfall")["steps"]
    top = max(step["peak"] for step in steps)
    height = len(steps) * (BAR + GAP) + 10
    title = _say(lang, "显存峰值：从全参到 LoRA", "Peak memory: from full fine-tuning to LoRA")
    rows = "".join(_bar(step, place, top, lang) for place, step in enumerate(steps))
    svg = (
        f'<svg class="waterfall" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"<title>{html.escape(title)}</title>{rows}</svg>"
    )
    return f'<figure class="memory-figure">{svg}{_legend(lang)}</figure>'


def _bar(step: dict[str, Any], place: int, top: int, lang: str) -> str:
    y, scale = place * (BAR + GAP) + 5, (WIDTH - LEFT - 90) / top
    x = float(LEFT)
    name = html.escape(_named(STEPS, step["name"], lang))
    pieces = [f'<text x="{LEFT - 10}" y="{y + 18}" text-anchor="end">{name}</text>']
    for kind, size in step["parts"].items():
        wide = size * scale
        tip = f"{_named(KINDS, kind, lang)} {size / GIB:.2f} GiB"
        if wide > 0:
            box = f'x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{BAR}"'
            pieces.append(f'<rect class="kind-{kind}" {box}><title>{tip}</title></rect>')
        x += wide
    pieces.append(f'<text x="{x + 8:.1f}" y="{y + 18}">{step["peak"] / GIB:.1f} GiB</text>')
    return "".join(pieces)


def _legend(lang: str) -> str:
    items = "".join(f'<span><i class="kind-{kind}"></i>{_named(KINDS, kind, lang)}</span>' for kind in KINDS)
    return f'<figcaption class="memory-legend">{items}</figcaption>'


def alive(content: Content, lang: str, page: str, step: str) -> str:
    """What is alive at the peak of a step, to be opened part by part: kind, module, tensor."""
    trees = _samples(content, "memory-waterfall", "waterfall")["alive"]
    if step not in trees:
        raise ValueError(f"no tree for `{step}`; there are {', '.join(trees)}")
    total = sum(node["bytes"] for node in trees[step])
    return f'<div class="flame">{"".join(_node(node, total, lang, 0) for node in trees[step])}</div>'


def _node(node: dict[str, Any], total: int, lang: str, depth: int) -> str:
    share = 100 * node["bytes"] / total
    name = _named(KINDS, node["name"], lang) if depth == 0 else node["name"] or _say(lang, "其余", "the rest")
    count = f" × {node['count']}" if node.get("count", 1) > 1 else ""
    kind = f" kind-{node['name']}" if depth == 0 else ""
    label = (
        f'<span class="flame-name">{html.escape(name)}{count}</span>'
        f'<span class="flame-size">{_size(node["bytes"])}</span>'
        f'<span class="flame-track"><i class="flame-bar{kind}" style="width:{share:.2f}%"></i></span>'
    )
    if not node.get("children"):
        return f'<div class="flame-leaf">{label}</div>'
    inner = "".join(_node(child, total, lang, depth + 1) for child in node["children"])
    return f"<details><summary>{label}</summary>{inner}</details>"


def validation(content: Content, lang: str, page: str) -> str:
    """One row per open run: measured, predicted, error, and two rules of thumb."""
    runs = _samples(content, "memory-validation", "validate")["runs"]
    heads = {
        "zh": ("运行", "实测", "预测", "误差", "accelerate 的答案", "按每参数字节数"),
        "en": ("run", "measured", "predicted", "error", "accelerate says", "bytes per parameter"),
    }
    rows = [heads[lang], ("---", *("---:",) * 5)]
    for name, run in sorted(runs.items(), key=lambda item: -abs(item[1]["error"])):
        says = [run["rules"]["accelerate"], run["rules"]["per_parameter"]]
        cells = [f"{run['measured'] / GB:.2f} GB", f"{run['predicted'] / GB:.2f} GB", f"{100 * run['error']:+.1f}%"]
        cells += [f"{number / GB:.1f} GB ({100 * (number / run['measured'] - 1):+.0f}%)" for number in says]
        rows.append((f"`{name.replace('llama-3.2-3B-', '')}`", *cells))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def errors(content: Content, lang: str, page: str) -> str:
    """How the absolute errors are spread, for the prediction and for the two rules."""
    runs = list(_samples(content, "memory-validation", "validate")["runs"].values())
    ways = {
        _say(lang, "本项目的预测", "this prediction"): [abs(run["error"]) for run in runs],
        "accelerate estimate-memory": [abs(run["rules"]["accelerate"] / run["measured"] - 1) for run in runs],
        _say(lang, "每参数字节数", "bytes per parameter"): [
            abs(run["rules"]["per_parameter"] / run["measured"] - 1) for run in runs
        ],
    }
    heads = {
        "zh": ("算法", "中位数", "九五分位", "最差"),
        "en": ("method", "median", "95th percentile", "worst"),
    }
    rows = [heads[lang], ("---", "---:", "---:", "---:")]
    for name, found in ways.items():
        numbers = (statistics.median(found), percentile(found, 0.95), max(found))
        rows.append((name, *(f"{100 * number:.1f}%" for number in numbers)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of them lie, linear between neighbours."""
    ordered, place = sorted(values), share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _samples(content: Content, record: str, command: str) -> dict[str, Any]:
    path = f"qa/records/{record}.json"
    try:
        return json.loads((content.root / path).read_text(encoding="utf-8"))["samples"]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read ({error}): run `lora-demo memory {command}`") from error


def _say(lang: str, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def _named(table: dict[str, tuple[str, str]], name: str, lang: str) -> str:
    return table[name][0 if lang == "zh" else 1]


def _size(nbytes: int) -> str:
    return f"{nbytes / GIB:.2f} GiB" if nbytes >= GIB / 100 else f"{nbytes / 2**20:.1f} MiB"
