"""A question's page: what stands on it, what must not, and that Markdown renders it."""

from __future__ import annotations

import re

import pytest
from markdown import Markdown

from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import SECTIONS
from lora_demo.pages.site import Built, generated_pages

PAGE = "q/memory/what-is-saved.md"
# The extensions that the pages rely on; `mkdocs.yml` has them.
EXTENSIONS = ["attr_list", "md_in_html", "tables", "toc", "pymdownx.superfences"]


@pytest.fixture(scope="module", params=["zh", "en"])
def lang(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def built(small_content: Content, lang: str) -> Built:
    return generated_pages(small_content, lang)


@pytest.fixture(scope="module")
def page(built: Built) -> str:
    assert built.problems == []
    return built.pages[PAGE]


@pytest.fixture(scope="module")
def html(page: str) -> str:
    return Markdown(extensions=EXTENSIONS).convert(page.split("---\n", 2)[2])


def section(html: str, key: str) -> str:
    start = html.index(f'<h2 id="{key}"')
    end = html.find("<h2", start + 1)
    return html[start : end if end > 0 else len(html)]


def test_sections_have_the_same_anchors_in_both_languages(html: str) -> None:
    found = [key for key in re.findall(r'<h2 id="([^"]+)"', html) if key in SECTIONS["zh"]]
    assert found == list(SECTIONS["zh"]) == list(SECTIONS["en"])


@pytest.mark.parametrize("key", ["one-sentence", "sixty-seconds"])
def test_texts_for_the_ear_hold_no_link_and_no_mark(html: str, key: str) -> None:
    answer = re.search(rf'<div class="answer {key}".*?</div>', html, re.DOTALL)
    assert answer is not None
    assert 'data-question="memory.what-is-saved"' in answer.group()
    assert not re.search(r"<a |<mark|class=\"mark|tests/|<code", answer.group())


def test_figures_for_the_ear_are_plain_spans(html: str, lang: str) -> None:
    said = "约 30 亿" if lang == "zh" else "about 3 billion"
    assert f'<span class="fig" data-fig="net.params.total">{said}</span>' in section(html, "sixty-seconds")


def test_figures_in_depth_link_to_their_entry(html: str, lang: str) -> None:
    depth = section(html, "in-depth")
    assert re.search(r'<a class="fig" data-fig="net.states.full" href="../../figures/net.md#net.states.full">', depth)
    assert f'<span class="mark mark-predicted">{"预测" if lang == "zh" else "predicted"}</span>' in depth


def test_evidence_is_one_folded_line(html: str, lang: str) -> None:
    (block,) = re.findall(r'<details class="evidence">.*?</details>', html, re.DOTALL)
    summary = "证据：2 个测试 · 1 个数值 · 1 篇论文" if lang == "zh" else "Evidence: 2 tests · 1 figure · 1 paper"
    assert f"<summary>{summary}</summary>" in block
    assert 'href="https://example.org/r/blob/main/tests/sample/test_sample.py#L4"' in block
    assert "A frozen weight has no optimizer state." in block
    assert 'href="../../literature.md#paper2021">Someone et al. 2021</a>' in block


def test_source_is_shown_as_the_file_has_it(html: str) -> None:
    depth = section(html, "in-depth")
    assert "def add(self, one: int)" in re.sub(r"<[^>]+>", "", depth)
    assert 'href="https://example.org/r/blob/main/pkg/count.py#L7-L9"' in depth


def test_code_blocks_stay_as_written(html: str) -> None:
    assert "18 GB stays as it is in code: $x$ {{ fig:nothing }}" in html


def test_follow_ups_lead_on(html: str, lang: str) -> None:
    title = "激活省不省？" if lang == "zh" else "Do activations shrink?"
    assert f'→ <a href="activations.md">{title}</a>' in section(html, "follow-ups")


def test_rubric_is_a_checklist_with_levels(html: str) -> None:
    rubric = section(html, "rubric")
    assert rubric.count('<input type="checkbox"') == 3
    assert [f"level-{level}" in rubric for level in ("junior", "mid", "senior")] == [True] * 3
    assert "<code>Adam</code>" in rubric


def test_foot_says_when_it_was_verified_and_where_to_report(html: str, lang: str) -> None:
    foot = html[html.index("question-foot") :]
    verified = "最近一次验证：2026-11-23，版本 0.1.0" if lang == "zh" else "Last verified 2026-11-23 by version 0.1.0"
    assert verified in foot
    assert "https://example.org/r/edit/main/qa/questions/memory/what-is-saved.md" in foot
    assert "https://example.org/r/issues/new" in foot


def test_a_question_never_verified_says_so(built: Built, lang: str) -> None:
    other = built.pages["q/memory/activations.md"]
    assert ("还没有验证过" if lang == "zh" else "Not yet verified") in other


def test_headings_are_one_rank_higher_than_in_the_file(page: str, lang: str) -> None:
    assert f"\n### {'代码' if lang == 'zh' else 'Code'}\n" in page
    assert "####" not in page


def test_math_survives_markdown(html: str) -> None:
    depth = section(html, "in-depth")
    assert depth.count("<math") == 2
    assert "<em>" not in depth
    assert re.search(r'<math[^>]*display="block"', depth)


def test_figure_page_has_an_entry_per_figure_and_stays_out_of_search(built: Built, lang: str) -> None:
    text = built.pages["figures/net.md"]
    assert text.startswith("---\nsearch:\n  exclude: true\n")
    html = Markdown(extensions=EXTENSIONS).convert(text.split("---\n", 2)[2])
    entry = html[html.index('id="net.states.full"') :]
    for part in ("20,155,451,392", "lora-demo figures net.states.full", "pkg.count:total", "±0.02", "torch 2.13.0"):
        assert part in entry
    assert 'href="https://example.org/r/blob/main/pkg/count.py#L12"' in entry
    assert 'href="#net.table.only"' in html
    assert ("条件：含词表" if lang == "zh" else "conditions: vocabulary included") in html


def test_every_link_between_generated_pages_has_its_page(built: Built) -> None:
    count = 0
    for path, text in built.pages.items():
        for target in re.findall(r"\]\(([^)#:]+\.md)", text):
            parts = path.split("/")[:-1]
            for step in target.split("/"):
                parts = parts[:-1] if step == ".." else [*parts, step]
            assert "/".join(parts) in built.pages, (path, target)
            count += 1
    assert count > 20


def test_generated_pages(built: Built) -> None:
    assert set(built.pages) == {
        PAGE,
        "q/memory/activations.md",
        "topics/index.md",
        "topics/memory.md",
        "levels/index.md",
        "levels/junior.md",
        "levels/mid.md",
        "levels/senior.md",
        "asked.md",
        "exercises/index.md",
        "exercises/total.md",
        "figures/index.md",
        "figures/net.md",
        "figures/paper2021.md",
        "glossary.md",
        "ledger.md",
        "literature.md",
        "myths.md",
        "print/memory.md",
    }


def test_list_of_figures_puts_ours_before_the_papers(built: Built) -> None:
    index = built.pages["figures/index.md"]
    assert index.index("[net](net.md) (3)") < index.index("[Someone et al. 2021](paper2021.md) (1)")


def test_ledger_and_asked(built: Built, lang: str) -> None:
    assert "3,019,166,144" in built.pages["ledger.md"]
    assert ("成立" if lang == "zh" else "holds") in built.pages["ledger.md"]
    asked = built.pages["asked.md"]
    assert asked.index("what-is-saved") < asked.index("activations")
    assert ("互相抄" if lang == "zh" else "Lists copy each other") in asked
