"""What `lora-demo dojo` prints, in both languages."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from lora_demo.judge.progress import Progress
from lora_demo.judge.verdict import CheckResult, Verdict
from lora_demo.pages.bank.exercise import Exercise

WORDS = {
    "zh": {
        "minutes": "{} 分钟",
        "passed": "{} 过了",
        "tried": "评过 {} 次",
        "define": "要定义",
        "starter": "起手代码",
        "written": "起手代码已写入 {}，写完评测：",
        "judge": "写完评测：",
        "no more": "提示都看过了，答案在 `lora-demo dojo solution {}`",
        "hint": "提示 {}/{}",
        "loads": "文件能运行，该有的都定义了",
        "at": "反例",
        "often": "这一条没过，常见的原因：",
        "count": "过了 {} / {} 条",
        "printed": "你的代码打印了",
        "all": "全部做完了；这一题隔得最久，再写一遍：",
    },
    "en": {
        "minutes": "{} min",
        "passed": "passed {}",
        "tried": "judged {} times",
        "define": "Define",
        "starter": "Starter",
        "written": "The starter is in {}; when you are done:",
        "judge": "When you are done:",
        "no more": "That was the last hint; a solution is in `lora-demo dojo solution {}`",
        "hint": "Hint {}/{}",
        "loads": "the file runs and defines what is asked for",
        "at": "counterexample",
        "often": "Often the reason, where this fails:",
        "count": "{} of {} passed",
        "printed": "Your code printed",
        "all": "All done; this one was longest ago, write it again:",
    },
}


def show(verdict: Verdict, exercise: Exercise, lang: str) -> None:
    """Print a verdict check by check, what usually lies behind the first failure, and what the answer printed."""
    console, words = Console(soft_wrap=True, highlight=False), WORDS[lang]
    says = {check.name: exercise.text(("checks", i, "says", lang)) for i, check in enumerate(exercise.meta.checks)}
    for result in verdict.tests:
        passed = result.status == "pass"
        line = Text("✓ " if passed else "✗ ", style="green" if passed else "red")
        console.print(line.append(says.get(result.name, words["loads"]), style="default"))
        if result.message:
            console.print(Text(f"    {result.message}"))
        if result.counterexample:
            console.print(Text(f"    {words['at']}: {result.counterexample}"))
    passed = sum(result.status == "pass" for result in verdict.tests)
    console.print(Text(words["count"].format(passed, len(verdict.tests)), style="bold"))
    _reasons(console, verdict, exercise, lang)
    if verdict.printed.strip():
        console.print(Text(f"{words['printed']}:\n{verdict.printed.rstrip()}"))


def _reasons(console: Console, verdict: Verdict, exercise: Exercise, lang: str) -> None:
    """What usually lies behind the first check that was not passed."""
    first: CheckResult | None = next((result for result in verdict.tests if result.status == "fail"), None)
    slips = [i for i, slip in enumerate(exercise.meta.slips) if first is not None and slip.by == first.name]
    if slips:
        console.print(Text(WORDS[lang]["often"]))
    for index in slips:
        console.print(Text(f"  - {exercise.text(('slips', index, 'says', lang))}"))


def described(exercise: Exercise, lang: str, known: Progress) -> dict[str, Any]:
    """An exercise and how far a person is with it, for JSON."""
    seen, meta = known.of(exercise.name), exercise.meta
    return {
        "name": exercise.name,
        "title": exercise.title(lang),
        "level": meta.level,
        "minutes": meta.minutes,
        "question": meta.question,
        "gives": meta.gives,
        "task": exercise.text(("task", lang)),
        "tries": seen.tries,
        "passed": seen.passed or None,
    }
