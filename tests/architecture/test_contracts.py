"""The rules of the repository, as tests: linters, imports, sizes, names, and a README that shows what is there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN_STEMS = {"utils", "util", "helpers", "helper", "common", "misc"}
MAX_LINES = 300


def tracked() -> list[str]:
    """Paths that git knows or would add, so that a file counts before its commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if (ROOT / path).is_file()]


def modules() -> list[Path]:
    found = [ROOT / path for path in tracked() if path.startswith("lora_demo/") and path.endswith(".py")]
    assert len(found) >= 60
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "ruff", "check", "."],
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        [sys.executable, "-m", "pyright"],
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    ],
    ids=["ruff", "format", "pyright", "imports"],
)
def test_static_checks_pass(command: list[str]) -> None:
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_modules_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_LINES} == {}


def test_init_files_hold_a_docstring_and_nothing_else() -> None:
    inits = [path for path in modules() if path.name == "__init__.py"]
    assert len(inits) >= 10
    for path in inits:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_no_file_is_named_for_having_no_idea() -> None:
    paths = tracked()
    assert len(paths) >= 100
    assert [path for path in paths if Path(path).stem in FORBIDDEN_STEMS] == []


def tree_paths(tree: str) -> list[str]:
    """Paths of a drawn tree: one name per line, deeper ones indented further, an explanation after two spaces."""
    paths: list[str] = []
    above: list[tuple[int, str]] = []
    for line in filter(str.strip, tree.splitlines()):
        column = len(line) - len(line.lstrip("│├└─ "))
        name = re.split(r"\s{2,}|\s#", line[column:])[0].strip().rstrip("/")
        above = [(at, parent) for at, parent in above if at < column]
        path = f"{above[-1][1]}/{name}" if above else name
        above.append((column, path))
        paths.append(path)
    return paths


def test_readme_tree_names_what_is_there() -> None:
    """Every entry of the README's tree exists, and every top-level entry that git knows is in the tree."""
    assert tree_paths("a/  x\n├── b  y\n│   └── c.py\nd") == ["a", "a/b", "a/b/c.py", "d"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    trees = [block for block in fenced if "└── lora_demo/" in block]
    assert len(trees) >= 1, "the README shows no tree of the repository"
    shown = [path for path in tree_paths(trees[0]) if path not in (".", "lora-demo")]
    shown = [path.removeprefix("lora-demo/") for path in shown]
    missing = {path.split("/")[0] for path in tracked()} - {path.split("/")[0] for path in shown}
    assert missing == set(), f"not in the README's tree: {sorted(missing)}"
    unknown = [path for path in shown if not (ROOT / path).exists()]
    assert unknown == [], f"in the README's tree, but not there: {unknown}"


def test_a_wrong_shape_is_refused_while_testing() -> None:
    """jaxtyping is on in pytest's options; this function of the package gets a tensor with a dimension too few."""
    import torch
    from jaxtyping import TypeCheckError
    from torch import nn

    from lora_demo.methods.lora import LoRALinear

    layer = LoRALinear(nn.Linear(4, 3), r=2, alpha=2)
    assert layer(torch.zeros(5, 4)).shape == (5, 3)
    with pytest.raises(TypeCheckError):
        LoRALinear.forward(layer, "not a tensor")  # type: ignore[arg-type]  # the fault is planted


def test_pages_and_the_command_line_load_without_torch() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules() if "pages" in path.parts]
    assert len(names) >= 50
    program = f"""
import importlib, sys
for name in {[*names, "lora_demo.__main__"]!r}:
    importlib.import_module(name.removesuffix('.__init__'))
heavy = {{"torch", "transformers", "peft", "numpy", "mkdocs"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_constraints_cover_every_dependency_exactly() -> None:
    """constraints.txt pins one version of everything that is installed for us, and never a path or a host."""
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert len(pins) == len(lines) >= 100
    assert pins["torch"] == "2.13.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    declared = [re.split(r"[\[=<>!~;]", requirement)[0] for requirement in wanted]
    assert len(declared) >= 20
    assert [name for name in declared if name.lower() not in pins] == []
    assert not [line for line in lines if "/" in line or "@" in line or ";" in line]
