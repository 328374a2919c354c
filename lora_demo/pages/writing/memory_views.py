"""The memory pages' pictures and tables, made from records: waterfall, what is alive at a peak, predicted against
measured. Colours are the theme's variables, so one picture serves light and dark."""

from __future__ import annotations

import html
import json
import statistics
from typing import Any

from lora_demo.pages.bank.content import Content

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
    "nf4": ("基座换 NF4（QLoRA）", "base in NF4 (QLoRA)"),
}
RULES = ("accelerate", "per_parameter")
SPREAD, COLUMNS = 0.05, 80
"""Half of the error picture: up to this error at least, in so many columns."""
BAR, GAP, TOP, LEFT, WIDTH = 26, 16, 26, 230, 900


def waterfall(content: Content, lang: str, page: str) -> str:
    """One bar per saver, stacked by what the bytes are for; dashed lines stand for what cards offer."""
    samples = _samples(content, "memory-waterfall", "waterfall")
    steps, cards = samples["steps"], samples["cards"]
    scale = (WIDTH - LEFT - 90) / max(step["peak"] for step in steps)
    height = len(steps) * (BAR + GAP) + TOP
    title = _say(lang, "显存峰值：从全参到 LoRA", "Peak memory: from full fine-tuning to LoRA")
    rows = "".join(_bar(step, place, scale, lang) for place, step in enumerate(steps))
    lines = "".join(_limit(name, LEFT + budget * scale, height) for name, budget in cards.items())
    svg = (
        f'<svg class="waterfall" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"<title>{html.escape(title)}</title>{lines}{rows}</svg>"
    )
    # The picture scrolls sideways on a phone, so a keyboard must be able to reach it.
    frame = f'<div class="waterfall-frame" tabindex="0" role="region" aria-label="{html.escape(title)}">{svg}</div>'
    return f'<figure class="memory-figure">{frame}{_legend(lang)}</figure>'


def _limit(card: str, x: float, height: int) -> str:
    return (
        f'<line class="waterfall-limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height}"/>'
        f'<text x="{x:.1f}" y="12" text-anchor="middle">{html.escape(card)}</text>'
    )


def _bar(step: dict[str, Any], place: int, scale: float, lang: str) -> str:
    y, x = place * (BAR + GAP) + TOP, float(LEFT)
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
    """One row per open run: measured, predicted, error, and what three calculators say."""
    runs = _samples(content, "memory-validation", "validate")["runs"]
    fitcheck = _fitcheck(content)
    heads = {
        "zh": ("运行", "实测", "预测", "误差", "accelerate", "每参数字节数", "fitcheck"),
        "en": ("run", "measured", "predicted", "error", "accelerate", "bytes per parameter", "fitcheck"),
    }
    rows = [heads[lang], ("---", *("---:",) * 6)]
    for name, run in sorted(runs.items(), key=lambda item: -abs(item[1]["error"])):
        says = [run["rules"]["accelerate"], run["rules"]["per_parameter"], fitcheck.get(name)]
        cells = [f"{run['measured'] / GB:.2f} GB", f"{run['predicted'] / GB:.2f} GB", f"{100 * run['error']:+.1f}%"]
        cells += [_against(number, run["measured"]) for number in says]
        rows.append((f"`{name.replace('llama-3.2-3B-', '')}`", *cells))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _fitcheck(content: Content) -> dict[str, float]:
    """What fitcheck-llm said, in bytes, for the runs it knows."""
    runs = _samples(content, "fitcheck-llm", "validate")["runs"]
    return {name: run["memory_mib"]["total"] * 2**20 for name, run in runs.items()}


def _against(said: int | float | None, measured: int | float) -> str:
    return "–" if said is None else f"{said / GB:.1f} GB ({100 * (said / measured - 1):+.0f}%)"


def errors(content: Content, lang: str, page: str) -> str:
    """How the absolute errors are spread: the prediction, two rules, and fitcheck on the runs it knows."""
    ways = _ways(content, lang)
    heads = {
        "zh": ("算法", "运行数", "中位数", "九五分位", "最差"),
        "en": ("method", "runs", "median", "95th percentile", "worst"),
    }
    rows = [heads[lang], ("---", *("---:",) * 4)]
    for name, found in ways.items():
        numbers = (statistics.median(found), percentile(found, 0.95), max(found))
        rows.append((name, str(len(found)), *(f"{100 * number:.1f}%" for number in numbers)))
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{_spread(content, lang)}\n\n{table}"


def _ways(content: Content, lang: str) -> dict[str, list[float]]:
    runs, fitcheck = _samples(content, "memory-validation", "validate")["runs"], _fitcheck(content)
    known = {name: fitcheck[name] / run["measured"] - 1 for name, run in runs.items() if name in fitcheck}
    rules = {rule: [abs(run["rules"][rule] / run["measured"] - 1) for run in runs.values()] for rule in RULES}
    return {
        _say(lang, "本项目的预测", "this prediction"): [abs(run["error"]) for run in runs.values()],
        _say(lang, "其中 fitcheck 也认识的", "of these, what fitcheck knows too"): [
            abs(runs[name]["error"]) for name in known
        ],
        "fitcheck-llm": [abs(error) for error in known.values()],
        "accelerate estimate-memory": rules["accelerate"],
        _say(lang, "每参数字节数", "bytes per parameter"): rules["per_parameter"],
    }


def _spread(content: Content, lang: str) -> str:
    """One dot per run on a line of errors; dots that would overlap stand on each other."""
    runs = _samples(content, "memory-validation", "validate")["runs"]
    limit = max(SPREAD, *(abs(run["error"]) for run in runs.values()))
    title = _say(lang, "每次运行的误差", "error of every run")
    height: dict[int, int] = {}
    marks = []
    for name, run in sorted(runs.items(), key=lambda item: item[1]["error"]):
        column = round(run["error"] / limit * COLUMNS)
        height[column] = height.get(column, 0) + 1
        x, y = WIDTH / 2 + column * (WIDTH / 2 - 40) / COLUMNS, -9 * height[column]
        marks.append(f'<circle cx="{x:.1f}" cy="{y}" r="4"><title>{name} {100 * run["error"]:+.2f}%</title></circle>')
    top = 9 * max(height.values()) + 14
    ticks = []
    for share in (-0.05, -0.03, -0.01, 0.0, 0.01, 0.03, 0.05):
        x = WIDTH / 2 + share / limit * (WIDTH / 2 - 40)
        ticks.append(f'<text x="{x:.1f}" y="18" text-anchor="middle">{100 * share:+.0f}%</text>'.replace("+0%", "0"))
    return (
        f'<figure class="memory-figure"><svg class="error-spread" viewBox="0 {-top} {WIDTH} {top + 26}" role="img" '
        f'aria-label="{html.escape(title)}"><line x1="0" x2="{WIDTH}" y1="0" y2="0"/>{"".join(marks)}{"".join(ticks)}'
        "</svg></figure>"
    )


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
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error}): run `lora-demo memory {command}`") from error


def _say(lang: str, zh: str, en: str) -> str:
    return zh if lang == "zh" else en


def _named(table: dict[str, tuple[str, str]], name: str, lang: str) -> str:
    return table[name][0 if lang == "zh" else 1]


def _size(nbytes: int) -> str:
    return f"{nbytes / GIB:.2f} GiB" if nbytes >= GIB / 100 else f"{nbytes / 2**20:.1f} MiB"
