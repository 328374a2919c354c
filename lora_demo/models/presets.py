"""Named models: the two vision-language ones and the plain language models that candidates are asked about."""

from __future__ import annotations

from lora_demo.models.config import (
    AuxConfig,
    ClipConfig,
    ConfigError,
    Llama3Rope,
    LLMConfig,
    MGMConfig,
    SpliceConfig,
    TextConfig,
)

GEMMA_2B = LLMConfig(
    vocab_size=256_000,
    hidden_size=2048,
    intermediate_size=16_384,
    num_hidden_layers=18,
    num_attention_heads=8,
    num_key_value_heads=1,
    head_dim=256,
)

LLAMA_3_2_3B = LLMConfig(
    family="llama",
    vocab_size=128_256,
    hidden_size=3072,
    intermediate_size=8192,
    num_hidden_layers=28,
    num_attention_heads=24,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=131_072,
    rms_norm_eps=1e-5,
    rope_theta=500_000.0,
    rope_scaling=Llama3Rope(
        factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192
    ),
    hidden_act="silu",
    pad_token_id=None,
    eos_token_id=128_001,
    bos_token_id=128_000,
)

CLIP_VIT_L_14_336 = ClipConfig(
    hidden_size=1024,
    intermediate_size=4096,
    num_hidden_layers=24,
    num_attention_heads=16,
    image_size=336,
    patch_size=14,
)

CONVNEXT_L_768 = AuxConfig(dims=(192, 384, 768, 1536), depths=(3, 3, 27, 3), image_size=768)

MGM_2B = MGMConfig(
    name="mgm-2b",
    llm=GEMMA_2B,
    clip=CLIP_VIT_L_14_336,
    aux=CONVNEXT_L_768,
    splice=SpliceConfig(max_length=2048),
)

MGM_NANO = MGMConfig(
    name="mgm-nano",
    llm=LLMConfig(
        vocab_size=512,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=256,
    ),
    clip=ClipConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=12,
        patch_size=4,
        projection_dim=32,
    ),
    aux=AuxConfig(dims=(32, 64, 96, 64), depths=(1, 1, 2, 1), image_size=48),
    splice=SpliceConfig(max_length=256),
)

PRESETS: dict[str, MGMConfig | LLMConfig] = {
    "mgm-2b": MGM_2B,
    "mgm-nano": MGM_NANO,
    "gemma-2b": GEMMA_2B,
    "llama-3.2-3b": LLAMA_3_2_3B,
}


def preset(name: str) -> MGMConfig | LLMConfig:
    """The configuration with this name."""
    if name not in PRESETS:
        raise ConfigError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def mgm_preset(name: str) -> MGMConfig:
    """The vision-language configuration with this name."""
    config = preset(name)
    if not isinstance(config, MGMConfig):
        raise ConfigError(f"preset {name!r} is a language model without towers; use mgm-2b or mgm-nano")
    return config


def model_preset(name: str) -> MGMConfig | TextConfig:
    """What the preset with this name is built from: a vision-language model, or a language model alone."""
    config = preset(name)
    return config if isinstance(config, MGMConfig) else TextConfig(name, config)


def longest_row(name: str) -> int | None:
    """Positions at which the preset with this name cuts a row; None where it cuts none, and for other names."""
    config = PRESETS.get(name)
    return config.splice.max_length if isinstance(config, MGMConfig) else None


def language_model_of(config: MGMConfig | LLMConfig) -> LLMConfig:
    """The language model inside, or the language model itself."""
    return config.llm if isinstance(config, MGMConfig) else config
