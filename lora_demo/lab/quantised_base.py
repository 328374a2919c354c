"""LoRA on a base in NF4: what packing loses, what training on the packed base wins back, and where the adapter belongs.

An adapter trained on packed weights has learned to make up for their errors. Put onto the original weights it meets a
base that it does not know; `moved` measures that.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from lora_demo.lab.workshop import Workshop
from lora_demo.methods import nf4, registry, surgery
from lora_demo.models import shipped
from lora_demo.models.mgm import MGM

PACKED, PLAIN = "nano-qlora", "nano-lora-b"


def measure(lab: Workshop) -> dict[str, Any]:
    """Accuracies of the base, packed and not, and of LoRA on either; bytes of the linear layers, packed and not."""
    base, packed = shipped.load_nano(), shipped.load_nano()
    nf4.quantise_linears(packed.language_model, surgery.ALL)
    trained = lab.trained(PACKED)
    return {
        "base": lab.judge(base),
        "packed": lab.judge(packed),
        "lora": lab.judge(lab.trained(PLAIN).model),
        "qlora": lab.judge(trained.model),
        "moved": lab.judge(moved(lab, trained.model)),
        "bytes": {"plain": linear_bytes(base.language_model), "packed": linear_bytes(packed.language_model)},
    }


def moved(lab: Workshop, trained: MGM) -> MGM:
    """The adapter trained on the packed base, put onto the original one."""
    model = shipped.load_nano()
    settings = {key: value for key, value in lab.recipe(PACKED).method.settings.items() if key != "quantised"}
    registry.apply(model.language_model, "lora", **settings)
    tensors = surgery.collect(trained.language_model)
    for name, parameter in surgery.adapter_parameters(model.language_model).items():
        parameter.data.copy_(tensors[name])
    return model.eval()


def linear_bytes(language_model: nn.Module) -> int:
    """Bytes of the linear layers that packing concerns, with what packing adds to them."""
    kinds = (nn.Linear, nf4.NF4Linear)
    head = language_model.get_submodule("lm_head")
    layers = [module for module in language_model.modules() if isinstance(module, kinds) and module is not head]
    return sum(t.nbytes for layer in layers for t in (*layer.parameters(), *layer.buffers()))
