"""Lists of questions that a hand-written page can quote: `{{ list:most-asked 20 }}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LEVELS
from lora_demo.pages.bank.question import Question
from lora_demo.pages.writing import judged, lab_views, memory_views

USAGE = "write `list:most-asked 20`, `list:topics`, `list:topic memory`, `list:level junior` or `list:kind math`"


def titles(content: Content, lang: str, page: str, questions: Iterable[Question]) -> str:
    """One bullet per question: its title, linked."""
    return "\n".join(f"- [{q.title(lang)}]({links.relative(page, q.page)})" for q in questions)


def topics(content: Content, lang: str, page: str) -> str:
    """One bullet per topic with its line and the number of its questions."""
    rows = []
    for topic in content.topics:
        count = len(content.by_topic(topic.id))
        target = links.relative(page, f"topics/{topic.id}.md")
        unit = f"{count} 题" if lang == "zh" else f"{count} question{'' if count == 1 else 's'}"
        if count:
            gap = "：" if lang == "zh" else ": "
            rows.append(f"- [{getattr(topic.title, lang)}]({target}) ({unit}){gap}{getattr(topic.line, lang)}")
    return "\n".join(rows)


def most_asked(content: Content, lang: str, page: str, count: str = "20") -> str:
    """A numbered list: each title, linked, and the question's one sentence with its placeholders as they are."""
    rows = [
        f"1. [{q.title(lang)}]({links.relative(page, q.page)})\n\n    {' '.join(_sentence(q, lang).split())}"
        for q in content.most_asked()[: int(count)]
    ]
    return '<div class="most-asked" markdown="1">\n\n' + "\n\n".join(rows) + "\n\n</div>"


def _sentence(question: Question, lang: str) -> str:
    return question.answers[lang]["one-sentence"].text


def printable(content: Content, lang: str, page: str) -> str:
    """One bullet per topic: its page for the printer."""
    topics = [topic for topic in content.topics if content.by_topic(topic.id)]
    return "\n".join(f"- [{getattr(t.title, lang)}]({links.relative(page, f'print/{t.id}.md')})" for t in topics)


def of_topic(content: Content, lang: str, page: str, topic: str) -> str:
    return titles(content, lang, page, content.by_topic(topic))


def of_level(content: Content, lang: str, page: str, level: str) -> str:
    if level not in LEVELS[lang]:
        raise ValueError(f"no level `{level}`")
    return titles(content, lang, page, [q for q in content.most_asked() if q.meta.level == level])


def of_kind(content: Content, lang: str, page: str, kind: str) -> str:
    return titles(content, lang, page, [q for q in content.most_asked() if q.meta.kind == kind])


LISTS: dict[str, Callable[..., str]] = {
    "most-asked": most_asked,
    "topics": topics,
    "topic": of_topic,
    "level": of_level,
    "kind": of_kind,
    "printable": printable,
    "mutants": judged.mutants,
    "properties": judged.properties,
    "memory-waterfall": memory_views.waterfall,
    "memory-alive": memory_views.alive,
    "memory-errors": memory_views.errors,
    "memory-validation": memory_views.validation,
    "nano-methods": lab_views.methods,
    "nano-several-adapters": lab_views.several_adapters,
    "nano-quantised-base": lab_views.quantised_base,
    "nano-adaptive-rank": lab_views.adaptive_rank,
    "nano-learning-rates": lab_views.learning_rates,
    "nano-tuning": lab_views.tuning,
}
