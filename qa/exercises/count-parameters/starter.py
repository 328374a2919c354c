from torch import nn


def count(model: nn.Module) -> tuple[int, int]:
    """(trainable, total) values of the model's parameters."""
    raise NotImplementedError
