"""Which of the app's modules a page loads, so that it can ask for all of them at once."""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^(?:import|export) .*?from "\./([^"]+)";', re.MULTILINE)


def loaded(app: Path, entry: str) -> list[str]:
    """`entry` and everything it imports, directly or not, by path from the folder `app`; the entry comes first."""
    found = [entry]
    for name in found:
        file = app / name
        if file.is_file():
            imported = dict.fromkeys(_IMPORT.findall(file.read_text(encoding="utf-8")))
            found += [other for other in imported if other not in found]
    return found
