"""One base, several adapters: each row of a batch goes through its own, and answers as it would alone.

Adapter "a" was trained on family A, "b" on family B. Switched as a whole each serves its own family; mixed within one
batch, which is how a server keeps its GPU busy, every row must get exactly the answer of its adapter alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lora_demo.lab.workshop import FAMILIES, Workshop
from lora_demo.methods import several, surgery
from lora_demo.models import shipped
from lora_demo.models.mgm import MGM
from lora_demo.training.preparation.sources import SeenSource, micro_batch

ADAPTERS = {"a": "nano-lora", "b": "nano-lora-b"}
BATCH = 50
HALF = 0.5


def measure(lab: Workshop) -> dict[str, Any]:
    """Accuracies of base, each adapter, their mean; of a mixed batch, with its largest logit difference; bytes."""
    alone = {name: lab.trained(recipe).model for name, recipe in ADAPTERS.items()}
    shared = together(lab, alone)
    found: dict[str, Any] = {"base": lab.judge(shipped.load_nano())}
    for name in ADAPTERS:
        several.switch(shared.language_model, name)
        found[name] = lab.judge(shared)
    several.mix(shared.language_model, dict.fromkeys(ADAPTERS, HALF))
    found["mean"] = lab.judge(shared)
    return found | {"mixed_batch": mixed(lab, shared, alone), "bytes": sizes(shared)}


def together(lab: Workshop, alone: dict[str, MGM]) -> MGM:
    """One base that holds every adapter by name."""
    shared = shipped.load_nano()
    settings = {name: lab.recipe(recipe).method.settings for name, recipe in ADAPTERS.items()}
    (targets,) = {str(chosen.pop("targets")) for chosen in settings.values()}
    several.apply_bank(shared.language_model, targets, settings)
    for name, model in alone.items():
        several.take(shared.language_model, name, model.language_model)
    return shared.eval()


@torch.no_grad()
def mixed(lab: Workshop, shared: MGM, alone: dict[str, MGM]) -> dict[str, Any]:
    """Rows of both families in turn through one batch, each with its family's adapter; against each adapter alone."""
    furthest, same, positions = 0.0, 0, 0
    for start in range(0, min(len(lab.held_out(family)) for family in FAMILIES), BATCH // 2):
        together_, apart = logits_both_ways(lab, shared, alone, start)
        furthest = max(furthest, float((together_ - apart).abs().max()))
        same += int((together_.argmax(-1) == apart.argmax(-1)).sum())
        positions += len(apart)
    return {"positions": positions, "same_answer": same / positions, "largest_difference": furthest}


def logits_both_ways(lab: Workshop, shared: MGM, alone: dict[str, MGM], start: int) -> tuple[Tensor, Tensor]:
    """(mixed in one batch, adapter by adapter): logits at the same supervised positions, in the same order."""
    rows = {family: inputs_of(lab.held_out(family), start) for family in FAMILIES}
    apart = torch.cat([answered(alone[family], rows[family]) for family in FAMILIES])
    joined = joint(*(rows[family] for family in FAMILIES))
    names = [family for family in FAMILIES for _ in range(len(rows[family]["input_ids"]))]
    with several.mixed_batch(shared.language_model, names):
        return answered(shared, joined), apart


def inputs_of(source: SeenSource, start: int) -> dict[str, Any]:
    return {**source.inputs(range(start, min(start + BATCH // 2, len(source))))}


def answered(model: MGM, inputs: dict[str, Any]) -> Tensor:
    micro = micro_batch(inputs, model)
    return model(**micro.inputs, supervised_only=True).logits


def joint(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two batches as one: texts padded to the same length, pictures behind each other."""
    width = max(part["input_ids"].shape[1] for part in (first, second))
    filled = {"input_ids": 0, "labels": -100, "attention_mask": False}
    texts = {
        name: torch.cat(
            [
                torch.nn.functional.pad(part[name], (0, width - part[name].shape[1]), value=value)
                for part in (first, second)
            ]
        )
        for name, value in filled.items()
    }
    features = [part["features"] for part in (first, second)]
    stages = tuple(torch.cat(pair) for pair in zip(*(each.stages for each in features), strict=True))
    return {**texts, "features": type(features[0])(torch.cat([each.query for each in features]), stages)}


def sizes(shared: MGM) -> dict[str, int]:
    """Bytes of the base and of one adapter."""
    adapters = sum(tensor.nbytes for tensor in surgery.collect(shared.language_model).values())
    total = sum(parameter.nbytes for parameter in shared.parameters())
    return {"base": total - adapters, "adapter": adapters // len(ADAPTERS)}
