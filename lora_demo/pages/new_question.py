"""A new question file with every field and section in place, to be filled in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from lora_demo.pages.bank.language import LANGUAGES, SECTIONS
from lora_demo.pages.bank.problem import InvalidContent
from lora_demo.pages.bank.source_text import read_text
from lora_demo.pages.bank.topics import Topic, parse_topics
from lora_demo.results.store import write_atomically

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HINTS = {
    "one-sentence": ("一句话说完结论", "the conclusion in one sentence"),
    "sixty-seconds": (
        "说给人听：结论、理由、数字、例子；150 到 300 个汉字；数字只用 spoken 形式",
        "for the ear: conclusion, reason, number, example; 110 to 170 words; spoken figures only",
    ),
    "in-depth": ("推导、表格、代码、条件", "derivation, tables, code, conditions"),
    "follow-ups": (
        "每行：- **追问？** 两句话的回答。→ 主题.题目",
        "each line: - **Question?** An answer in two sentences. → topic.slug",
    ),
    "mistakes": ("引用常见的错误说法，再说错在哪", "quote what people get wrong, then say why it is wrong"),
    "extra-credit": ("主动说出什么能加分", "what to volunteer"),
}


class RefusedQuestion(ValueError):
    """The file cannot be made; the message says why and what to do."""


def topics_of(root: Path) -> tuple[Topic, ...]:
    """The topics that a question may belong to. Raises RefusedQuestion if the file has a fault or lists none."""
    file = root / "qa" / "topics.yaml"
    try:
        topics = parse_topics("qa/topics.yaml", read_text(root, file))
    except InvalidContent as error:
        raise RefusedQuestion("\n".join(map(str, error.problems))) from error
    if not topics:
        raise RefusedQuestion(f"{file} lists no topic: add the question's topic there first")
    return topics


def new_question(root: Path, topics: tuple[Topic, ...], question_id: str) -> Path:
    """Write `qa/questions/<topic>/<slug>.md` for the id `<topic>.<slug>`; never over a file that is there.

    Raises RefusedQuestion.
    """
    topic, _, slug = question_id.partition(".")
    known = [one.id for one in topics]
    if topic not in known:
        raise RefusedQuestion(f"`{topic}` is no topic of qa/topics.yaml; the topics are {', '.join(known)}")
    if not _SLUG.fullmatch(slug):
        raise RefusedQuestion(f"`{question_id}`: write `topic.slug` with small letters, digits and hyphens")
    file = root / "qa" / "questions" / topic / f"{slug}.md"
    place = file.relative_to(root)
    try:
        if os.path.lexists(file):
            raise RefusedQuestion(f"{place} is there already; edit it or choose another slug")
        write_atomically(file, template(topic, slug))
    except OSError as error:
        raise RefusedQuestion(f"{place} cannot be written: {error.strerror or error}; nothing was written") from error
    return file


def template(topic: str, slug: str) -> str:
    """The text of the file: `lora-demo pages check` names each part that is still empty."""
    front = [
        f"id: {topic}.{slug}",
        'title: {zh: "", en: ""}',
        f"topic: {topic}",
        "level: mid  # junior, mid, senior",
        "kind: concept  # concept, math, number, engineering, comparison, behaviour, coding",
        "asked: {lists: 0}",
        "aliases: {zh: [], en: []}",
        "followups: []",
        'claims:\n  - zh: ""\n    en: ""\n    by: []  # tests/…py::test_name, "fig:NAME", "cite:KEY"',
        "rubric:"
        + "".join(f"\n  - {{level: {level}, zh: {json.dumps('')}, en: {json.dumps('')}}}" for level in _THREE),
    ]
    parts = ["---\n" + "\n".join(front) + "\n---"]
    for index, lang in enumerate(LANGUAGES):
        parts.append(f"## {lang}")
        parts += [f"### {title}\n<!-- {_HINTS[key][index]} -->" for key, title in SECTIONS[lang].items()]
    return "\n\n".join(parts) + "\n"


_THREE = ("junior", "mid", "senior")
