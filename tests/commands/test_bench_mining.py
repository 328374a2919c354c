"""The mining benchmark on a small grid, and its committed record."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app
from lora_demo.commands import bench_mining
from lora_demo.results.paths import records_dir
from lora_demo.results.record import Record

SMALL = bench_mining.Plan(grid=2, rounds=3)


def test_saved_bytes_are_what_the_formulas_need():
    """Direct: windows' LayerNorm outputs for keys and values, K and V. Folded: one shared LayerNorm output, z."""
    work = bench_mining.workload(SMALL)
    positions = SMALL.grid**2 * bench_mining.MGM_2B.window**2
    width, channels = bench_mining.MGM_2B.clip.hidden_size, bench_mining.MGM_2B.aux.channels
    large = {
        "folded": 4 * positions * channels,
        "direct": 4 * positions * (3 * channels + 2 * width),
    }
    for name, form in bench_mining.FORMS.items():
        kept = bench_mining.saved_bytes(work, form)
        small_vectors = 20 * 4 * SMALL.grid**2 * (width + channels) + 16 * positions
        assert large[name] <= kept <= large[name] + small_vectors


def test_run_and_summary():
    record = bench_mining.run(SMALL)
    found = bench_mining.summary(record)
    assert {len(values) for values in record.samples["seconds"].values()} == {SMALL.rounds}
    assert found["speed_ratio_low"] <= found["speed_ratio"] <= found["speed_ratio_high"]
    assert found["saved_bytes_ratio"] > 3
    assert "times as fast" in bench_mining.describe(record)


def test_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_DEMO_ROOT", str(tmp_path))
    arguments = ["bench", "mining", "--grid", "1", "--rounds", "1", "--json", "--record"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    written = Record.load(records_dir() / "bench-mining-float32.json")
    assert json.loads(result.output) == bench_mining.summary(written)
    assert CliRunner().invoke(app, ["bench", "mining", "--dtype", "int8"]).exit_code == 2


@pytest.mark.parametrize("dtype", list(bench_mining.DTYPES))
def test_saved_bytes_scale_with_the_type(dtype):
    work = bench_mining.workload(bench_mining.Plan(grid=2, dtype=dtype))
    whole = bench_mining.workload(bench_mining.Plan(grid=2))
    for form in bench_mining.FORMS.values():
        expected = bench_mining.saved_bytes(whole, form) * bench_mining.DTYPES[dtype].itemsize / 4
        assert bench_mining.saved_bytes(work, form) == pytest.approx(expected, rel=0.02)


def test_committed_record_holds_what_saved_bytes_says_at_full_size():
    """Bytes saved do not depend on the machine: per window they are those of a small grid."""
    record = Record.load(records_dir() / "bench-mining-float32.json")
    assert record.configuration["grid"] == bench_mining.MGM_2B.clip.grid
    small = bench_mining.Plan(grid=2)
    work = bench_mining.workload(small)
    for name, form in bench_mining.FORMS.items():
        expected = bench_mining.saved_bytes(work, form) * (record.configuration["grid"] / small.grid) ** 2
        assert record.samples["saved_bytes"][name] == pytest.approx(expected, rel=0.01)
    assert bench_mining.summary(record)["speed_ratio"] > 1
