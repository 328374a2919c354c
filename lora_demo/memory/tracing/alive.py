"""Who is alive at the peak, as a tree: kind -> place in the model -> tensor, with bytes and how many there are."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from lora_demo.memory.tracing.trace import KINDS, Replay, Trace

_LAYER = re.compile(r"\.(\d+)(?=\.|$)")
_WRAPPERS = ("language_model.", "base_model.model.", "base_layer", "get_base_model.")
PLACES = 12
TENSORS = 6


def tree(trace: Trace, replay: Replay) -> list[dict[str, Any]]:
    """Largest first; what falls below the first few places or tensors is summed up under the name ''.

    Bytes are the allocator's blocks and add up to the allocated peak; the cuBLAS workspace stands as its own tensor.
    """
    grouped: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for number, size in replay.alive:
        storage = trace[number]
        tensor = f"{'×'.join(map(str, storage.shape)) or '1'} {storage.dtype.removeprefix('torch.')}"
        grouped[storage.kind][place(storage.module)][tensor].append(size)
    rest = replay.peak_allocated - sum(size for _, size in replay.alive)
    if rest:
        grouped["temporaries"]["cuBLAS"]["workspace"].append(rest)
    return [_node(kind, _children(grouped[kind])) for kind in KINDS if grouped[kind]]


def place(module: str) -> str:
    """The module with layer numbers and wrappers left out: layers.*.mlp.up_proj."""
    for wrapper in _WRAPPERS:
        module = module.replace(wrapper, "")
    return _LAYER.sub(".*", module).strip(".") or "·"


def _children(places: dict[str, dict[str, list[int]]]) -> list[dict[str, Any]]:
    nodes = [
        _node(name, _limited([_leaf(tensor, sizes) for tensor, sizes in tensors.items()], TENSORS))
        for name, tensors in places.items()
    ]
    return _limited(nodes, PLACES)


def _limited(nodes: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    nodes = sorted(nodes, key=lambda node: -node["bytes"])
    shown, rest = nodes[:most], nodes[most:]
    if rest:
        shown.append({"name": "", "bytes": sum(node["bytes"] for node in rest), "count": len(rest)})
    return shown


def _leaf(name: str, sizes: list[int]) -> dict[str, Any]:
    return {"name": name, "bytes": sum(sizes), "count": len(sizes)}


def _node(name: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "bytes": sum(child["bytes"] for child in children), "children": children}
