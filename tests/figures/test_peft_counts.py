"""Our counts against PEFT's on the same model on the meta device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from peft import (
    IA3Config,
    LNTuningConfig,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)

from lora_demo.figures.counting import TARGETS
from lora_demo.figures.geometry import fresh
from lora_demo.figures.literature import cited
from lora_demo.results.paths import figures_file
from lora_demo.results.store import load

CAUSAL = {"task_type": "CAUSAL_LM"}
SAME: dict[str, Callable[[], PeftConfig]] = {
    "mgm2b.ia3.peft": lambda: IA3Config(**CAUSAL),
    "mgm2b.lntuning": lambda: LNTuningConfig(**CAUSAL),
    "mgm2b.prompt.t20": lambda: PromptTuningConfig(num_virtual_tokens=20, **CAUSAL),
    "mgm2b.prefix.t20": lambda: PrefixTuningConfig(num_virtual_tokens=20, **CAUSAL),
    "mgm2b.prefix.t20_projected": lambda: PrefixTuningConfig(
        num_virtual_tokens=20, prefix_projection=True, encoder_hidden_size=256, **CAUSAL
    ),
    "mgm2b.ptuning.t20": lambda: PromptEncoderConfig(num_virtual_tokens=20, encoder_hidden_size=128, **CAUSAL),
    **{
        f"mgm2b.lora.{name}.r8": lambda targets=targets: LoraConfig(r=8, target_modules=list(targets), **CAUSAL)
        for name, targets in TARGETS.items()
    },
}


# peft 0.21 still asks transformers 5 for the old name of a property
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
# its own layer-norm tuning then warns about the layers it is made for
@pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning")
@pytest.mark.parametrize("name", SAME)
def test_peft_trains_as_many(name: str) -> None:
    """PEFT's own configuration of the same method trains the same number of parameters."""
    model = get_peft_model(fresh("gemma-2b"), SAME[name]())
    assert model.get_nb_trainable_parameters()[0] == load(figures_file())[name].value


def test_peft_defaults_are_eight_and_eight() -> None:
    """r = 8 and lora_alpha = 8: the default is not α = 2r."""
    config = LoraConfig()
    assert (config.r, config.lora_alpha) == (cited("peft-library.default.r"), cited("peft-library.default.alpha"))
