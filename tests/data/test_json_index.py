import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lora_demo.data import json_index
from lora_demo.data.json_index import BrokenFile, index_items

TRICKY = st.text(st.sampled_from('\\"{}[],: \nä世a'), max_size=12)
VALUES = st.recursive(
    TRICKY | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.lists(st.dictionaries(TRICKY, VALUES, max_size=3) | st.lists(VALUES, max_size=2), max_size=6)
reuse_folder = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "data.json"
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def all_items(path: Path) -> list:
    index = index_items(path)
    return [index.item(i) for i in range(len(index))]


@reuse_folder
@given(items=ITEMS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans(), chunk=st.integers(1, 40))
def test_every_item_is_found_at_any_chunk_size(tmp_path: Path, items, indent, ascii_only: bool, chunk: int):
    path = written(tmp_path, json.dumps(items, indent=indent, ensure_ascii=ascii_only))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_index, "CHUNK", chunk)
        index = index_items(path)
    assert [index.item(i) for i in range(len(index))] == items


@reuse_folder
@given(items=ITEMS.filter(bool), cut=st.floats(0, 1, exclude_max=True), chunk=st.integers(1, 40))
def test_a_file_that_ends_too_early_is_never_accepted(tmp_path: Path, items, cut: float, chunk: int):
    whole = json.dumps(items).encode()
    path = written(tmp_path, whole[: int(len(whole) * cut)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_index, "CHUNK", chunk)
        with pytest.raises(BrokenFile):
            index_items(path)


@reuse_folder
@given(items=ITEMS.filter(bool), place=st.floats(0, 1, exclude_max=True), byte=st.sampled_from(b'"\\{}[],:x '))
def test_damage_is_seen_whenever_json_sees_it(tmp_path: Path, items, place: float, byte: int):
    """One byte is overwritten: if json.loads refuses the text, so do we, at the latest when the item is asked for."""
    damaged = bytearray(json.dumps(items).encode())
    damaged[int(len(damaged) * place)] = byte
    path = written(tmp_path, bytes(damaged))
    try:
        expected = json.loads(bytes(damaged), object_pairs_hook=_no_duplicates)
    except ValueError:
        expected = None
    if isinstance(expected, list) and all(isinstance(item, dict | list) for item in expected):
        assert all_items(path) == expected
    else:
        with pytest.raises(BrokenFile):
            all_items(path)


def _no_duplicates(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        ("", 1, 1, "expected a JSON list"),
        ('{"a": [1]}', 1, 1, "expected"),
        ('{"a": 1}', 1, 1, "expected a JSON list"),
        ("[1, 2]", 1, 1, "expected a JSON list"),
        ('[{"a": 1},\n {"a": 2},\n]', 2, 10, "does not end"),
        ('[{"a": 1}\n {"a": 2}]', 1, 10, "expected ',' in front of an item"),
        ('[{"a": 1},\n {"a" 2},\n {"a": 3}]', 2, 7, "Expecting ':' delimiter"),
        ('[{"a": 1},\n {"a: 2},\n {"a": 3}]', 2, 10, "Invalid control character"),
        ('[{"a": 1},\n {"a": "x', 2, 8, "Unterminated string"),
        ('[{"a": 1}, {"a": 2}', 1, 20, "does not end"),
        ('[{"a": 1}]]', 1, 11, "more brackets"),
        ('[{"a": 1}] x', 1, 10, "does not end"),
        ('[{"a": 1, "a": 2}]', 1, 2, "key 'a' twice"),
        ('[{"a": ' + "9" * 5000 + "}]", 1, 2, "cannot be read"),
        ("[" * 3000 + "]" * 3000, 1, json_index.MAX_DEPTH + 1, "nested deeper"),
    ],
)
def test_the_place_of_the_damage_is_named(tmp_path: Path, content: str, line: int, column: int, reason: str):
    path = written(tmp_path, content)
    with pytest.raises(BrokenFile, match=reason) as caught:
        all_items(path)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"{path}, line {line}, column {column} ")


def test_text_that_is_not_utf8_is_named(tmp_path: Path):
    path = written(tmp_path, b'[{"a": "\xff"}]')
    with pytest.raises(BrokenFile, match=r"byte 8.*not UTF-8"):
        index_items(path).item(0)


def test_a_byte_order_mark_is_skipped_and_empty_lists_are_fine(tmp_path: Path):
    assert index_items(written(tmp_path, b'\xef\xbb\xbf[{"a": 1}]')).item(0) == {"a": 1}
    for empty in ("[]", " [\n] "):
        assert len(index_items(written(tmp_path, empty))) == 0


def test_an_endless_item_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_index, "MAX_ITEM", 1000)
    monkeypatch.setattr(json_index, "CHUNK", 100)
    with pytest.raises(BrokenFile, match=r"Unterminated|longer than 1000 bytes"):
        index_items(written(tmp_path, '[{"a": "' + "x" * 5000 + '"}]'))


def test_a_file_that_changes_afterwards_is_refused(tmp_path: Path):
    index = index_items(written(tmp_path, '[{"a": 1}]'))
    written(tmp_path, '[{"a": 1}, {"b": 2}]')
    with pytest.raises(BrokenFile, match="changed since it was opened"):
        index.item(0)
    with pytest.raises(IndexError, match="item 1 of 1"):
        index.item(1)


def test_the_index_goes_to_worker_processes(tmp_path: Path):
    index = index_items(written(tmp_path, '[{"a": 1}, {"b": 2}]'))
    copy = pickle.loads(pickle.dumps(index))
    assert copy.item(1) == {"b": 2}
    assert np.array_equal(copy.starts, index.starts)


def test_memory_stays_far_below_the_file(tmp_path: Path):
    import tracemalloc

    item = {"id": "x", "conversations": [{"from": "human", "value": "w " * 1000}, {"from": "gpt", "value": "v" * 2000}]}
    count = 4_000
    path = written(tmp_path, "[" + ",".join([json.dumps(item)] * count) + "]")
    index_items(path)
    tracemalloc.start()
    index = index_items(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index) == count
    assert peak < path.stat().st_size / 8


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(FileNotFoundError, match="not a regular file"):
            index_items(path)
    with pytest.raises(FileNotFoundError, match="no such file; name a JSON file"):
        index_items(tmp_path / "nowhere.json")


@pytest.mark.parametrize(("content", "found"), [("[null]", "null"), ('["a"]', '"a"'), ("[1, {}]", "")])
def test_a_list_of_what_is_no_object_is_said_so(tmp_path: Path, content: str, found: str):
    with pytest.raises(BrokenFile, match=f"objects.*{found}" if found else "in front of an item"):
        all_items(written(tmp_path, content))
