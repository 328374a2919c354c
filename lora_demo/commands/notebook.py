"""Notebooks: one source with text in both languages -> one notebook per language, with the outputs of one run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from lora_demo.results.paths import project_root, root_with
from lora_demo.results.store import write_atomically

LANGUAGES = ("zh", "en")
CELL_SECONDS = 600
"""A step traced on a busy machine takes minutes."""
_CELL = re.compile(r"^# %%(?: \[(\w+)\])?\n", re.MULTILINE)


class BadSource(ValueError):
    """A source that gives no notebook, in pairs of languages and run to its end; the message names the place."""


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
    client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", record_timing=False)
    try:
        client.execute()
    except Exception:
        # Ctrl-C makes the client end its kernel, and then stumble over the kernel that is gone.
        if hasattr(client, "_async_cleanup_kernel_future"):
            raise KeyboardInterrupt from None
        raise
    return [_printed(cell) for cell in _code(notebook)]


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _printed(cell: Any) -> list[Any]:
    """Only what was printed, in one piece: warnings on stderr name paths of this machine, and how print is flushed
    differs from run to run."""
    if strange := {output.output_type for output in cell.outputs} - {"stream"}:
        raise BadSource(f"{cell.id} shows {sorted(strange)}: let it print what it has to say")
    text = "".join(output.text for output in cell.outputs if output.name == "stdout")
    return [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []


def write(names: list[str]) -> list[Path]:
    """Run the sources once each (all, or those named) and write both languages; nothing is written if a cell fails.

    Raises NotHere where there is no source, and BadSource for a name that no source has, a source that cannot be run to
    its end, and a notebook that cannot be written.
    """
    root_with("docs/notebooks/*.py")
    known = {source.stem: source for source in sources()}
    if unknown := set(names) - set(known):
        raise BadSource(f"no notebook {', '.join(sorted(unknown))}: docs/notebooks has {', '.join(known)}")
    written = {path: text for name in dict.fromkeys(names or known) for path, text in _run(known[name]).items()}
    for path, text in written.items():
        try:
            write_atomically(path, text)
        except OSError as error:
            raise BadSource(f"{path} cannot be written: {error.strerror or error}") from error
    return list(written)


def _run(source: Path) -> dict[Path, str]:
    """The notebooks of a source, by their places. Raises BadSource."""
    try:
        text = source.read_text(encoding="utf-8")
        notebooks = {lang: build(text, lang) for lang in LANGUAGES}
        outputs = _outputs(text)
    except UnicodeDecodeError as error:
        raise BadSource(f"{source}: no text in UTF-8 (byte {error.start}); save it as UTF-8") from error
    except BadSource as error:
        raise BadSource(f"{source}: {error}") from error
    except OSError as error:
        raise BadSource(f"{source}: cannot be read, or its kernel not started: {error.strerror or error}") from error
    for notebook in notebooks.values():
        for number, (cell, told) in enumerate(zip(_code(notebook), outputs, strict=True), 1):
            cell.outputs, cell.execution_count = told, number
    return {notebook_file(source, lang): nbformat.writes(book) + "\n" for lang, book in notebooks.items()}


def _outputs(text: str) -> list[list[Any]]:
    """What the code cells print; a cell that does not come to its end is a BadSource with its line."""
    notebook = build(text, LANGUAGES[0])
    try:
        return execute(notebook)
    except CellExecutionError as error:
        reason = f"the cell fails: {error.ename}: {error.evalue}; put it right and run the command again"
    except CellTimeoutError:
        reason = f"the cell has no end after {CELL_SECONDS} s; let it do less"
    except RuntimeError:
        # DeadKernelError is one, and so is what a kernel that ends at its start leads to.
        reason = "the kernel ended in this cell: memory used up, or the cell left the process"
    except NoSuchKernel as error:
        raise BadSource("there is no kernel to run it: pip install ipykernel") from error
    raise BadSource(f"line {_line(text, _stopped(notebook))}: {reason}")


def _stopped(notebook: Any) -> int:
    """Which of the source's cells did not come to its end: the last one that was begun."""
    code = _code(notebook)
    begun = [cell for cell in code if cell.execution_count is not None]
    return int((begun or code[:1])[-1].id.removeprefix("cell-"))


def _line(text: str, number: int) -> int:
    """Where the source's cell of that number begins."""
    start = [match.start() for match in _CELL.finditer(text)][number]
    return 1 + text.count("\n", 0, start)
