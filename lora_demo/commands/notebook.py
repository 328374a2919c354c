"""Notebooks: one source with text in both languages -> one notebook per language, with the outputs of one run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from lora_demo.results.paths import project_root
from lora_demo.results.store import write_atomically

LANGUAGES = ("zh", "en")
CELL_SECONDS = 600
"""A step traced on a busy machine takes minutes."""
_CELL = re.compile(r"^# %%(?: \[(\w+)\])?\n", re.MULTILINE)


class BadSource(ValueError):
    """A source whose languages do not go in pairs; the message names the place."""


def sources() -> list[Path]:
    """One file per notebook, in the order of their names."""
    return sorted((project_root() / "docs" / "notebooks").glob("*.py"))


def notebook_file(source: Path, lang: str) -> Path:
    return project_root() / "docs" / lang / "notebooks" / f"{source.stem.replace('_', '-')}.ipynb"


def cells(text: str) -> list[tuple[str, str]]:
    """(language, text), or ("", code), in order; what stands before the first cell is for the source's reader."""
    parts = _CELL.split(text)[1:]
    found = [(lang or "", _body(lang or "", body)) for lang, body in zip(parts[::2], parts[1::2], strict=True)]
    spoken = [lang for lang, _ in found if lang]
    if spoken != list(LANGUAGES) * (len(spoken) // 2):
        raise BadSource(f"text cells must come as [zh], [en] in turn, found {spoken}")
    return found


def _body(lang: str, body: str) -> str:
    return re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip() if lang else body.strip()


def build(text: str, lang: str) -> Any:
    """The notebook of one language, without outputs. Ids are numbers, so that a change shows as one."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for place, (spoken, body) in enumerate(cells(text)):
        if spoken not in ("", lang):
            continue
        make = nbformat.v4.new_markdown_cell if spoken else nbformat.v4.new_code_cell
        notebook.cells.append(make(body, id=f"cell-{place}"))
    return notebook


def execute(notebook: Any) -> list[list[Any]]:
    """Run the code cells in a fresh kernel; their outputs. A failing cell raises CellExecutionError."""
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", record_timing=False).execute()
    return [_printed(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def _printed(outputs: list[Any]) -> list[Any]:
    """Only what was printed, in one piece: warnings on stderr name paths of this machine, and how print is flushed
    differs from run to run."""
    if strange := {output.output_type for output in outputs} - {"stream"}:
        raise BadSource(f"a cell shows {sorted(strange)}: let it print what it has to say")
    text = "".join(output.text for output in outputs if output.name == "stdout")
    return [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []


def write(names: list[str]) -> list[Path]:
    """Run the sources once each (all, or those named) and write both languages; nothing is written if a cell fails.

    Raises BadSource for a name that no source has.
    """
    known = {source.stem: source for source in sources()}
    if unknown := set(names) - set(known):
        raise BadSource(f"no notebook {', '.join(sorted(unknown))}: docs/notebooks has {', '.join(known)}")
    return [path for name in names or known for path in _write(known[name])]


def _write(source: Path) -> list[Path]:
    text, notebooks = source.read_text(encoding="utf-8"), {}
    outputs = execute(build(text, LANGUAGES[0]))
    for lang in LANGUAGES:
        notebooks[lang] = build(text, lang)
        code = [cell for cell in notebooks[lang].cells if cell.cell_type == "code"]
        for number, (cell, told) in enumerate(zip(code, outputs, strict=True), 1):
            cell.outputs, cell.execution_count = told, number
    for lang, notebook in notebooks.items():
        notebook_file(source, lang).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(notebook_file(source, lang), nbformat.writes(notebook) + "\n")
    return [notebook_file(source, lang) for lang in LANGUAGES]
