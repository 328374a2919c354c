"""One page per topic of figures: value, kind, tolerance, conditions, command, code behind it, environment."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from itertools import groupby

from lora_demo.pages.bank import links
from lora_demo.pages.bank.content import Content
from lora_demo.pages.bank.language import FIGURE_KINDS
from lora_demo.pages.writing.excerpt import NoSuchCode, excerpt
from lora_demo.pages.writing.inline_html import inline
from lora_demo.pages.writing.written import exact, short
from lora_demo.results.figure import Figure

_HEAD = "---\nsearch:\n  exclude: true\ntitle: {}\nfigures: true\n---"
_WORDS = {
    "zh": {
        "all": "全部数值",
        "about": "站里引用的每个数值都有名字。点进去能看到怎么来的、在什么条件下成立、用哪条命令重算。",
        "ours": "自己算的和测的",
        "from papers": "引自文献",
        "title": "数值：{}",
        "intro": "这一页列出名字以 `{}` 开头的数值：怎么来的、在什么条件下成立、用哪条命令重算。",
        "colon": "：",
        "short": "简写",
        "tolerance": "允许误差",
        "equal": "重算必须相等",
        "conditions": "条件",
        "again": "重算",
        "code": "代码",
        "record": "记录",
        "cited": "出处",
        "environment": "环境",
        "name": "名字",
        "value": "精确值",
        "figure": "数值",
    },
    "en": {
        "all": "All figures",
        "about": "Every number on this site has a name: how it came about, when it holds, how to recompute it.",
        "ours": "Computed and measured here",
        "from papers": "From the literature",
        "title": "Figures: {}",
        "intro": "Figures whose names begin with `{}`: how each came about, when it holds, how to recompute it.",
        "colon": ": ",
        "short": "short",
        "tolerance": "tolerance",
        "equal": "a recomputation must be equal",
        "conditions": "conditions",
        "again": "recompute",
        "code": "code",
        "record": "record",
        "cited": "source",
        "environment": "environment",
        "name": "name",
        "value": "exact value",
        "figure": "figure",
    },
}


def figure_pages(content: Content, lang: str) -> dict[str, str]:
    """Path -> Markdown; a figure's anchor is its name."""
    if not content.figures:
        return {}
    grouped = groupby(sorted(content.figures.values(), key=_order), key=lambda f: links.figure_page(f.name))
    by_page = {page: list(figures) for page, figures in grouped}
    pages = {page: _page(content, lang, page, figures) for page, figures in by_page.items()}
    return pages | {"figures/index.md": _index(content, lang, by_page)}


def _index(content: Content, lang: str, by_page: Mapping[str, list[Figure]]) -> str:
    """Every figure page with the number of its figures, ours first, then those from the literature."""
    words = _WORDS[lang]
    parts = [_HEAD.format(json.dumps(words["all"])), f"# {words['all']}", words["about"]]
    for cited in (False, True):
        rows = []
        for page, figures in by_page.items():
            key = figures[0].name.partition(".")[0]
            if (key in content.literature) == cited:
                title = f"{words['colon']}{content.literature[key].title}" if cited else ""
                rows.append(f"- [{topic(content, key)}]({page.removeprefix('figures/')}) ({len(figures)}){title}")
        if rows:
            parts += [f"## {words['from papers' if cited else 'ours']}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def topic(content: Content, name: str) -> str:
    """What a figure page is called: a source's label, else the first component of its figures' names."""
    key = name.partition(".")[0]
    return content.literature[key].label if key in content.literature else key


def _order(figure: Figure) -> tuple[str, str]:
    return links.figure_page(figure.name), figure.name


def _page(content: Content, lang: str, page: str, figures: list[Figure]) -> str:
    words = _WORDS[lang]
    title = words["title"].format(topic(content, figures[0].name))
    parts = [_HEAD.format(json.dumps(title)), f"# {title}", words["intro"].format(figures[0].name.partition(".")[0])]
    parts += [reference_table(table.title[lang], table.figures, content, lang) for table in content.tables_on(page)]
    for group, members in groupby(figures, key=lambda f: ".".join(f.name.split(".")[:2])):
        parts.append(f"## {group} {{ #group-{group.replace('.', '-')} }}")
        parts += [_entry(content, lang, page, figure) for figure in members]
    return "\n\n".join(parts) + "\n"


def reference_table(title: str, names: Iterable[str], content: Content, lang: str) -> str:
    """Figures side by side, each row linked to its entry."""
    words = _WORDS[lang]
    rows = [f"| {words['figure']} | {words['short']} | {words['value']} |", "|---|---:|---:|"]
    for name in names:
        figure = content.figures[name]
        rows.append(f"| [{figure.title[lang]}](#{name}) | {short(figure, lang)} | {exact(figure, lang)} |")
    return f"### {title}\n\n" + "\n".join(rows)


def _entry(content: Content, lang: str, page: str, figure: Figure) -> str:
    """One paragraph; its first line is the title, each further line one fact.

    HTML and not Markdown: there are about a thousand of these, and converting them took a third of the build.
    """
    lines = [f'<strong class="figure-title">{inline(figure.title[lang])}</strong>']
    lines += [f'<span class="figure-{key}">{text}</span>' for key, text in facts(content, lang, page, figure).items()]
    inside = "<br>\n".join(lines)
    return f'<p id="{figure.name}" class="figure" data-kind="{figure.kind}">{inside}</p>'


def facts(content: Content, lang: str, page: str, figure: Figure) -> Mapping[str, str]:
    """What there is to say about a figure, by class name, as HTML."""
    words = _WORDS[lang]

    def labelled(label: str, text: str) -> str:
        return f"{words[label]}{words['colon']}{text}"

    found = {"value": f"{exact(figure, lang)} ({short(figure, lang)})", "kind": FIGURE_KINDS[lang][figure.kind]}
    tolerance = f"±{figure.tolerance:.3g}" if figure.tolerance else words["equal"]
    found["tolerance"] = labelled("tolerance", tolerance) if figure.tolerance else tolerance
    if figure.conditions.get(lang):
        found["conditions"] = labelled("conditions", inline(figure.conditions[lang]))
    found["command"] = labelled("again", f"<code>lora-demo figures {figure.name}</code>")
    found["source"] = _source(content, lang, page, figure)
    if figure.environment:
        versions = ", ".join(f"{key} {value}" for key, value in figure.environment.items())
        found["environment"] = labelled("environment", versions)
    return found


def _source(content: Content, lang: str, page: str, figure: Figure) -> str:
    words = _WORDS[lang]
    if figure.kind == "cited":
        label = content.literature[figure.source].label if figure.source in content.literature else figure.source
        link = links.address(page, links.citation(figure.source))
        return f'{words["cited"]}{words["colon"]}<a href="{link}">{html.escape(label)}</a>'
    kind = "record" if figure.kind == "measured" else "code"
    target = content.blob(*_place(content, figure.source))
    label = f"<code>{html.escape(figure.source)}</code>"
    return f"{words[kind]}{words['colon']}" + (f'<a href="{target}">{label}</a>' if target else label)


def _place(content: Content, source: str) -> tuple[str, int]:
    """File and first line behind ``module:function``; a record stands for itself."""
    module, colon, function = source.partition(":")
    if not colon:
        return source, 0
    path = module.replace(".", "/") + ".py"
    try:
        return path, excerpt(content.root, path, function).first
    except NoSuchCode:
        # `lora-demo figures --check` reports a source that is gone; the page still names it.
        return path, 0
