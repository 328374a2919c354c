"""What a card offers to PyTorch.

visible    bytes that PyTorch reports as the device's total; `read` says whether that was read off such a card
           (rtx4090: "total capacity of 23.65 GiB" in out-of-memory messages) or is the nominal size less 0.35 GiB
context    bytes that the CUDA context takes from it before the first tensor; depends on driver and loaded kernels,
           so it is a round estimate, used only for what nvidia-smi would show and for "does it fit"
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from lora_demo.results.units import GIB, MIB


class UnknownCard(ValueError):
    """No such card; the message lists near names."""


@dataclass(frozen=True)
class Card:
    name: str
    visible: int
    context: int
    read: bool = False
    hopper: bool = False

    @property
    def budget(self) -> int:
        """Bytes a process may reserve."""
        return self.visible - self.context


def _estimated(name: str, nominal: int, *, hopper: bool = False) -> Card:
    return Card(name, nominal * GIB - 350 * MIB, 450 * MIB, hopper=hopper)


CARDS = {
    card.name: card
    for card in (
        _estimated("6gb", 6),
        _estimated("8gb", 8),
        _estimated("12gb", 12),
        _estimated("16gb", 16),
        Card("rtx4090", int(23.65 * GIB), 450 * MIB, read=True),
        _estimated("l40s", 45),
        _estimated("a100-40gb", 40),
        _estimated("a100-80gb", 80),
        _estimated("h100-80gb", 80, hopper=True),
        _estimated("h200", 140, hopper=True),
    )
}


def card(name: str) -> Card:
    """The card of that name; raises UnknownCard."""
    if name not in CARDS:
        near = difflib.get_close_matches(name, CARDS, n=3) or list(CARDS)
        raise UnknownCard(f"no card {name!r}; near names: {', '.join(near)}")
    return CARDS[name]
