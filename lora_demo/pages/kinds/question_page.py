"""One question's page in one language."""

from __future__ import annotations

import html
import json
import re

from lora_demo.pages.bank import links
from lora_demo.pages.bank.language import KINDS, LEVELS, SECTIONS
from lora_demo.pages.bank.prose import masked
from lora_demo.pages.bank.question import Question
from lora_demo.pages.kinds.evidence import evidence
from lora_demo.pages.writing.expand import Expander
from lora_demo.pages.writing.term_links import first_uses
from lora_demo.pages.writing.words import word

FOR_THE_EAR = ("one-sentence", "sixty-seconds")
# A follow-up ends in an arrow and the id of the question it leads to.
ARROW = re.compile(r"(?:→|->)[ \t]*`?([a-z0-9-]+\.[a-z0-9-]+)`?")
_SUBHEADING = re.compile(r"^#(?=#{3,}[ \t])", re.MULTILINE)


def question_page(question: Question, expander: Expander) -> str:
    """The page as Markdown with front matter."""
    parts = [front_matter(question, expander), f"# {question.title(expander.lang)}", _about(question, expander)]
    # The page that explains a term needs no link to its short definition.
    seen = {term.id for term in expander.content.glossary.terms if term.page == question.id}
    for key in SECTIONS[expander.lang]:
        parts.append(_section(question, key, expander, seen))
        if key == "sixty-seconds":
            parts.append(evidence(question, expander))
    parts += [
        *_exercises(question, expander),
        _rubric(question, expander),
        _asked_as(question, expander.lang),
        _foot(question, expander),
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(question: Question, expander: Expander) -> str:
    """YAML that is also JSON, value by value, so that nothing needs escaping."""
    lang, meta = expander.lang, question.meta
    topic = next((getattr(t.title, lang) for t in expander.content.topics if t.id == meta.topic), meta.topic)
    fields = {
        "title": question.title(lang),
        "description": plain(section_text(question, "one-sentence", expander)),
        "tags": [topic, LEVELS[lang][meta.level], KINDS[lang][meta.kind]],
        "question": question.id,
        "source": question.path,
    }
    return "---\n" + "".join(f"{k}: {json.dumps(v, ensure_ascii=False)}\n" for k, v in fields.items()) + "---"


def section_text(question: Question, key: str, expander: Expander, seen: set[str] | None = None) -> str:
    """A section with its placeholders replaced and its headings one rank higher, as the page needs them.

    seen  terms that the page has linked already; None links none, and texts for the ear never do
    """
    section = question.answers[expander.lang][key]
    where, ear = f"{expander.lang}.{key}", key in FOR_THE_EAR
    # Headings first: after expanding, the text is full of MathML tags that would all be looked at.
    text = links.moved(_raise_headings(section.text), question.page, expander.page)
    glossary = expander.content.glossary
    uses = [] if ear or seen is None else first_uses(text, expander.lang, glossary, seen)
    text = expander.expand(text, section.line, ear=ear, where=where, uses=uses)
    if key == "follow-ups":
        text = ARROW.sub(lambda m: _arrow(m.group(1), expander), text)
    return text


def plain(markdown: str) -> str:
    """Text alone: no tags, no emphasis, no link targets."""
    text = re.sub(r"<[^>]+>", "", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)(\{[^}]*\})?", r"\1", text)
    return html.unescape(re.sub(r"\*\*|__|`", "", text)).strip()


def _section(question: Question, key: str, expander: Expander, seen: set[str]) -> str:
    text = section_text(question, key, expander, seen)
    if key in FOR_THE_EAR:
        text = f'<div class="answer {key}" data-question="{question.id}" markdown="1">\n\n{text}\n\n</div>'
    return f"## {SECTIONS[expander.lang][key]} {{ #{key} }}\n\n{text}"


def _arrow(name: str, expander: Expander) -> str:
    target = expander.content.questions.get(name)
    if target is None:
        return f"→ {name}"
    return f"→ [{target.title(expander.lang)}]({links.relative(expander.page, target.page)})"


def _raise_headings(text: str) -> str:
    """#### -> ###, outside code."""
    if "####" not in text:
        return text
    visible = masked(text)
    starts = [match.start() for match in _SUBHEADING.finditer(visible)]
    for start in reversed(starts):
        text = text[:start] + text[start + 1 :]
    return text


def _about(question: Question, expander: Expander) -> str:
    lang, meta = expander.lang, question.meta
    # Level, kind and topic stand above the title as tags.
    facts = [word(lang, "asked", n=meta.asked.lists) if meta.asked.lists else word(lang, "not asked")]
    if meta.asked.logs:
        facts.append(word(lang, "logs") + word(lang, "comma").join(meta.asked.logs))
    return f"{word(lang, 'joint').join(facts)}\n{{ .question-facts }}"


def _asked_as(question: Question, lang: str) -> str:
    """How candidates and interviewers put it: a list of its own, because the search reads it as such."""
    listed = "\n".join(f"<li>{html.escape(alias)}</li>" for alias in question.aliases(lang))
    return f'## {word(lang, "also asked")} {{ #asked-as }}\n\n<ul class="aliases">\n{listed}\n</ul>'


def _exercises(question: Question, expander: Expander) -> list[str]:
    """Where to write it by hand, if there is an exercise."""
    lang = expander.lang
    about = [one for one in expander.content.exercises if one.meta.question == question.id]
    shown = [f"[{one.title(lang)}]({links.relative(expander.page, one.page)})" for one in about]
    return [f"{word(lang, 'by hand')}{word(lang, 'comma').join(shown)}"] if shown else []


def _rubric(question: Question, expander: Expander) -> str:
    lang = expander.lang
    rows = []
    for index, point in enumerate(question.meta.rubric):
        first = question.source.place(("rubric", index, lang))[0]
        said = expander.expand(getattr(point, lang), first, where=f"rubric[{index}].{lang}")
        mark = f'<span class="level level-{point.level}">{LEVELS[lang][point.level]}</span>'
        rows.append(f'- <label><input type="checkbox"> {mark} {said}</label>')
    listed = "\n".join(rows)
    return f'## {word(lang, "rubric")} {{ #rubric }}\n\n<div class="rubric" markdown="1">\n\n{listed}\n\n</div>'


def _foot(question: Question, expander: Expander) -> str:
    content, lang = expander.content, expander.lang
    seen = content.verified.get(question.id)
    words = [word(lang, "verified", **seen) if seen else word(lang, "unverified")]
    if content.repo_url:
        words.append(f"[{word(lang, 'edit')}]({content.repo_url}/edit/main/{question.path}){{ .edit }}")
        issue = f"{content.repo_url}/issues/new?title={question.id}"
        words.append(f"[{word(lang, 'report')}]({issue}){{ .report }}")
    return f"{word(lang, 'joint').join(words)}\n{{ .question-foot }}"
