"""A smaller card on a larger one: PyTorch's allocator gives up where the smaller card's would.

What is capped is what the allocator reserves. The CUDA context lies outside it on either card, so the limit to pass is
what PyTorch sees of the smaller card less its context. Known limit: speed stays that of the larger card.
"""

from __future__ import annotations

import os

import torch

from lora_demo.results.units import GIB


class CapRefused(ValueError):
    """A cap that this machine cannot act out; the message says what would do instead."""


def cap_memory(limit: int, card: str) -> None:
    """Let this process reserve at most `limit` bytes of its GPU from now on; `card` names the limit in messages."""
    if not torch.cuda.is_available():
        raise CapRefused(
            f"--as-gpu {card}: there is no CUDA GPU here whose memory could be cut down to that card's; "
            f"leave it out, or ask on paper with `lora-demo predict --gpu {card}`"
        )
    device = own_device()
    total = torch.cuda.get_device_properties(device).total_memory
    if limit > total:
        raise CapRefused(
            f"--as-gpu {card}: {torch.cuda.get_device_name(device)} has {total / GIB:.2f} GiB, less than the "
            f"{limit / GIB:.2f} GiB to act out; name a smaller card"
        )
    torch.cuda.set_per_process_memory_fraction(limit / total, device)


def own_device() -> torch.device:
    """The GPU that this process trains on; launchers say which by LOCAL_RANK."""
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
