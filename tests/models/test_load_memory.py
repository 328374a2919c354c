"""Loading streams: the peak is the model's own memory and little more."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lora_demo.models.materialise import materialise
from lora_demo.models.mgm import MGM

LIMIT = 1.15

MEASURE = """
import json, sys, threading, time
import psutil, torch
from lora_demo.models import weights
from lora_demo.models.mgm import MGM
from lora_demo.models.presets import MGM_NANO

with torch.device("meta"):
    MGM(MGM_NANO)  # what torch and transformers import on first use is not the loader's
process = psutil.Process()
before, peak, running = process.memory_info().rss, 0, True
def watch():
    global peak
    while running:
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
watcher.start()
model = weights.load(sys.argv[1], dtype=torch.float32)
running = False
watcher.join()
size = sum(p.numel() * p.element_size() for p in model.parameters())
print(json.dumps({"size": size, "peak": max(peak, process.memory_info().rss) - before}))
"""


@pytest.fixture
def shards(tmp_path, wide_config, released_tensors, write_released):
    """About 0.2 GiB of bfloat16 shards; as in Gemma, the embedding alone is a large part of the model."""
    config = replace(wide_config, llm=replace(wide_config.llm, vocab_size=100_000, hidden_size=1024))
    with torch.device("meta"):
        model = MGM(config)
    materialise(model, dtype=torch.bfloat16)
    for parameter in model.parameters():
        parameter.detach().fill_(0.5)
    return write_released(tmp_path / "m", released_tensors(model), config, shards=3)


def measure(folder: Path) -> tuple[int, int]:
    """(bytes of the float32 model, peak above what the process held before)."""
    command = [sys.executable, "-c", MEASURE, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    measured = json.loads(result.stdout)
    assert measured["size"] > 390 * 2**20
    return measured["size"], measured["peak"]


def test_peak_while_loading_safetensors(shards):
    size, peak = measure(shards)
    assert peak <= LIMIT * size


@pytest.mark.slow
def test_peak_while_loading_torch_files(shards):
    """One tensor of a torch file is mapped at a time, and mapped pages count: here the embedding's 195 MiB."""
    as_torch_files(shards)
    size, peak = measure(shards)
    assert peak <= LIMIT * size + 2 * 100_000 * 1024


def as_torch_files(folder):
    """The same shards as pickles, as older trainings wrote them."""
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"]
    renamed = {key: name.replace(".safetensors", ".bin") for key, name in index.items()}
    for name in set(index.values()):
        torch.save(load_file(folder / name), folder / name.replace(".safetensors", ".bin"))
        (folder / name).unlink()
    (folder / "model.safetensors.index.json").unlink()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": renamed}), encoding="utf-8")
