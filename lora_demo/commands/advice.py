"""What `lora-demo plan` would suggest after a run that did not fit: the way that does, as switches of the recipe."""

from __future__ import annotations

import torch

from lora_demo.memory.cards import CARDS, Card
from lora_demo.memory.formula.decoder_config import decoder
from lora_demo.memory.plan import Proposal, proposals
from lora_demo.models.presets import longest_row, model_preset
from lora_demo.results.units import GIB, MIB
from lora_demo.training.recipes.recipe import UNPACKED_ONLY, Recipe
from lora_demo.training.recipes.recipe_data import SyntheticData

CONTEXT = 450 * MIB
SUPERVISED = 128
"""An answer's usual length, where the data does not say."""
SWITCHES = {
    "fused AdamW": "optimizer.implementation=fused",
    "logits at supervised positions": "supervised_only=true",
    "recomputed activations": "checkpointing=true",
    "8-bit AdamW": "optimizer.implementation=adamw8bit",
}


def beyond(recipe: Recipe) -> str:
    """Savers that `plan` does not weigh, of those that this recipe's method can take."""
    packable = recipe.method.name not in UNPACKED_ONLY
    switches = ["micro_batch=1", "loss_chunk=256", "feedforward_tile=512"]
    switches += ["method.dtype=bfloat16", "model.nf4=own"] if packable else []
    return f"Beyond that: {', '.join(switches)}."


def advice(recipe: Recipe, gpu: str | None) -> str:
    """For the card acted out, or the GPU at hand; on a CPU, and for models without a formula, the general order."""
    further = beyond(recipe)
    device = CARDS[gpu] if gpu else card_at_hand()
    found = _proposals(recipe, device) if device else None
    if device is None or found is None:
        return f"Set checkpointing=true, then lower the rows of one forward. {further}"
    length, _ = _sizes(recipe)
    asked = f"`lora-demo plan --model {recipe.model.preset} --gpu {gpu or 'CARD'} --seq {length}`"
    fitting = [one for one in found if one.fits]
    if not fitting:
        return f"{asked} finds no way that fits {device.budget / GIB:.2f} GiB at this length; shorten it. {further}"
    return f"{asked} suggests: {said(_nearest(recipe, fitting))}. {further}"


def said(one: Proposal) -> str:
    """A proposal in words, with the switches that make a recipe of it."""
    switches = " ".join(f"--set {SWITCHES[saver]}" for saver in one.savers if saver in SWITCHES)
    return (
        f"{one.method}{', ' + switches if switches else ' as it is'} takes {one.needs / GIB:.2f} GiB at batch 1; "
        f"up to {one.batch} rows at once, or one of {one.length} positions"
    )


def card_at_hand() -> Card | None:
    """The GPU here as a card of its own; None without one."""
    if not torch.cuda.is_available():
        return None
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return Card(torch.cuda.get_device_name(), total, CONTEXT, read=True)


def _proposals(recipe: Recipe, device: Card) -> list[Proposal] | None:
    length, supervised = _sizes(recipe)
    try:
        preset = recipe.model.preset
        return proposals(decoder(preset), device, length, min(supervised, length - 1), longest_row(preset))
    except ValueError:
        # A model or size that the formula does not know: advice must not take the place of the message it goes with.
        return None


def _nearest(recipe: Recipe, fitting: list[Proposal]) -> Proposal:
    """The same method with more savers, where that fits; else the first way that does."""
    kind = "QLoRA" if recipe.model.nf4 or recipe.method.name == "qlora" else recipe.method.name
    return next((one for one in fitting if one.method.lower().startswith(kind.lower())), fitting[0])


def _sizes(recipe: Recipe) -> tuple[int, int]:
    """(positions per row, supervised ones): the data's own, or the longest row there can be."""
    if isinstance(recipe.data, SyntheticData):
        return recipe.data.length, recipe.data.supervised or recipe.data.length - 1
    return model_preset(recipe.model.preset).splice.max_length or 2048, SUPERVISED
