"""Small models and batches for the models' tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lora_demo.models import weights
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
