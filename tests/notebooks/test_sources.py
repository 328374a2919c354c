"""Sources that give no notebook: each is named with the place, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import notebook

# ipykernel warns on its own start that a local kernel talks over TCP; it says nothing about the notebook
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
PRINTS = b'# %%\nprint("x")\n\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    (tmp_path / "docs" / "notebooks").mkdir(parents=True)
    return tmp_path / "docs" / "notebooks"


def written(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder.parent).as_posix() for file in folder.parent.rglob("*.ipynb"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff", "b_bad.py: no text in UTF-8 (byte 0)"),
        (b"# %% [zh]\n# x\n", "b_bad.py: text cells must come as [zh], [en]"),
        (PRINTS + b"# %%\n1 / 0\n", "b_bad.py: line 4: the cell fails: ZeroDivisionError"),
        (PRINTS + b"# %%\n3\n", "b_bad.py: cell-1 shows ['execute_result']"),
        (PRINTS + b"# %%\nimport os, time\ntime.sleep(1)\nos._exit(1)\n", "b_bad.py: line 4: the kernel ended"),
    ],
)
def test_a_bad_source_is_named_and_nothing_is_written(folder: Path, content: bytes, says: str) -> None:
    (folder / "b_bad.py").write_bytes(content)
    result = CliRunner().invoke(app, ["notebook"])
    assert result.exit_code == 2, result.exception
    assert says in result.stderr
    assert written(folder) == []


def test_one_bad_source_keeps_the_others_from_being_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "execute", lambda _: [[]])
    (folder / "a_good.py").write_bytes(PRINTS)
    (folder / "b_bad.py").write_bytes(b"\xff")
    assert CliRunner().invoke(app, ["notebook"]).exit_code == 2
    assert written(folder) == []
    assert CliRunner().invoke(app, ["notebook", "a_good", "a_good"]).exit_code == 0
    assert written(folder) == ["en/notebooks/a-good.ipynb", "zh/notebooks/a-good.ipynb"]


def test_a_place_that_cannot_be_written_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "execute", lambda _: [[]])
    (folder / "a_good.py").write_bytes(PRINTS)
    (folder.parent / "zh").write_text("a file where the folder should be")
    result = CliRunner().invoke(app, ["notebook"])
    assert result.exit_code == 2, result.exception
    assert "a-good.ipynb cannot be written" in result.stderr


def test_no_source_at_all_is_refused(folder: Path) -> None:
    result = CliRunner().invoke(app, ["notebook"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{folder.parents[1]} has no docs/notebooks/*.py" in result.stderr


def test_an_interrupted_run_ends_without_a_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        """As nbclient behaves: the signal ends the kernel, and the client then finds none."""

        def __init__(self, *_: object, **__: object) -> None:
            self._async_cleanup_kernel_future = object()

        def execute(self) -> None:
            raise AttributeError("'NoneType' object has no attribute 'cleanup_resources'")

    monkeypatch.setattr(notebook, "NotebookClient", Interrupted)
    (folder / "a_good.py").write_bytes(PRINTS)
    result = CliRunner().invoke(app, ["notebook"])
    assert (result.exit_code, result.stdout) == (130, "")
