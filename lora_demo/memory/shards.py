"""FSDP on paper: what one of N devices holds when weights, gradients and optimizer state are cut into N shards.

    weights, gradients, optimizer     1/N of each
    activations, logits, temporaries  as on one device: each device has a batch of its own
    gathered                          two decoder layers whole (the one at work and the one fetched ahead), the rest of
                                      the model (embedding, head, norms, towers) whole, since the root unit stays
                                      gathered, and one layer's gradients whole before they are scattered

Everything gathered counts as temporaries. An upper bound at the peak: the moment of the peak may hold one layer only.
Source: Zhao et al. 2023, PyTorch FSDP, arXiv:2304.11277, sections 3.2 and 3.3 (FULL_SHARD, backward prefetch).
Known limit: the allocator's surplus (reserved less allocated) is taken over from one device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn

from lora_demo.memory.tracing.trace import KINDS, Kind, Replay

SHARDED: tuple[Kind, ...] = ("weights_frozen", "weights_trainable", "gradients", "optimizer")
FETCHED_LAYERS = 2


@dataclass(frozen=True)
class Units:
    """Bytes of the largest decoder layer, of its trainable part, and of everything outside the layers."""

    layer: int
    layer_trainable: int
    root: int

    @property
    def gathered(self) -> int:
        return FETCHED_LAYERS * self.layer + self.layer_trainable + self.root


def units(model: nn.Module) -> Units:
    """The list of modules that holds most is the list of decoder layers."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) > 0]
    layers = list(max(lists, key=_size)) if lists else [model]
    largest = max(layers, key=_size)
    trainable = sum(p.nbytes for p in largest.parameters() if p.requires_grad)
    return Units(_size(largest), trainable, _size(model) - sum(map(_size, layers)))


def sharded(replay: Replay, sizes: Units, shards: int) -> Replay:
    """The replay as one of `shards` devices would have it; parts add up to the allocated peak."""
    if shards == 1:
        return replay
    parts = {kind: -(-replay.parts[kind] // shards) if kind in SHARDED else replay.parts[kind] for kind in KINDS}
    parts["temporaries"] += sizes.gathered
    peak = sum(parts.values())
    return replace(
        replay, peak_allocated=peak, peak_reserved=peak + replay.peak_reserved - replay.peak_allocated, parts=parts
    )


def _size(module: nn.Module) -> int:
    own: dict[int, Tensor] = {id(parameter): parameter for parameter in module.parameters()}
    return sum(parameter.nbytes for parameter in own.values())
