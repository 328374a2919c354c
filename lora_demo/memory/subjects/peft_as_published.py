"""PEFT as it was when the published runs were made (0.19.2.dev0), where that differs in memory from the installed one.

    OSF, up to 0.20.0   all singular vectors of the frozen part are kept, W itself beside them, and every forward
                        builds the weight anew: W' = U_high S_high V_high + U_low S_low V_low, then x W'ᵀ.
                        Since then: x Wᵀ plus two thin products, and no vectors that can be recovered.

The forwards of all other methods that were compared allocate the same in 0.19.1 and 0.21.2, but for BOFT, which may or
may not have been rewritten by then (rotate x instead of W; about as large for the batches of these runs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch.nn.functional as F
from torch import Tensor


@contextmanager
def as_published() -> Iterator[None]:
    """Put the older forms in place, for the set-up and for the steps."""
    import peft.tuners.osf.layer as osf

    with (
        mock.patch.object(osf.OSFLayer, "update_layer", _keeping_all(osf.OSFLayer.update_layer)),
        mock.patch.object(osf.Linear, "forward", _rebuilt),
    ):
        yield


def _keeping_all(update_layer: Callable[..., None]) -> Callable[..., None]:
    """The installed set-up, then all frozen vectors in place of copies of the trained ones."""

    def update(self: Any, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        update_layer(self, adapter_name, *args, **kwargs)
        low = self.osf_svd_params[adapter_name]
        (rows, trained), columns = low["U_low"].shape, low["V_low"].shape[1]
        frozen = min(rows, columns) - trained
        self._osf_U_high[adapter_name] = low["U_low"].detach().new_empty(rows, frozen)
        self._osf_V_high[adapter_name] = low["V_low"].detach().new_empty(frozen, columns)
        for copies in (self._osf_U_low_init, self._osf_S_low_init, self._osf_V_low_init):
            del copies[adapter_name]

    return update


def _rebuilt(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """x (…, in) -> (…, out); a frozen row of U stands for the singular values, which are as few."""
    adapter = self.active_adapters[0]
    low, u_high, v_high = self.osf_svd_params[adapter], self._osf_U_high[adapter], self._osf_V_high[adapter]
    high_part = (u_high * u_high[:1]) @ v_high
    weight = high_part + (low["U_low"] * low["S_low"]) @ low["V_low"]
    del high_part
    bias = self.get_base_layer().bias
    return F.linear(x.to(weight.dtype), weight, None if bias is None else bias.to(weight.dtype)).to(x.dtype)
