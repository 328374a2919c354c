"""Learning rate over the run, as a factor of the peak: pure functions of the step."""

from __future__ import annotations

import math
from typing import Literal

Shape = Literal["cosine", "linear", "constant"]


def factor(step: int, total: int, *, shape: Shape, warmup: float, floor: float) -> float:
    """Factor of the peak learning rate at `step` of `total`.

    warmup  fraction of the run over which the rate rises linearly from near zero
    floor   factor at the end of the descent (cosine and linear)
    """
    rising = round(warmup * total)
    if step < rising:
        return (step + 1) / rising
    if shape == "constant":
        return 1.0
    progress = min(1.0, (step - rising) / max(1, total - rising))
    descent = 0.5 * (1 + math.cos(math.pi * progress)) if shape == "cosine" else 1 - progress
    return floor + (1 - floor) * descent
