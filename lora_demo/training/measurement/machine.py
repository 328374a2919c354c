"""Which machine a measurement was made on: processor, GPU, driver, and how much memory there is."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import psutil
import torch

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The CPU's name as it gives it, else its architecture."""
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """What a record says about the device: a GPU's name, or the CPU's with its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {os.cpu_count()} cores"


def driver(device: torch.device) -> str | None:
    """The GPU's driver version; None on a CPU, or where nvidia-smi is not there to be asked."""
    if device.type != "cuda" or shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    return answer.stdout.splitlines()[0].strip() if answer.returncode == 0 and answer.stdout else None


def host_memory() -> int:
    """Bytes that this process could still take: what the host has free, or less where a container sets a limit."""
    free = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    try:
        return min(free, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # no such limit here, or "max"
        return free
