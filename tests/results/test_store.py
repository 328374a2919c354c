"""The file of figures is read whole or refused, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lora_demo.results.figure import Figure
from lora_demo.results.store import BrokenStore, load, replace_by, save, write_atomically

ONE = Figure("b.one", 1, "1", "exact", 0.0, "m:f", {"zh": "一", "en": "one"})
TWO = Figure("a.two", 2.5, "B", "cited", 0.0, "key", {"zh": "二", "en": "two"}, conditions={"zh": "条件", "en": "if"})


def test_what_is_saved_is_loaded_in_order(tmp_path: Path) -> None:
    """Sorted by name, with Chinese readable in the file."""
    path = tmp_path / "qa" / "figures.json"
    save(path, {"b.one": ONE, "a.two": TWO})
    assert list(load(path)) == ["a.two", "b.one"]
    assert load(path) == {"a.two": TWO, "b.one": ONE}
    assert "条件" in path.read_text(encoding="utf-8")


def test_missing_file_is_an_empty_store(tmp_path: Path) -> None:
    """The first run starts from nothing."""
    assert load(tmp_path / "figures.json") == {}


@pytest.mark.parametrize("text", ['{"a": {"value": 1', "[1]", '{"a": 1}', '{"a": {}, "a": {}}', "\udcff"])
def test_damage_is_refused_with_a_way_back(tmp_path: Path, text: str) -> None:
    """Broken JSON, another shape, a double name and broken text all name the file."""
    path = tmp_path / "figures.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BrokenStore, match=r"figures\.json.*git checkout"):
        load(path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Neither taken for a missing file, nor waited for."""
    path = tmp_path / "figures.json"
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "loop": lambda: path.symlink_to(path)}[kind]()
    with pytest.raises(BrokenStore, match=r"figures\.json: (a folder, a pipe|cannot be read)"):
        load(path)


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fills up half-way, the old content stands and no scrap remains."""
    path = tmp_path / "figures.json"
    path.write_text("old", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new" * 1000)
    with pytest.raises(OSError, match="No space left"):
        replace_by(path, b"new" * 1000)
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["figures.json"]
