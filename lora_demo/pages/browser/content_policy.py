"""The Content-Security-Policy of a page: our own scripts and styles, the theme's inline snippets by their digest."""

from __future__ import annotations

import base64
import hashlib
import re

_INLINE = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
_CHARSET = '<meta charset="utf-8">'
# A page may load nothing from elsewhere, send nothing, and embed nothing. Frames cannot be forbidden from a <meta>.
_RULES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
}


def digest(code: bytes) -> str:
    """An inline script as `script-src` names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode()}'"


def inline_scripts(html: str) -> list[str]:
    """The code of every inline script; data blocks such as JSON are not run and need no leave."""
    return [
        match["code"]
        for match in _INLINE.finditer(html)
        if "src=" not in match["attributes"] and "json" not in match["attributes"]
    ]


def policy(html: str) -> str:
    """The policy under which exactly this page's scripts run."""
    allowed = sorted({digest(code.encode()) for code in inline_scripts(html)})
    rules = _RULES | {"script-src": " ".join([_RULES["script-src"], *allowed])}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def with_policy(html: str) -> str:
    """The page with its policy as early as a <meta> can stand."""
    if _CHARSET not in html:
        return html
    meta = f'{_CHARSET}\n      <meta http-equiv="Content-Security-Policy" content="{policy(html)}">'
    return html.replace(_CHARSET, meta, 1)


def admit(html: bytes, code: bytes) -> bytes:
    """The page with one more inline script allowed by its policy."""
    return html.replace(b"script-src 'self'", b"script-src 'self' " + digest(code).encode(), 1)
