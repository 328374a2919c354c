"""The hand-coding exercises: an index, and a page each with task, starter, hints, one solution and the usual slips."""

from __future__ import annotations

import textwrap

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.exercise import Exercise
from lora_demo.pages.bank.language import LEVELS
from lora_demo.pages.bank.problem import Problem
from lora_demo.pages.bank.yaml_source import dotted
from lora_demo.pages.writing.expand import Expander

INDEX = "exercises/index.md"
_WORDS = {
    "zh": {
        "title": "手写代码",
        "intro": "面试里真让写的几段，加上工程里绕不开的几段。每一题都有评测：不对答案的样子，只查它该满足的性质；"
        "错了给一个最小的反例。",
        "how": "挑一题，把起手代码存成文件，写完评测：",
        "limits": "评测在单独的进程里跑你的文件，限时、限内存，不许写文件、开进程、上网。它防得住手滑，"
        "防不住存心的坏代码：别人的文件，先看过再评。",
        "table": ("题目", "级别", "时间"),
        "minutes": "{} 分钟",
        "explained": "讲解",
        "colon": "：",
        "start": "起手",
        "judge": "评测",
        "checked": "它查这些：",
        "hints": "提示",
        "hint": "提示 {}",
        "solution": "一种写法",
        "tested": "这就是仓库里在测的源文件：",
        "slips": "常写错的地方",
        "caught": "由“{}”查出",
        "before": "写完再看",
    },
    "en": {
        "title": "Code by hand",
        "intro": "The pieces that interviews really ask for, and some that the work can't do without. Each one is "
        "judged: not by how the answer looks, but by the properties it must have, and a failure comes with the "
        "smallest counterexample found.",
        "how": "Pick one, save the starter as a file, write, and have it judged:",
        "limits": "The judge runs your file in a process of its own, with limits on time and memory and no writing of "
        "files, starting of processes or network. That stops accidents, not malice: read other people's files before "
        "you have them judged.",
        "table": ("Exercise", "Level", "Time"),
        "minutes": "{} min",
        "explained": "Explained in",
        "colon": ": ",
        "start": "Start from",
        "judge": "Have it judged",
        "checked": "It checks that:",
        "hints": "Hints",
        "hint": "Hint {}",
        "solution": "One way to write it",
        "tested": "This is the source file that the repository's tests run:",
        "slips": "What people get wrong",
        "caught": 'caught by "{}"',
        "before": "Write first",
    },
}


def exercise_pages(content: Content, lang: str, problems: list[Problem]) -> dict[str, str]:
    """Path -> Markdown; nothing where there are no exercises."""
    if not content.exercises:
        return {}
    pages = {INDEX: _index(content, lang)}
    for exercise in content.exercises:
        expander = Expander(content, lang, exercise.page, exercise.source.path, problems)
        pages[exercise.page] = _page(exercise, expander)
    return pages


def _index(content: Content, lang: str) -> str:
    words = _WORDS[lang]
    rows = ["| " + " | ".join(words["table"]) + " |", "|---|---|---|"]
    for exercise in content.exercises:
        title = f"[{exercise.title(lang)}]({links.relative(INDEX, exercise.page)})"
        time = words["minutes"].format(exercise.meta.minutes)
        rows.append(f"| {title} | {LEVELS[lang][exercise.meta.level]} | {time} |")
    first = content.exercises[0].name
    commands = ("next --out answer.py", f"judge {first} --file answer.py", f"hint {first}")
    shown = "\n".join(f"lora-demo dojo {command}" for command in commands)
    parts = [f"# {words['title']}", words["intro"], words["how"], f"```bash\n{shown}\n```", words["limits"]]
    return "\n\n".join([*parts, "\n".join(rows)]) + "\n"


def _page(exercise: Exercise, expander: Expander) -> str:
    lang = expander.lang
    words, meta = _WORDS[lang], exercise.meta
    facts = f"{LEVELS[lang][meta.level]} · {words['minutes'].format(meta.minutes)}"
    question = expander.content.questions.get(meta.question)
    if question:
        link = links.relative(exercise.page, question.page)
        facts += f" · {words['explained']}{words['colon']}[{question.title(lang)}]({link})"
    checks = "\n".join(f"- {_said(exercise, expander, 'checks', i, 'says')}" for i in range(len(meta.checks)))
    command = f"```bash\nlora-demo dojo judge {exercise.name} --file answer.py\n```"
    parts = [f"# {exercise.title(lang)}", facts, _said(exercise, expander, "task")]
    parts += [f"## {words['start']} {{ #start }}", f"```python\n{exercise.starter.rstrip()}\n```"]
    parts += [f"## {words['judge']} {{ #judge }}", command, words["checked"], checks]
    parts.append(f"## {words['hints']} {{ #hints }}")
    for number in range(len(meta.hints)):
        hint = _said(exercise, expander, "hints", number)
        parts.append(_folded(words["hint"].format(number + 1), hint))
    parts += [f"## {words['before']} {{ #after }}", _folded(words["solution"], _solution(exercise, expander))]
    parts.append(_folded(words["slips"], _slips(expander, exercise)))
    return "\n\n".join(parts) + "\n"


def _said(exercise: Exercise, expander: Expander, *location: str | int) -> str:
    """The text of a field of `exercise.yaml` in the page's language, expanded; faults name the field."""
    at = (*location, expander.lang)
    line = exercise.source.place(at)[0]
    return expander.expand(exercise.text(at), line, where=dotted(at))


def _solution(exercise: Exercise, expander: Expander) -> str:
    shown = [expander.expand(f"{{{{ code:{exercise.meta.solution}#{name} }}}}") for name in exercise.meta.gives]
    return "\n\n".join([_WORDS[expander.lang]["tested"], *shown])


def _slips(expander: Expander, exercise: Exercise) -> str:
    words = _WORDS[expander.lang]
    says = {check.name: _said(exercise, expander, "checks", i, "says") for i, check in enumerate(exercise.meta.checks)}
    lines = []
    for index, slip in enumerate(exercise.meta.slips):
        caught = words["caught"].format(says[slip.by])
        lines.append(f"- {_said(exercise, expander, 'slips', index, 'says')}<br><small>{caught}</small>")
    return "\n".join(lines)


def _folded(title: str, text: str) -> str:
    return f'??? note "{title}"\n\n{textwrap.indent(text, "    ")}'
