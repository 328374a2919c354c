"""A JSON object out of a file that others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BYTE_ORDER_MARK = "\ufeff"


class NoObject(ValueError):
    """A file that holds no JSON object; the message names the file and what is wrong with it."""


def read_object(file: Path) -> dict[str, Any]:
    """The object in the file. Raises NoObject, whatever the file is or holds."""
    try:
        # A pipe or a device would be waited for, or read for ever.
        if not file.is_file():
            raise NoObject(f"{file}: {'not a file' if file.exists() else 'no such file'}")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise NoObject(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NoObject(f"{file}: not JSON: {error}") from error
    if text.startswith(BYTE_ORDER_MARK):
        raise NoObject(f"{file}: not JSON: begins with a byte order mark; save it as UTF-8 without one")
    return _object(text, file)


def _object(text: str, file: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise NoObject(f"{file}: not JSON that can be read: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise NoObject(f"{file}: not JSON: {error}") from error
    except ValueError as error:
        # Python's own bound, whose message is about Python.
        raise NoObject(f"{file}: not JSON that can be read: holds a number of thousands of digits") from error
    if not isinstance(found, dict):
        raise NoObject(f"{file}: must be a JSON object, found {type(found).__name__}")
    return found
