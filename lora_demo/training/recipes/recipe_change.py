"""What may differ between a run and the run that goes on with it."""

from __future__ import annotations

from typing import Any

from lora_demo.training.recipes.recipe import Recipe

FREE = frozenset(
    [
        *("name", "about", "workers", "threads", "tensorboard", "save", "micro_batch", "checkpointing"),
        *("loss_chunk", "loss_kernel", "feedforward_tile", "mining"),
    ]
)
"""Fields that change how a step is computed and kept, not what it computes, but for rounding and dropout's draws.

Not cache_features: with it a nano row is a picture with all its questions.
"""


def changes(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Fields that make it another run, by name. What did not exist yet when `stored` was written has its default."""
    then = Recipe.model_validate(stored).model_dump(mode="json")
    return sorted(key for key in {*then, *now} - FREE if then.get(key) != now.get(key))
