"""What lora_dropout keeps for the backward pass: a mask for each module, and sometimes an input of its own."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

ATTENTION, MLP = ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")


def kept_bytes(model: torch.nn.Module, tokens: torch.Tensor, p: float, adapters_in_fp32: bool) -> int:
    """Bytes of all that one forward keeps, parameters aside; what two modules share counts once."""
    settings = LoraConfig(r=2, lora_dropout=p, target_modules=[*ATTENTION, *MLP])
    adapted = get_peft_model(model.bfloat16(), settings, autocast_adapter_dtype=adapters_in_fp32).train()
    adapted.enable_input_require_grads()
    own = {parameter.untyped_storage().data_ptr() for parameter in adapted.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        adapted(tokens).logits.float().square().mean()
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("adapters_in_fp32", [True, False], ids=["fp32 adapters", "bf16 adapters"])
def test_dropout_keeps_a_mask_a_module_and_parts_inputs_that_were_shared(tiny, tokens, adapters_in_fp32):
    """In fp32, PEFT's default, each module casts x for itself and nothing was shared; in the dtype of x, q, k and v
    kept one input and gate and up another. On a CPU a mask has the dtype of the input it is for."""
    without, with_dropout = (kept_bytes(tiny("llama"), tokens, p, adapters_in_fp32) for p in (0.0, 0.1))
    layers, width, size = 2, 32, 4 if adapters_in_fp32 else 2
    one_input = tokens.numel() * width * size
    masks = layers * len(ATTENTION + MLP) * one_input
    parted = layers * (len(ATTENTION) - 1 + len(MLP) - 1) * one_input
    assert with_dropout - without == masks + (0 if adapters_in_fp32 else parted)
