"""While serving, what did not change is not made again: converted Markdown and notebooks, compiled templates, pages.

MkDocs builds every page of both languages after every edit. Each memo below is keyed by all that its result depends on,
so a page that changed, or whose neighbours in the navigation did, is made anew and everything else is taken as it was.
"""

import hashlib
import logging
from pathlib import Path

import jinja2
from material.plugins.search.plugin import SearchIndex
from mkdocs.structure.pages import Page
from mkdocs_jupyter import convert as notebooks

from lora_demo.pages.browser import offline

CONVERTED, RENDERED, COMPILED, INDEXED, PACKED, NOTEBOOKS = {}, {}, {}, {}, {}, {}
CONVERT, INDEX, NOTEBOOK = Page.render, SearchIndex.add_entry_from_context, notebooks.nb2html
STATE = {"serving": False, "files": "", "navigation": ""}


class Compiled(jinja2.BytecodeCache):
    """Templates are the theme's and ours: compile each once for both languages and every rebuild."""

    def load_bytecode(self, bucket):
        if bucket.checksum in COMPILED.get(bucket.key, {}):
            bucket.bytecode_from_string(COMPILED[bucket.key][bucket.checksum])

    def dump_bytecode(self, bucket):
        COMPILED[bucket.key] = {bucket.checksum: bucket.bytecode_to_string()}


class Rendered(jinja2.Template):
    """A page's template: the same content in the same navigation gives the same HTML."""

    def render(self, *args, **kwargs):
        page = args[0].get("page") if args and isinstance(args[0], dict) else None
        if not STATE["serving"] or page is None:
            return super().render(*args, **kwargs)
        around = [getattr(page.previous_page, "title", ""), getattr(page.next_page, "title", "")]
        key = digest(page.content, sorted(page.meta.items(), key=str), around, page.canonical_url, STATE["navigation"])
        if RENDERED.get(page.canonical_url, ("", ""))[0] != key:
            RENDERED[page.canonical_url] = key, super().render(*args, **kwargs)
        return RENDERED[page.canonical_url][1]


class Warned(logging.Handler):
    """Counts warnings: a page that was warned about is converted again, so that the warning comes again."""

    count = 0

    def emit(self, record):
        self.count += record.levelno >= logging.WARNING


WARNED = Warned()


def digest(*parts):
    return hashlib.sha1(repr(parts).encode()).hexdigest()


def convert(page, config, files):
    """`Page.render`, remembered by source text and the set of files that links can point to."""
    place = (config.theme["language"], page.file.src_uri)
    key = digest(page.markdown, page.meta, STATE["files"])
    if CONVERTED.get(place, ("",))[0] == key:
        _, page.content, page.toc, page._title_from_render, page.present_anchor_ids, links = CONVERTED[place]
        page.links_to_anchors = {files.get_file_from_path(path): anchors for path, anchors in links.items()}
        return
    before = WARNED.count
    CONVERT(page, config, files)
    if WARNED.count == before:
        links = {file.src_uri: anchors for file, anchors in (page.links_to_anchors or {}).items()}
        made = page.content, page.toc, page._title_from_render, page.present_anchor_ids, links
        CONVERTED[place] = key, *made


def index(search_index, page):
    """`SearchIndex.add_entry_from_context`, remembered by the page's HTML."""
    key = digest(page.content, page.meta)
    if INDEXED.get(page.canonical_url, ("",))[0] != key:
        before = len(search_index.entries)
        INDEX(search_index, page)
        INDEXED[page.canonical_url] = key, search_index.entries[before:]
    else:
        search_index.entries += INDEXED[page.canonical_url][1]


def notebook(path, **settings):
    """`nb2html`, remembered by the notebook's bytes."""
    key = digest(Path(path).read_bytes(), sorted(settings.items(), key=str))
    if NOTEBOOKS.get(path, ("",))[0] != key:
        NOTEBOOKS[path] = key, NOTEBOOK(path, **settings)
    return NOTEBOOKS[path][1]


def on_startup(command, dirty):
    STATE["serving"] = command == "serve"
    if STATE["serving"]:
        Page.render, SearchIndex.add_entry_from_context, notebooks.nb2html = convert, index, notebook
        logging.getLogger("mkdocs").addHandler(WARNED)


def on_nav(nav, config, files):
    STATE["files"] = digest(sorted(file.src_uri for file in files))
    STATE["navigation"] = digest(str(nav), config.theme["language"])
    return nav


def on_env(env, config, files):
    env.bytecode_cache = Compiled()
    env.template_class = Rendered
    return env


def on_post_build(config):
    """The offline copy, once; while serving, later builds keep the first one."""
    if config.theme["language"] != "zh":
        return
    site = Path(config.site_dir)
    if STATE["serving"] and "site" in PACKED:
        (site / offline.ARCHIVE).parent.mkdir(exist_ok=True)
        (site / offline.ARCHIVE).write_bytes(PACKED["site"])
    else:
        PACKED["site"] = offline.pack(site).read_bytes()
