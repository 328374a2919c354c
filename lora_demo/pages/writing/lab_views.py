"""Tables of the experiments on mgm-nano, from the records that `lora-demo lab --record` writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lora_demo.pages.bank.content import Content

METHODS = {
    "nano-full-b": ("全参微调", "full fine-tuning"),
    "nano-lora-b": ("LoRA r=8", "LoRA r=8"),
    "nano-rslora": ("rsLoRA r=16", "rsLoRA r=16"),
    "nano-dora": ("DoRA r=8", "DoRA r=8"),
    "nano-pissa": ("PiSSA r=8", "PiSSA r=8"),
    "nano-adalora": ("AdaLoRA 8→4", "AdaLoRA 8→4"),
    "nano-qlora": ("NF4 基座上的 LoRA", "LoRA on an NF4 base"),
    "nano-adapter": ("瓶颈 Adapter", "bottleneck adapters"),
    "nano-prefix": ("Prefix tuning", "prefix tuning"),
    "nano-prompt": ("Prompt tuning", "prompt tuning"),
    "nano-ia3": ("IA3", "IA3"),
    "nano-bitfit": ("BitFit（注意力偏置）", "BitFit (attention biases)"),
    "nano-layernorm": ("只训归一化增益", "norm gains only"),
}


View = Callable[[dict[str, Any], str], str]


def from_record(name: str, made_by: str = "") -> Callable[[View], Callable[[Content, str, str], str]]:
    """A list made from the samples of a record; where the record is still owed, a line that says so.

    made_by  the command that writes the record; `lora-demo lab` with its name if not given
    """

    def around(view: View) -> Callable[[Content, str, str], str]:
        def listed(content: Content, lang: str, page: str) -> str:
            path = content.root / "qa" / "records" / f"{name}.json"
            command = made_by or f"lora-demo lab {name} --record"
            if not path.is_file():
                return _say(
                    lang,
                    f"还没有记录：`{command}` 会补上这张表。",
                    f"Not recorded yet: `{command}` fills in this table.",
                )
            try:
                return view(json.loads(path.read_text(encoding="utf-8"))["samples"], lang)
            except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
                raise ValueError(f"{path.name} cannot be read ({error}): run `{command}`") from error

        return listed

    return around


@from_record("nano-methods")
def methods(samples: dict[str, Any], lang: str) -> str:
    """One row per method: command, accuracy on B, on its new kinds of questions and on A, trained values, seconds."""
    base = samples["base"]
    heads = {
        "zh": ("方法", "命令", "新任务 B", "其中新题型", "旧任务 A", "可训练参数", "秒"),
        "en": ("method", "command", "new task B", "its new kinds", "old task A", "trained", "seconds"),
    }[lang]
    untouched = (_say(lang, "基座，没训过", "the base, untrained"), "–", *_three(base), "0", "–")
    rows = [
        (
            METHODS[name][lang == "en"],
            f"`lora-demo train {name}`",
            *_three(found),
            f"{found['trainable']:,}",
            f"{found['seconds']:.0f}",
        )
        for name, found in sorted(samples["methods"].items(), key=lambda item: -item[1]["b"]["accuracy"])
    ]
    return _table(heads, "llrrrrr", [untouched, *rows])


@from_record("several-adapters")
def several_adapters(samples: dict[str, Any], lang: str) -> str:
    """Accuracy of base, each adapter and their mean, on both families."""
    names = {
        "base": ("基座", "base"),
        "a": ("适配器 a", "adapter a"),
        "b": ("适配器 b", "adapter b"),
        "mean": ("两个各半相加", "half of each, summed"),
    }
    heads = {"zh": ("用哪个", "任务 B", "任务 A"), "en": ("what runs", "task B", "task A")}[lang]
    return _table(heads, "lrr", [(names[name][lang == "en"], *_accuracies(samples[name])) for name in names])


@from_record("quantised-base")
def quantised_base(samples: dict[str, Any], lang: str) -> str:
    """Accuracy of the base, packed and not, with and without LoRA, and of the adapter moved to the original base."""
    names = {
        "base": ("原基座", "the base"),
        "packed": ("压成 NF4，没训", "packed to NF4, untrained"),
        "qlora": ("NF4 上训 LoRA", "LoRA trained on NF4"),
        "moved": ("同一个适配器，搬回原基座", "the same adapter, moved to the original base"),
        "lora": ("原基座上训 LoRA", "LoRA trained on the original base"),
    }
    heads = {"zh": ("用哪个", "任务 B", "任务 A"), "en": ("what runs", "task B", "task A")}[lang]
    return _table(heads, "lrr", [(names[name][lang == "en"], *_accuracies(samples[name])) for name in names])


@from_record("adaptive-rank")
def adaptive_rank(samples: dict[str, Any], lang: str) -> str:
    """What AdaLoRA left, by kind of layer, first layer to last; then its accuracy and that of one rank for all."""
    by_kind: dict[str, list[int]] = {}
    for name, rank in samples["ranks"].items():
        by_kind.setdefault(name.rsplit(".", 1)[-1], []).append(rank)
    heads = {"zh": ("模块", "各层剩下的秩", "合计"), "en": ("module", "ranks left, by layer", "sum")}[lang]
    rows = [(f"`{kind}`", " · ".join(map(str, ranks)), str(sum(ranks))) for kind, ranks in by_kind.items()]
    return f"{_table(heads, 'lrr', rows)}\n\n{_against_one_rank(samples, lang)}"


@from_record("learning-rates")
def learning_rates(samples: dict[str, Any], lang: str) -> str:
    """Per method the rates that were tried, each with its accuracy on validation questions; the best one bold."""
    heads = {
        "zh": ("方法", "学习率：验证题正确率"),
        "en": ("method", "learning rate: right answers on validation questions"),
    }[lang]
    rows = []
    for name, (found,) in ((name, samples[name]) for name in METHODS):
        best = f"{found['lr']:g}"
        tried = (f"{lr}: {100 * accuracy:.1f}%" for lr, accuracy in found["accuracy"].items())
        marked = (f"**{one}**" if one.partition(":")[0] == best else one for one in tried)
        rows.append((METHODS[name][lang == "en"], " · ".join(marked)))
    return _table(heads, "ll", rows)


@from_record("tune-nano-lora", "lora-demo tune nano-lora --record")
def tuning(samples: dict[str, Any], lang: str) -> str:
    """The Pareto front of the recorded study: settings, rate, right answers on validation questions, memory."""
    heads = {
        "zh": ("设置", "学习率", "验证题正确率", "一步的峰值（预测）", "可训练参数"),
        "en": ("settings", "learning rate", "right, validation questions", "peak of a step (predicted)", "trained"),
    }[lang]
    trials = {row["number"]: row for row in samples["trials"]}
    rows = [
        (
            _settings(row["what"], lang),
            f"{row['lr']:.2g}",
            f"{100 * row['quality']:.1f}%",
            f"{row['memory'] / 2**20:.1f} MiB",
            f"{row['trainable']:,}",
        )
        for row in (trials[number] for number in samples["front"])
    ]
    stopped = sum(row["state"] == "stopped" for row in samples["trials"])
    said = _say(
        lang,
        f"一共 {len(trials)} 次试验，其中 {stopped} 次中途掐掉。",
        f"{len(trials)} trials in all, {stopped} of them stopped early.",
    )
    return f"{_table(heads, 'lrrrr', rows)}\n\n{said}"


def _settings(what: str, lang: str) -> str:
    """lora:r=2,alpha=4,targets=q_proj+v_proj -> r=2, α=4, q and v."""
    given = dict(part.split("=") for part in what.partition(":")[2].split(","))
    targets = given["targets"].replace("_proj", "").split("+")
    hung = _say(lang, "七类全挂", "all seven") if targets == ["all"] else _say(lang, "、", ", ").join(targets)
    return f"r={given['r']}, α={given['alpha']}" + _say(lang, "，", ", ") + hung


def _against_one_rank(samples: dict[str, Any], lang: str) -> str:
    heads = {"zh": ("平均秩相同", "任务 B", "任务 A"), "en": ("same mean rank", "task B", "task A")}[lang]
    uniform = _say(lang, f"LoRA，处处 r={samples['uniform_rank']}", f"LoRA, r={samples['uniform_rank']} everywhere")
    rows = [("AdaLoRA", *_accuracies(samples["adaptive"])), (uniform, *_accuracies(samples["uniform"]))]
    return _table(heads, "lrr", rows)


def _three(found: dict[str, Any]) -> list[str]:
    """Accuracy on B, on the kinds of questions that A does not ask (their mean), and on A."""
    new, old = _accuracies(found)
    kinds = found["b"]["by_group"]
    unseen = [share for kind, share in kinds.items() if kind not in found["a"]["by_group"]]
    return [new, f"{100 * sum(unseen) / len(unseen):.1f}%", old]


def _accuracies(found: dict[str, Any]) -> list[str]:
    return [f"{100 * found[family]['accuracy']:.1f}%" for family in ("b", "a")]


def _table(heads: Sequence[str], align: str, rows: Sequence[Sequence[str]]) -> str:
    marks = ["---" if side == "l" else "---:" for side in align]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, marks, *rows))


def _say(lang: str, zh: str, en: str) -> str:
    return zh if lang == "zh" else en
