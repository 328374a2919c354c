"""Notebooks meet `lora_demo.pages`: their pages carry no styles or scripts of their own (see assets/notebook.css)."""

from lora_demo.pages.browser import notebook_html


def anchors(items):
    for item in items:
        yield item.id
        yield from anchors(item.children)


def on_page_content(html, page, config, files):
    if page.file.src_uri.endswith(".ipynb"):
        return notebook_html.slim(html, anchors(page.toc.items))
