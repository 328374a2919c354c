"""Where things stand on the site, as links relative to the page that points at them."""

from __future__ import annotations

import posixpath
import re

# A link or an image to a neighbour: no address, no anchor of the page itself.
_NEIGHBOUR = re.compile(r"(\]\()(?![a-z]+:|[#/])([^)\s]+)")


def relative(page: str, target: str) -> str:
    """The link from `page` to `target` (both paths of Markdown files from the docs root, `#anchor` allowed)."""
    path, mark, anchor = target.partition("#")
    here, there = page.split("/")[:-1], path.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return "/".join([".."] * (len(here) - shared) + there[shared:]) + mark + anchor


def address(page: str, target: str) -> str:
    """The same link as a browser follows it, for HTML that MkDocs leaves alone: every page is a folder of its own."""
    link, mark, anchor = relative(page, target).partition("#")
    folder = link.removesuffix("index.md") if link.rpartition("/")[2] == "index.md" else link.removesuffix(".md") + "/"
    up = "" if page.rpartition("/")[2] == "index.md" else "../"
    return up + folder + mark + anchor


def moved(text: str, source: str, page: str) -> str:
    """Markdown written for the page `source`, its links to neighbours as they must be on `page`."""
    if source == page:
        return text
    here = posixpath.dirname(source)
    return _NEIGHBOUR.sub(lambda m: m[1] + relative(page, posixpath.normpath(posixpath.join(here, m[2]))), text)


def figure_page(name: str) -> str:
    """One page per topic, the first component of the name."""
    return f"figures/{name.partition('.')[0]}.md"


def figure(name: str) -> str:
    return f"{figure_page(name)}#{name}"


def citation(key: str) -> str:
    return f"literature.md#{key}"


def term(name: str) -> str:
    return f"glossary.md#{name}"
