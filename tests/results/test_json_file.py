"""A JSON object out of a file that others wrote, or one sentence on why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lora_demo.results.json_file import NoObject, read_object
from lora_demo.results.record import Record, RecordError
from lora_demo.results.store import BrokenStore, load

BROKEN = {
    "": "not JSON",
    "[1]": "must be a JSON object, found list",
    "\ufeff{}": "byte order mark",
    '{"a": ' + "9" * 5000 + "}": "a number of thousands of digits",
    '{"a": ' + "[" * 100_000: "nested too deeply",
}


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_what_is_no_object_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NoObject, match=BROKEN[text]) as refused:
        read_object(file)
    assert str(refused.value).startswith(f"{file}: ")
    with pytest.raises(RecordError, match=r"a\.json: not a record: "):
        Record.load(file)
    with pytest.raises(BrokenStore, match=r"a\.json: .* Nothing was changed"):
        load(file)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in {
        "pipe": "not a file",
        "none": "no such file",
        "n" * 300: "cannot be read",
        ".": "not a file",
    }.items():
        with pytest.raises(NoObject, match=said):
            read_object(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(NoObject, match="not JSON: 'utf-8' codec"):
        read_object(tmp_path / "a")


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"a": [1]}', encoding="utf-8")
    assert read_object(tmp_path / "a") == {"a": [1]}
