from collections.abc import Mapping

from torch import Tensor, nn


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """What trains, by the names of named_parameters(): detached copies on the CPU."""
    raise NotImplementedError


def load_adapter(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy values in. KeyError for a missing or surplus name, ValueError for a shape, and the model unchanged."""
    raise NotImplementedError
