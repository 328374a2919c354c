"""Cutting Markdown: nothing is lost, and only prose is read as prose."""

from __future__ import annotations

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from lora_demo.pages.bank import links
from lora_demo.pages.bank.prose import GAP, masked, pieces, place

MARKUP = st.text(alphabet=st.sampled_from(list("ab 1`~$<>{}()[]|\\\n-!/*显存")), max_size=80)


@given(text=MARKUP)
def test_pieces_join_to_the_text(text: str) -> None:
    cut = list(pieces(text))
    assert "".join(piece.text for piece in cut) == text
    assert [piece.end for piece in cut[:-1]] == [piece.start for piece in cut[1:]]


@given(text=MARKUP)
def test_masking_keeps_every_place(text: str) -> None:
    shown = masked(text)
    assert len(shown) == len(text)
    assert all(new in (old, GAP) for old, new in zip(text, shown, strict=True))
    assert shown.count("\n") == text.count("\n")


def test_each_kind_of_piece() -> None:
    text = "a `b` $c$ {{ d }} <e> [f](g) <!-- h -->\n\n$$\ni\n$$\n\n  ~~~\nj `k`\n~~~\nl 5 \\$ and 6 $ m"
    kinds = {piece.text.strip(): piece.kind for piece in pieces(text) if piece.kind != "prose"}
    assert kinds == {
        "`b`": "code",
        "$c$": "math",
        "{{ d }}": "placeholder",
        "<e>": "tag",
        "(g)": "target",
        "<!-- h -->": "comment",
        "$$\ni\n$$": "display",
        "~~~\nj `k`\n~~~": "fence",
    }


@given(text=MARKUP, first=st.integers(1, 50), data=st.data())
def test_place_counts_lines_and_columns_from_one(text: str, first: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    line, column = place(text, offset, first)
    lines = text.split("\n")
    assert sum(len(one) + 1 for one in lines[: line - first]) + column - 1 == offset


PATHS = st.lists(st.sampled_from(["a", "b", "q"]), min_size=1, max_size=4).map("/".join)


@given(page=PATHS, target=PATHS)
def test_relative_links_agree_with_the_library(page: str, target: str) -> None:
    page, target = f"{page}.md", f"{target}.md"
    assert links.relative(page, f"{target}#x") == posixpath.relpath(target, posixpath.dirname(page) or ".") + "#x"
