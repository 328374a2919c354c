"""`lora-demo train` as its users start it, on one process or through `accelerate launch`, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lora_demo.training.engine import metrics

SETTINGS = ["steps=4", "batch=6", "threads=1", "data.images=12", "data.questions=2", "cache_features=false"]
SETTINGS += ["evaluation.rows=4", "save.every=2"]
LAUNCH = ["-m", "accelerate.commands.launch", "--num_processes=2", "--num_machines=1"]
LAUNCH += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
# `--cpu` would start one process: several on CPUs go through the same launcher as several GPUs, with gloo.
REPLICAS, SHARDS = [*LAUNCH, "--multi_gpu"], [*LAUNCH, "--use_fsdp"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def python(*words: str) -> str:
    """What a Python process prints; it has to succeed."""
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(folder: Path, *settings: str, launcher: Sequence[str] = ()) -> dict:
    """The summary of a run of nano-lora-b into `folder`."""
    words = [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]
    return json.loads(
        python(*launcher, "-m", "lora_demo", "train", "nano-lora-b", *words, "--out", str(folder), "--json")
    )


def curve(folder: Path) -> list[tuple[int, float, float]]:
    """(step, loss, gradient norm) of every step."""
    return [(line["step"], line["loss"], line["gradient_norm"]) for line in metrics.read(folder) if "loss" in line]
