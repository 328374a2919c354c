"""`lora-demo merge`: adapter and base in, one checkpoint folder out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from lora_demo.commands.train import BAD_INPUT
from lora_demo.methods.errors import MethodError
from lora_demo.models import shipped
from lora_demo.training.merge_adapter import AdapterFolder, MergeFailed, Verified, merge

NANO = "nano"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def start(adapter: Path, base: str | None, out: Path, dtype: str | None, *, as_json: bool) -> int:
    """Merge, verify, write. Exit status 0 written, 1 the check failed, 2 bad input; nothing is written but on 0."""
    errors = Console(stderr=True)
    try:
        found = AdapterFolder.find(adapter)
        home = base_folder(found, base)
        verified = merge(found, home, out, dtype=_dtype(dtype))
    except BAD_INPUT as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except MergeFailed as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    print(json.dumps({"result": str(out), **asdict(verified)}, indent=1) if as_json else described(verified, home, out))
    return 0


def base_folder(adapter: AdapterFolder, base: str | None) -> Path:
    """The base's folder: the one given, else the one that the run was trained on."""
    if base is None:
        if adapter.run is None:
            raise MethodError(f"{adapter.folder}: does not say what it was trained on; name the base with --base")
        base = NANO if adapter.run.model.weights == "shipped" else adapter.run.model.weights
    if base == "random":
        raise MethodError(f"{adapter.folder}: was trained on random weights that were never saved; name a --base")
    return shipped.FOLDER if base == NANO else Path(base)


def described(found: Verified, base: Path, out: Path) -> str:
    """What was merged and how it was checked, in words."""
    lines = [
        f"merged into {found.changed} weights of {base.name}; the others were copied bit for bit",
        f"checked before writing: logits differ by {found.error:.1e} of their size from the unmerged model's, the "
        f"adapter changes them by {found.effect:.1e}; same most likely token at {found.agreement:.0%} of positions",
    ]
    if found.drowned:
        lines.append("careful: rounding takes more than half of what this adapter does; merge with --dtype float32")
    if not found.base_known:
        lines.append("the adapter does not say which base it was trained on, so only the shapes could be compared")
    return "\n".join([*lines, f"result: {out}"])


def _dtype(name: str | None) -> torch.dtype | None:
    if name is not None and name not in DTYPES:
        raise MethodError(f"--dtype {name}: choose one of {', '.join(DTYPES)}, or leave it out to keep the base's own")
    return DTYPES[name] if name else None
