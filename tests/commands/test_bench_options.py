"""Sizes of the benchmarks that no machine holds are refused before anything is built."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lora_demo.__main__ import app

HUGE = (
    "mining --grid 99999999",
    "mining --threads 100000000000000",
    "mining --batch 100000000000",
    "methods --layers 99999999",
    "methods --positions 99999999",
    "methods --batch 99999999",
    "methods --threads 100000000000000",
    "data --items 100000000000000000000000",
    "loop --threads 100000000000000",
    "nano --images 100000000000",
    "full-size --seed 100000000000000000000000",
)


@pytest.mark.parametrize("words", HUGE)
def test_a_size_out_of_reach(words: str) -> None:
    result = CliRunner().invoke(app, ["bench", *words.split()])
    assert result.exit_code == 2
    assert words.split()[1] in result.output


def test_a_folder_without_the_run(tmp_path, monkeypatch) -> None:
    from lora_demo.lab import nano_evidence

    monkeypatch.setattr(nano_evidence, "base_samples", lambda: pytest.fail("measured before the folder was looked at"))
    result = CliRunner().invoke(app, ["bench", "nano", "--record-base", str(tmp_path)])
    assert result.exit_code == 2
    assert "summary.json: no such file; --record-base names a folder" in result.output
