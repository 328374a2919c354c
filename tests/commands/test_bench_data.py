import json
from pathlib import Path

import pytest

from lora_demo.commands import bench_data
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record


def test_a_small_run_measures_both_ways(tmp_path: Path):
    record = bench_data.run(items=300, repeats=1)
    summary = bench_data.summary(record)
    assert {reading for way in bench_data.WAYS for reading in summary[way]} == {
        "seconds",
        "cpu_seconds",
        "peak_bytes",
        "peak_of_file",
        "lookup_seconds",
    }
    assert Record.load(record.save(tmp_path)) == record


def test_the_generated_file_is_valid_and_repeatable(tmp_path: Path):
    for name in ("a", "b"):
        bench_data.write_conversations(tmp_path / name, 50, seed=1)
    items = json.loads((tmp_path / "a").read_text(encoding="utf-8"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(items) == 50
    assert len({item["id"] for item in items}) == 50


@pytest.mark.parametrize("way", bench_data.WAYS)
def test_the_record_is_of_the_full_length(way: str):
    """The committed run: 665 k items open with memory far below the file, and faster than reading it whole."""
    record = Record.load(records_dir() / f"{bench_data.RECORD}.json")
    summary = bench_data.summary(record)
    assert record.configuration["items"] == bench_data.ITEMS
    assert len(record.samples[way]) == record.configuration["repeats"]
    assert summary["index"]["peak_of_file"] < 0.1
    assert summary["index"]["cpu_seconds"] < summary["json.load"]["cpu_seconds"]
