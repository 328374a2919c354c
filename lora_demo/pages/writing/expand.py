"""Placeholders and formulas in hand-written Markdown -> plain Markdown.

{{ fig:NAME }} {{ fig:NAME|spoken }} {{ fig:NAME|exact }}   a figure, short unless said otherwise
{{ mark:predicted }} {{ mark:unmeasured }} {{ mark:contested }}
{{ code:path/file.py#Symbol }}                              the tested source
{{ q:topic.slug }}                                          a question's title, linked
{{ list:most-asked 20 }} {{ list:topics }} {{ list:level junior }} …
$…$ and $$…$$                                               MathML
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import MARKS
from lora_demo.pages.bank.problem import Problem, nearest
from lora_demo.pages.bank.prose import Piece, pieces, place
from lora_demo.pages.writing import lists
from lora_demo.pages.writing.excerpt import NoSuchCode, excerpt
from lora_demo.pages.writing.mathml import BadMath, to_mathml
from lora_demo.pages.writing.term_links import Use
from lora_demo.pages.writing.written import FORMS, written

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+):\s*(.*?)\s*\}\}")


class Unknown(ValueError):
    """A placeholder that names nothing; args are the message and the fix."""


@dataclass
class Expander:
    """Expands the text of one source file for one page.

    page     the output page, for relative links
    source   the file the text comes from, for messages
    spoken   True in the one-sentence and 60-second texts: no links, no marks
    math     writes a formula (TeX, whether it stands on a line of its own)
    """

    content: Content
    lang: str
    page: str
    source: str
    problems: list[Problem] = field(default_factory=list)
    math: Callable[[str, bool], str] = to_mathml

    def expand(
        self, text: str, first_line: int = 1, ear: bool = False, where: str = "text", uses: Collection[Use] = ()
    ) -> str:
        """`text` with every placeholder and formula replaced and `uses` of terms linked; faults go to `problems`."""
        out: list[str] = []
        for piece in pieces(text):
            if piece.kind == "prose":
                out.append(self._linked(piece, uses))
                continue
            try:
                out.append(self._piece(piece, ear, _indent(text, piece.start)))
            except Unknown as error:
                line, column = place(text, piece.start, first_line)
                self.problems.append(Problem(self.source, line, column, where, *error.args))
                out.append(piece.text)
        return "".join(out)

    def _linked(self, piece: Piece, uses: Collection[Use]) -> str:
        """The piece with the terms used in it linked to the glossary, their meaning in the tooltip."""
        parts, at = [], piece.start
        for use in uses:
            if piece.start <= use.start and use.end <= piece.end:
                said = piece.text[use.start - piece.start : use.end - piece.start]
                target = links.relative(self.page, links.term(use.term.id))
                meaning = getattr(use.term.meaning, self.lang).replace('"', "'")
                parts += [piece.text[at - piece.start : use.start - piece.start]]
                parts += [f'[{said}]({target} "{meaning}"){{ .term }}']
                at = use.end
        return "".join([*parts, piece.text[at - piece.start :]])

    def _piece(self, piece: Piece, ear: bool, indent: str) -> str:
        if piece.kind in ("math", "display"):
            try:
                return self.math(piece.text.strip("$"), piece.kind == "display")
            except BadMath as error:
                raise Unknown(str(error), "write TeX that latex2mathml reads") from error
        return self._placeholder(piece.text, ear, indent) if piece.kind == "placeholder" else piece.text

    def _placeholder(self, text: str, ear: bool, indent: str) -> str:
        match = _PLACEHOLDER.fullmatch(text)
        kinds = {"fig": self._figure, "mark": self._mark, "q": self._question, "list": self._list}
        kind, name = match.groups() if match else ("", "")
        if kind == "code":
            return self._code(name, indent)
        if kind not in kinds:
            known = "fig:, mark:, code:, q:, list:"
            raise Unknown(f"`{text}` is no placeholder", f"use one of {known}, or put the text into backticks")
        write: Callable[[str, bool], str] = kinds[kind]
        return write(name, ear)

    def _figure(self, text: str, ear: bool) -> str:
        name, _, form = (part.strip() for part in text.partition("|"))
        if name not in self.content.figures:
            raise Unknown(f"unknown figure `{name}`", nearest(name, self.content.figures))
        if form and form not in FORMS:
            raise Unknown(f"unknown form `{form}` of figure `{name}`", f"use one of {', '.join(FORMS)}")
        shown = written(self.content.figures[name], form or "short", self.lang)
        if ear:
            return f'<span class="fig" data-fig="{name}">{shown}</span>'
        return f'[{shown}]({links.relative(self.page, links.figure(name))}){{ .fig data-fig="{name}" }}'

    def _mark(self, name: str, ear: bool) -> str:
        if name not in MARKS[self.lang]:
            raise Unknown(f"unknown mark `{name}`", f"use one of {', '.join(MARKS[self.lang])}")
        if ear:
            raise Unknown(f"the mark `{name}` stands in a text for the ear", "say it in words, or mark it in depth")
        return f'<span class="mark mark-{name}">{MARKS[self.lang][name]}</span>'

    def _question(self, name: str, ear: bool) -> str:
        if name not in self.content.questions:
            raise Unknown(f"unknown question `{name}`", nearest(name, self.content.questions))
        question = self.content.questions[name]
        title = question.title(self.lang)
        return title if ear else f"[{title}]({links.relative(self.page, question.page)})"

    def _list(self, text: str, ear: bool) -> str:
        name, *arguments = text.split()
        if name not in lists.LISTS:
            raise Unknown(f"unknown list `{name}`", f"use one of {', '.join(lists.LISTS)}")
        try:
            listed = lists.LISTS[name](self.content, self.lang, self.page, *arguments)
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            # A list is made from a record, and what stands in a damaged one is anybody's guess.
            raise Unknown(f"`list:{text}`: {error}", lists.USAGE) from error
        # Sentences quoted from questions bring their own placeholders; what is wrong with them the question reports.
        return Expander(self.content, self.lang, self.page, self.source).expand(listed, ear=True)

    def _code(self, text: str, indent: str) -> str:
        path, _, symbol = text.partition("#")
        try:
            found = excerpt(self.content.root, path, symbol)
        except NoSuchCode as error:
            raise Unknown(str(error), "name a tracked file and a symbol in it: `path.py#Class.method`") from error
        link = self.content.blob(path, found.first, found.last)
        label = f"[`{path}`]({link}){{ .source }}" if link else f"`{path}`"
        lines = ["```python", *found.code.splitlines(), "```", "", label]
        return f"\n{indent}".join(lines)


def _indent(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    lead = text[start:offset]
    return lead if not lead.strip() else " " * (len(lead) - len(lead.lstrip()))
