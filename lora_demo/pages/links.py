"""Where things stand on the site, as links relative to the page that points at them."""

from __future__ import annotations


def relative(page: str, target: str) -> str:
    """The link from `page` to `target` (both paths of Markdown files from the docs root, `#anchor` allowed)."""
    path, mark, anchor = target.partition("#")
    here, there = page.split("/")[:-1], path.split("/")
    shared = 0
    while shared < min(len(here), len(there) - 1) and here[shared] == there[shared]:
        shared += 1
    return "/".join([".."] * (len(here) - shared) + there[shared:]) + mark + anchor


def figure_page(name: str) -> str:
    """One page per topic, the first component of the name."""
    return f"figures/{name.partition('.')[0]}.md"


def figure(name: str) -> str:
    return f"{figure_page(name)}#{name}"


def citation(key: str) -> str:
    return f"literature.md#{key}"


def term(name: str) -> str:
    return f"glossary.md#{name}"
