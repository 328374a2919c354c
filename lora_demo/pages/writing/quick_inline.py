"""A Markdown extension that changes no output: inline patterns as a plain list.

Python-Markdown looks each pattern up in a sorted registry for every stretch of text, about a million times in a build.
"""

from __future__ import annotations

from typing import Any

from markdown import Markdown
from markdown.extensions import Extension


class QuickInline(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        self.md = md
        md.registerExtension(self)

    def reset(self) -> None:
        """Called when all extensions have registered theirs."""
        inline: Any = self.md.treeprocessors["inline"]
        inline.inlinePatterns = list(self.md.inlinePatterns)


def makeExtension(**settings: object) -> QuickInline:
    """Python-Markdown's entry point."""
    return QuickInline(**settings)
