"""Run under `accelerate launch --use_fsdp`: several recipes one after the other, sharded, into folders by their names.

`lora-demo train` trains one recipe per launch, and launching is most of the time; each is run again from its
checkpoint half-way. Prints, per recipe, how many values of the language model this process held and how many there are.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from lora_demo.training.engine import sharded
from lora_demo.training.engine.accelerated import leave
from lora_demo.training.recipes import recipe_files
from lora_demo.training.run import run

AGAIN = "-again"
held: list[int] = []
prepared = sharded.prepare


def counted(model: torch.nn.Module, *rest: object) -> tuple:
    ready = prepared(model, *rest)
    parameters = [p for p in model.get_submodule("language_model").parameters() if isinstance(p, DTensor)]
    held[:] = [sum(p.to_local().numel() for p in parameters), sum(p.numel() for p in parameters)]
    return ready


def main(root: Path, recipes: dict[str, list[str]]) -> None:
    sharded.prepare = counted
    found = {}
    for name, settings in recipes.items():
        recipe = recipe_files.load(name, settings)
        first = run(recipe, root / name).first
        found[name] = list(held)
        if first:
            shutil.copytree(root / name, root / f"{name}{AGAIN}")
            for later in ("step-0000004", "best"):
                shutil.rmtree(root / f"{name}{AGAIN}" / "checkpoints" / later)
        run(recipe, root / f"{name}{AGAIN}", resume=True)
    (root / f"held-{int(torch.distributed.get_rank())}.json").write_text(json.dumps(found))
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
