"""Loading streams: the peak is the model's own memory and little more."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

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


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_peak_while_loading(tmp_path, wide_config, released_tensors, write_released, suffix):
    """Float32 from bfloat16 shards; as in Gemma, the embedding alone is a large part of the model."""
    config = replace(wide_config, llm=replace(wide_config.llm, vocab_size=40_000, hidden_size=1024))
    with torch.device("meta"):
        model = MGM(config)
    materialise(model, dtype=torch.bfloat16)
    for parameter in model.parameters():
        parameter.detach().fill_(0.5)
    folder = write_released(tmp_path / "m", released_tensors(model), config, shards=3)
    if suffix == ".bin":
        as_torch_files(folder)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=True, timeout=200
    )
    measured = json.loads(result.stdout)
    assert measured["size"] > 150 * 2**20
    assert measured["peak"] <= LIMIT * measured["size"]


def as_torch_files(folder):
    """The same shards as pickles, as older trainings wrote them."""
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))["weight_map"]
    renamed = {key: name.replace(".safetensors", ".bin") for key, name in index.items()}
    for name in set(index.values()):
        torch.save(load_file(folder / name), folder / name.replace(".safetensors", ".bin"))
        (folder / name).unlink()
    (folder / "model.safetensors.index.json").unlink()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": renamed}), encoding="utf-8")
