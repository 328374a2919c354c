"""A notebook's HTML as mkdocs-jupyter makes it -> what a page needs: the rest is 600 KB of styles and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable

_INLINE = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_COPY_BUTTON = re.compile(r'<div class="zeroclipboard-container">.*?</clipboard-copy>\s*</div>', re.DOTALL)
_COPY_TEXT = re.compile(r'<div class="clipboard-copy-txt"[^>]*>.*?</div>', re.DOTALL)
_PROMPT = re.compile(r'<div class="jp-(?:Input|Output)Prompt[^>]*>[^<]*</div>')
_COLLAPSER = re.compile(r'<div class="jp-Collapser[^>]*>\s*</div>')
_CODE = re.compile(r'<div class="highlight-ipynb[^>]*><pre>(.*?)</pre></div>', re.DOTALL)
_HEADING = re.compile(r'<h([1-6]) id="[^"]*">(.*?)<a class="anchor-link" href="[^"]*">.*?</a></h\1>', re.DOTALL)


def slim(html: str, anchors: Iterable[str]) -> str:
    """Without inline styles, scripts, prompts and doubled code; code as Material shows it, headings with `anchors`.

    anchors  the ids of the table of contents, in order: nbconvert makes other ids, and none from Chinese
    """
    for pattern in (_INLINE, _COPY_BUTTON, _COPY_TEXT, _PROMPT, _COLLAPSER):
        html = pattern.sub("", html)
    html = _CODE.sub(r'<div class="highlight"><pre><code>\1</code></pre></div>', html)
    ids = iter(anchors)

    def heading(match: re.Match[str]) -> str:
        level, text = match.groups()
        place = next(ids, "")
        return f'<h{level} id="{place}">{text}<a class="headerlink" href="#{place}" title="¶">¶</a></h{level}>'

    return _HEADING.sub(heading, html)
