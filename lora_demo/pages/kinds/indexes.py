"""Pages that list questions: by topic, by level, by how often they are asked."""

from __future__ import annotations

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import LEVELS
from lora_demo.pages.bank.question import LEVELS as LEVEL_ORDER
from lora_demo.pages.writing import lists

_TITLES = {
    "zh": {
        "level": "{}该会的",
        "levels": "按级别",
        "topics": "按主题",
        "asked": "按被问的次数",
        "count": "{n} 份题单",
    },
    "en": {
        "level": "Expected at {} level",
        "levels": "By level",
        "topics": "By topic",
        "asked": "By how often asked",
        "count": "{n} lists",
    },
}
_COPIES = {
    "zh": "次数是收录这道题的公开题单份数。题单之间互相抄，次数高只说明传得广，不等于面试里真问了这么多次。",
    "en": "The count is the number of public lists that carry the question. Lists copy each other, so a high count "
    "shows how far a question has travelled, not how often an interviewer has asked it.",
}


def index_pages(content: Content, lang: str) -> dict[str, str]:
    """Path -> Markdown. Topics without a question have no page."""
    pages = {f"topics/{t.id}.md": _topic(content, lang, t.id) for t in content.topics if content.by_topic(t.id)}
    pages |= {f"levels/{level}.md": _level(content, lang, level) for level in LEVEL_ORDER}
    pages["topics/index.md"] = _topics(content, lang)
    pages["levels/index.md"] = _levels(content, lang)
    pages["asked.md"] = _asked(content, lang)
    return pages


def _topic(content: Content, lang: str, topic_id: str) -> str:
    topic = next(t for t in content.topics if t.id == topic_id)
    page = f"topics/{topic_id}.md"
    listed = lists.titles(content, lang, page, content.by_topic(topic_id))
    return f"# {getattr(topic.title, lang)}\n\n{getattr(topic.line, lang)}\n\n{listed}\n"


def _topics(content: Content, lang: str) -> str:
    """Every question under its topic."""
    parts = [f"# {_TITLES[lang]['topics']}"]
    for topic in content.topics:
        questions = content.by_topic(topic.id)
        if questions:
            parts.append(f"## [{getattr(topic.title, lang)}]({topic.id}.md) {{ #{topic.id} }}")
            parts.append(getattr(topic.line, lang))
            parts.append(lists.titles(content, lang, "topics/index.md", questions))
    return "\n\n".join(parts) + "\n"


def _levels(content: Content, lang: str) -> str:
    parts = [f"# {_TITLES[lang]['levels']}"]
    for level in LEVEL_ORDER:
        parts.append(f"## [{LEVELS[lang][level]}]({level}.md) {{ #{level} }}")
        parts.append(lists.of_level(content, lang, "levels/index.md", level))
    return "\n\n".join(parts) + "\n"


def _level(content: Content, lang: str, level: str) -> str:
    listed = lists.of_level(content, lang, f"levels/{level}.md", level)
    return f"# {_TITLES[lang]['level'].format(LEVELS[lang][level])}\n\n{listed}\n"


def _asked(content: Content, lang: str) -> str:
    rows = []
    for question in content.most_asked():
        if question.meta.asked.lists:
            count = _TITLES[lang]["count"].format(n=question.meta.asked.lists)
            rows.append(f"- [{question.title(lang)}]({links.relative('asked.md', question.page)}) ({count})")
    return f"# {_TITLES[lang]['asked']}\n\n{_COPIES[lang]}\n\n" + "\n".join(rows) + "\n"
