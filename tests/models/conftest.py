"""Small models and batches for the models' tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_demo.models import names, weights
from lora_demo.models.config import AuxConfig, ClipConfig, LLMConfig, MGMConfig, SpliceConfig
from lora_demo.models.materialise import randomise
from lora_demo.models.mgm import MGM

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    return REFERENCE


@pytest.fixture(scope="session")
def reference_inputs() -> dict[str, torch.Tensor]:
    return load_file(REFERENCE / "inputs.safetensors")


@pytest.fixture(scope="session")
def reference_outputs() -> dict[str, torch.Tensor]:
    return load_file(REFERENCE / "expected.safetensors")


@pytest.fixture
def reference_model() -> MGM:
    return weights.load(REFERENCE)


@pytest.fixture(scope="session")
def tiny_config() -> MGMConfig:
    """Another geometry than the reference's: three layers, two KV heads, 3 x 3 queries, three ConvNeXt stages."""
    return MGMConfig(
        name="tiny",
        llm=LLMConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=128,
        ),
        clip=ClipConfig(
            hidden_size=24,
            intermediate_size=40,
            num_hidden_layers=3,
            num_attention_heads=3,
            image_size=24,
            patch_size=8,
        ),
        aux=AuxConfig(dims=(8, 12, 16), depths=(1, 2, 1), image_size=48),
        splice=SpliceConfig(),
    )


@pytest.fixture
def make_model(tiny_config):
    """A tiny model with random weights in every place; keyword arguments replace parts of its splice."""

    def make(dtype: torch.dtype = torch.float32, mining: str = "folded", **splice) -> MGM:
        config = replace(tiny_config, splice=replace(tiny_config.splice, **splice))
        model = MGM(config, mining=mining).to(dtype)
        randomise(model, seed=0, spread=0.3)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=dtype) * 0.1)
        return model

    return make


@pytest.fixture
def make_images():
    """Both views of `count` random pictures for the tiny model."""

    def make(count: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(2)
        small = torch.randn(count, 3, 24, 24, generator=generator, dtype=dtype)
        return small, torch.randn(count, 3, 48, 48, generator=generator, dtype=dtype)

    return make


@pytest.fixture(scope="session")
def deviation():
    """Largest difference relative to the largest expected value."""

    def measure(found: torch.Tensor, expected: torch.Tensor) -> float:
        assert found.shape == expected.shape
        found, expected = found.detach(), expected.detach()
        return float((found - expected).abs().max() / expected.abs().max())

    return measure


@pytest.fixture(scope="session")
def released_tensors():
    """A model's tensors under released keys."""

    def collect(model: MGM) -> dict[str, torch.Tensor]:
        return {names.released_from_ours(name): value.detach().clone() for name, value in model.named_parameters()}

    return collect


@pytest.fixture(scope="session")
def write_released():
    """Write tensors as MGM's own training code would: sharded safetensors with an index, and `config.json`."""

    def write(folder: Path, tensors: dict[str, torch.Tensor], config: MGMConfig, *, shards: int = 2, **fields) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        keys, weight_map = sorted(tensors), {}
        for number in range(shards):
            name = f"model-{number + 1:05}-of-{shards:05}.safetensors"
            part = {key: tensors[key] for key in keys[number::shards]}
            weight_map |= dict.fromkeys(part, name)
            save_file(part, folder / name)
        index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
        write_config(folder, config, **fields)
        return folder

    return write


def write_config(folder: Path, config: MGMConfig, **fields) -> None:
    """`config.json` with the fields of a released MGM-2B, in the old spelling of transformers 4.38."""
    llm = config.llm
    released = {
        "model_type": "mgm_gemma",
        "architectures": ["MGMGemmaForCausalLM"],
        "vocab_size": llm.vocab_size,
        "hidden_size": llm.hidden_size,
        "intermediate_size": llm.intermediate_size,
        "num_hidden_layers": llm.num_hidden_layers,
        "num_attention_heads": llm.num_attention_heads,
        "num_key_value_heads": llm.num_key_value_heads,
        "head_dim": llm.head_dim,
        "max_position_embeddings": llm.max_position_embeddings,
        "rms_norm_eps": llm.rms_norm_eps,
        "rope_theta": llm.rope_theta,
        "rope_scaling": None,
        "hidden_act": "gelu",
        "attention_bias": False,
        "image_aspect_ratio": "pad",
        "image_grid": 1,
        "image_global": False,
        "image_size_aux": config.aux.image_size,
        "mm_projector_type": "mlp2x_gelu",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "mm_vision_select_layer": config.clip.select_layer,
        "mm_vision_select_feature": "patch",
        "mm_vision_tower": "model_zoo/OpenAI/clip-vit-large-patch14-336",
        "mm_vision_tower_aux": "model_zoo/OpenAI/openclip-convnext-large-d-320-laion2B-s29B-b131K-ft-soup",
        "tokenizer_model_max_length": config.splice.max_length,
        "tokenizer_padding_side": config.splice.padding_side,
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(released | fields), encoding="utf-8")


@pytest.fixture(scope="session")
def wide_config(tiny_config) -> MGMConfig:
    """The tiny model with CLIP heads 64 wide, as in every CLIP: a released file does not say how many heads it has."""
    clip = replace(tiny_config.clip, hidden_size=128, intermediate_size=96, num_attention_heads=2)
    return replace(tiny_config, clip=clip, splice=replace(tiny_config.splice, max_length=100))


@pytest.fixture(scope="session")
def wide_model(wide_config) -> MGM:
    model = MGM(wide_config)
    randomise(model, seed=3, spread=0.3)
    return model.eval()
