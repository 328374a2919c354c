"""Source code shown on a page is read from the tested file itself: `path.py#Symbol.method`."""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lora_demo.pages.bank.problem import nearest


class NoSuchCode(ValueError):
    """The file or the symbol is not there; the message names near ones."""


@dataclass(frozen=True)
class Excerpt:
    """Dedented source of one definition and the lines it takes in its file."""

    code: str
    first: int
    last: int


def excerpt(root: Path, path: str, symbol: str) -> Excerpt:
    """The definition `symbol` (dotted for methods; a module-level assignment works too) of a Python file."""
    file = root / path
    if not file.is_file():
        raise NoSuchCode(f"there is no file `{path}`")
    try:
        return _excerpt(_read(file, file.stat().st_mtime_ns), path, symbol)
    except (OSError, SyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise NoSuchCode(f"`{path}` cannot be read as Python: {error}") from error


@lru_cache(maxsize=256)
def _read(file: Path, _modified: int) -> str:
    return file.read_text(encoding="utf-8")


@lru_cache(maxsize=1024)
def _excerpt(source: str, path: str, symbol: str) -> Excerpt:
    names = _definitions(source)
    if symbol not in names:
        raise NoSuchCode(f"`{path}` defines no `{symbol}`; {nearest(symbol, names)}")
    node = names[symbol]
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(d.lineno for d in decorators)])
    last = node.end_lineno or node.lineno
    lines = source.splitlines()[first - 1 : last]
    return Excerpt(textwrap.dedent("\n".join(lines)), first, last)


@lru_cache(maxsize=256)
def _definitions(source: str) -> dict[str, ast.stmt]:
    names: dict[str, ast.stmt] = {}
    _collect(ast.parse(source).body, "", names)
    return names


def _collect(body: list[ast.stmt], prefix: str, names: dict[str, ast.stmt]) -> None:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[prefix + node.name] = node
            _collect(node.body, f"{prefix}{node.name}.", names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update({prefix + t.id: node for t in targets if isinstance(t, ast.Name)})
