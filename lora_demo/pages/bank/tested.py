"""The tests that claims may name, found by reading the test files' syntax: nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Test:
    """One test function. `says` is its docstring's first line, or its name in words."""

    node: str
    path: str
    line: int
    says: str


def find_tests(root: Path) -> dict[str, Test]:
    """Node id (without parameters) -> test, over `root`/tests."""
    found: dict[str, Test] = {}
    for file in sorted(file for file in (root / "tests").rglob("test_*.py") if file.is_file()):
        path = file.relative_to(root).as_posix()
        found.update(_tests_in(path, file.read_bytes()))
    return found


def named(node: str, tests: Mapping[str, Test]) -> Test | None:
    """The test a claim names; parameters in brackets are allowed."""
    return tests.get(node.partition("[")[0])


@lru_cache(maxsize=512)
def _tests_in(path: str, source: bytes) -> dict[str, Test]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # A test file that does not parse holds no test; pytest itself reports why.
        return {}
    return {test.node: test for test in _walk(path, body, path)}


def _walk(path: str, body: list[ast.stmt], prefix: str) -> Iterator[Test]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _walk(path, node.body, f"{prefix}::{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            words = (ast.get_docstring(node) or "").partition("\n")[0]
            says = words or node.name.removeprefix("test_").replace("_", " ")
            yield Test(f"{prefix}::{node.name}", path, node.lineno, says)
