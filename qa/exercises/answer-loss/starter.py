from torch import Tensor, nn


def answer_labels(ids: Tensor, prompt_length: int) -> Tensor:  # [length] -> [length]
    """The ids themselves, -100 on the prompt; not shifted, and `ids` stays as it is."""
    raise NotImplementedError


def accumulated_loss(model: nn.Module, micro_batches: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Next-token loss of the whole batch, detached; its gradient is added to the parameters'.

    model(ids) gives logits [rows, length, vocabulary]; micro_batches holds pairs (ids, labels), both [rows, length].
    """
    raise NotImplementedError
