"""The service worker of the built site: docs/practice/sw.js with the list of files it keeps.

Each file is kept under its content's digest, so that a new version fetches what changed and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

# What practising needs; the rest of the handbook follows once these are there.
FIRST = ("app/", "assets/", "practice/", "en/assets/", "en/practice/")
_LEFT_OUT = (".map", ".gz", ".xml", ".zip", "sw.js")
_UNUSED = ("notebooks/", "/lunr/", "workers/search.")


def service_worker(site: Path, source: str, serving: bool) -> str:
    """The worker's code. `serving`: pages come from the server while it answers, otherwise from the store."""
    files = kept_files(site)
    facts = {"serving": serving, "first": FIRST, "files": files}
    version = hashlib.sha256(json.dumps([files, source]).encode()).hexdigest()[:12]
    return f"self.SITE = {json.dumps({'version': version, **facts}, separators=(',', ':'))};\n{source}"


def kept_files(site: Path) -> dict[str, str]:
    """Address from the site's root -> digest of the content, for all that works without a network."""
    kept = {}
    for file in sorted(site.rglob("*")):
        name = file.relative_to(site).as_posix()
        if file.is_file() and not name.endswith(_LEFT_OUT) and not any(part in f"/{name}" for part in _UNUSED):
            kept[name.removesuffix("index.html")] = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return kept
