"""The text of a content file, or the problem that stands in the way of reading it."""

from __future__ import annotations

from pathlib import Path

from lora_demo.pages.bank.problem import InvalidContent, Problem


def read_text(root: Path, file: Path) -> str:
    """The file's text. Raises InvalidContent with the line of the first byte that is no UTF-8."""
    path = file.relative_to(root).as_posix()
    if not file.is_file():
        # A pipe would wait for somebody to write, a device never ends.
        raise InvalidContent([Problem(path, 1, 1, "file", "is no regular file", "write a text file or remove it")])
    try:
        content = file.read_bytes()
        # Universal newlines, as reading it as text would have them.
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        message = f"no text in UTF-8 (byte {error.start})"
        raise InvalidContent([Problem(path, line, 1, "file", message, "save it as UTF-8")]) from error
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise InvalidContent([Problem(path, 1, 1, "file", message, "make it a file that can be read")]) from error
