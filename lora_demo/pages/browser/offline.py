"""The built site as one ZIP that opens from disk: links name their file, and the search index comes as a script.

A browser shows no folder's `index.html` for a `file:` address, lets no page fetch a neighbour and starts no worker.
So links to folders get `index.html`, `search_index.json` gets a twin that a script tag can load, and every page loads
`assets/from-disk.js` first, which runs the search in the page.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "lora-demo-site"
ARCHIVE = f"download/{FOLDER}.zip"
_LINK = re.compile(r'(\shref=")([^":#?]*)((?:[#?][^"]*)?")')
_LEFT_OUT = (".map", ".gz", ".xml", "404.html", ".zip")
# The oldest date a ZIP can hold: the same site gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class NotBuilt(ValueError):
    """The folder holds no built site; the message says how to get one."""


def pack(site: Path) -> Path:
    """Write `site`/download/lora-demo-site.zip from the site built there and return its path."""
    if not (site / "index.html").is_file() or not (site / "en" / "index.html").is_file():
        raise NotBuilt(f"{site} holds no built site in both languages: run `mkdocs build` first")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in members(site):
            archive.writestr(zipfile.ZipInfo(f"{FOLDER}/{name}", _DATE), content, zipfile.ZIP_DEFLATED)
    target = site / ARCHIVE
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(packed.getvalue())
    return target


def members(site: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the offline copy: name from the top folder, content."""
    for file in sorted(site.rglob("*")):
        name = file.relative_to(site).as_posix()
        if not file.is_file() or name.endswith(_LEFT_OUT) or "/lunr/" in name:
            continue
        content = file.read_bytes()
        if name.endswith(".html"):
            depth = name.count("/") - name.startswith("en/")
            yield name, from_disk(content.decode(), "../" * depth).encode()
        elif name.endswith("search/search_index.json"):
            yield name.removesuffix("on"), b"var __index = " + content
        else:
            yield name, content


def from_disk(html: str, base: str) -> str:
    """A page whose links name their files. `base`: the way from the page to its language's root."""
    linked = _LINK.sub(lambda m: m.group(1) + named(m.group(2)) + m.group(3), html)
    return linked.replace("</head>", f'<script src="{base}assets/from-disk.js"></script></head>', 1)


def named(path: str) -> str:
    """`../q/x/` -> `../q/x/index.html`; files and links within the page stay."""
    last = path.rpartition("/")[2]
    if path and last in ("", ".", ".."):
        return f"{path.rstrip('/')}/index.html"
    return path
