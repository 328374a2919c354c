"""What makes a step smaller without changing its result: switches on a finished model, none of them touches a weight.

    recompute_layers      keep each decoder layer's input only; its inside is computed again in the backward pass
    tile_feedforward      within a layer, run the feed-forward part a few positions at a time, recomputing each tile
    gradient, loss        the same in exact arithmetic; in floats up to the order of sums

Sources: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174; for tiles along the
sequence, Liu & Abbeel 2023, Blockwise Parallel Transformer, arXiv:2305.19370, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

FEEDFORWARD = "mlp"


def recompute_layers(language_model: nn.Module) -> None:
    """Activation checkpointing on every decoder layer; active in training mode only."""
    model: Any = language_model
    # The method was renamed in transformers 5; the first positional argument stayed.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False, "preserve_rng_state": draws_random_numbers(language_model)})


def tile_feedforward(language_model: nn.Module, positions: int) -> int:
    """Let every feed-forward block work on tiles of `positions`; returns how many blocks there are.

    A position's feed-forward output depends on that position alone, so tiles change nothing. What is kept per tile is
    its input; its inside (eight times as wide in Gemma) exists for one tile at a time, in both directions. Costs one
    more forward of the block per step.
    """
    blocks = [module for name, module in language_model.named_modules() if name.rsplit(".", 1)[-1] == FEEDFORWARD]
    if not blocks:
        raise ValueError(f"{type(language_model).__name__} has no module called {FEEDFORWARD!r} to cut into tiles")
    keep_random = draws_random_numbers(language_model)
    for block in blocks:
        # On the instance, so that names of modules and parameters stay as they are.
        block.forward = _tiled(block.forward, positions, keep_random)
    return len(blocks)


def draws_random_numbers(model: nn.Module) -> bool:
    """Whether a recomputed forward has to draw the same dropout masks again."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.modules())


def _tiled(forward: Callable[[Tensor], Tensor], positions: int, keep_random: bool) -> Callable[[Tensor], Tensor]:
    def run(hidden: Float[Tensor, "batch length width"]) -> Float[Tensor, "batch length width"]:
        if not torch.is_grad_enabled() or hidden.shape[1] <= positions:
            return forward(hidden)
        tiles = [
            checkpoint(forward, tile, use_reentrant=False, preserve_rng_state=keep_random)
            for tile in hidden.split(positions, dim=1)
        ]
        return torch.cat(tiles, dim=1)

    return run
