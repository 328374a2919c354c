"""The README's index of questions: written between two markers, so that it cannot drift from the bank."""

from __future__ import annotations

from pathlib import Path

from lora_demo.pages.bank.content import Content
from lora_demo.results.store import write_atomically

START = "<!-- index of questions: `lora-demo pages index` writes this -->"
END = "<!-- end of the index -->"


class RefusedIndex(ValueError):
    """The index was not written; the message says why and what to do."""


class NoMarkers(RefusedIndex):
    """The README has no place for the index; the message says what to add."""


def index(content: Content) -> str:
    """Topics in the site's order, their questions by how often they are asked; both languages in one line."""
    parts = []
    for topic in content.topics:
        questions = content.by_topic(topic.id)
        if questions:
            lines = [f"- [{q.title('zh')} · {q.title('en')}]({q.path})" for q in questions]
            parts.append(f"**{topic.title.zh} · {topic.title.en}**\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def with_index(readme: str, content: Content) -> str:
    """The README's text with a fresh index."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise NoMarkers(f"README.md: the index stands between the lines {START!r} and {END!r}; add them")
    return f"{before}{START}\n\n{index(content)}\n\n{END}{after}"


def write_index(path: Path, content: Content) -> bool:
    """Write the index into the README; True if that changed it. Raises RefusedIndex, then nothing is written."""
    _refuse_gaps(content)
    if path.exists() and not path.is_file():
        raise RefusedIndex(f"{path} is no regular file; write a README with a place for the index")
    try:
        old = path.read_text(encoding="utf-8")
        new = with_index(old, content)
        if new != old:
            write_atomically(path, new)
    except UnicodeDecodeError as error:
        raise RefusedIndex(f"{path}: no text in UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise RefusedIndex(f"{path} cannot be read or written: {error.strerror or error}") from error
    return new != old


def _refuse_gaps(content: Content) -> None:
    """A question that cannot be read, or whose topic cannot, would drop out of the index without a word."""
    listed = ("qa/topics.yaml", "qa/questions/")
    gaps = [str(problem) for problem in content.problems if problem.path.startswith(listed)]
    topics = [topic.id for topic in content.topics]
    if not gaps:
        strangers = [question for question in content.questions.values() if question.meta.topic not in topics]
        gaps = [f"{q.path}: qa/topics.yaml has no topic `{q.meta.topic}`. Fix: add it there" for q in strangers]
    if gaps:
        lines = "\n".join(gaps)
        raise RefusedIndex(f"{lines}\nThe index would lack what cannot be read; nothing was written.")
