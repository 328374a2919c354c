"""Configurations refuse contradictions and survive a trip through JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from transformers.activations import ACT2FN

from lora_demo.models.config import AuxConfig, ConfigError, LLMConfig, MGMConfig
from lora_demo.models.config_fields import ACTIVATIONS
from lora_demo.models.presets import GEMMA_2B, MGM_2B, MGM_NANO, PRESETS, language_model_of, mgm_preset, preset

ROPE = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


@pytest.mark.parametrize("config", [MGM_2B, MGM_NANO])
def test_geometry_round_trip(config):
    again = MGMConfig.from_dict(json.loads(json.dumps(config.to_dict())), name=config.name)
    assert again == config


def test_mgm_2b_is_576_tokens_with_8_by_8_windows():
    assert (MGM_2B.image_tokens, MGM_2B.window, MGM_2B.aux.channels) == (24 * 24, 768 // 4 // 24, 2880)
    assert MGM_2B.clip.layers_used == 23


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("llm", {"num_key_value_heads": 3}, "llm: num_attention_heads must be a multiple"),
        ("llm", {"head_dim": 255}, "llm: head_dim 255 must be even"),
        ("llm", {"vocab_size": 0}, "llm: vocab_size must be a positive whole number"),
        ("llm", {"vocab_size": 2}, "llm: bos_token_id 2 is outside the vocabulary"),
        ("clip", {"num_attention_heads": 7}, "clip: hidden_size must be a multiple"),
        ("clip", {"select_layer": -26}, "clip: select_layer -26 does not exist among 25"),
        ("clip", {"patch_size": 48}, "model: a 192-wide map cannot be tiled by 7 windows"),
        ("aux", {"depths": (3, 3, 27)}, "aux: dims .* must name the same stages"),
        ("aux", {"dims": (0, 1, 1, 1)}, "aux: dims and depths must be positive"),
        ("aux", {"image_size": 770}, "aux: image_size 770 must be a multiple of 4"),
        ("splice", {"max_length": 0}, "splice: max_length must be positive"),
        ("splice", {"max_length": 9000}, "model: splice.max_length 9000 exceeds"),
        ("splice", {"image_token_index": 7}, "splice: image_token_index must be negative"),
    ],
)
def test_contradictions_are_refused(part, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(MGM_2B, **{part: replace(getattr(MGM_2B, part), **change)})


def geometry(**changes):
    return json.loads(json.dumps(MGM_NANO.to_dict())) | changes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (geometry(vision={}), "the parts must be"),
        (geometry(llm=[1]), "llm must be an object"),
        (geometry(splice={"side": "left"}), "splice has the unknown field 'side'"),
        (geometry(aux={"dims": [8], "depths": [1]}), "aux: .*image_size"),
    ],
)
def test_bad_geometry_is_named(content, message):
    with pytest.raises(ConfigError, match=message):
        MGMConfig.from_dict(content, name="x")


NAN, HUGE = float("nan"), 10**12


@pytest.mark.parametrize(
    ("part", "field", "values", "message"),
    [
        ("llm", "rms_norm_eps", (None, "x", True, [], {}), "must be a number"),
        ("llm", "rms_norm_eps", (0, -1.0, NAN, float("inf")), "must be a finite number above 0"),
        ("llm", "rope_theta", (None, "x", False, 10**400), "must be a number"),
        ("llm", "rope_theta", (0, -1, NAN), "must be a finite number above 0"),
        ("llm", "hidden_act", (None, 1), "must be a text"),
        ("llm", "hidden_act", ("x", "prelu"), "is not one of gelu"),
        ("llm", "tie_word_embeddings", (None, 1, "false"), "must be true or false"),
        ("llm", "attention_bias", (0, "x"), "must be true or false"),
        ("llm", "pad_token_id", (1.5, True, "x"), "must be a whole number or null"),
        ("llm", "eos_token_id", (1.0, None, [1]), "must be a whole number"),
        ("llm", "hidden_size", (1.5, True, None), "must be a whole number"),
        ("llm", "hidden_size", (HUGE,), "at most"),
        ("llm", "num_hidden_layers", (HUGE,), "at most 1000"),
        ("llm", "rope_scaling", (3, "x", [1]), "must be an object or null"),
        ("llm", "rope_scaling", ({"factor": "a", **dict.fromkeys(ROPE[1:], 1)},), "factor must be a number"),
        ("llm", "rope_scaling", ({**dict.fromkeys(ROPE, 1)},), "low_freq_factor must be below"),
        ("clip", "layer_norm_eps", (None, "x", True), "must be a number"),
        ("clip", "layer_norm_eps", (NAN, 0), "must be a finite number above 0"),
        ("clip", "hidden_act", ("x",), "is not one of gelu"),
        ("clip", "projection_dim", (None, 1.5), "must be a whole number"),
        ("clip", "select_layer", (1.5, True), "must be a whole number"),
        ("clip", "patch_size", (13, HUGE // 10**6), "larger than image_size"),
        ("aux", "dims", ("x", 8, [True] * 4, ["a"] * 4, [[1]] * 4), "must be a list of whole numbers"),
        ("aux", "depths", ([HUGE] * 4,), "1000 in depths"),
        ("splice", "max_length", (1.5, True, "x"), "must be a whole number or null"),
        ("splice", "ignore_index", (None, 0.5), "must be a whole number"),
    ],
)
def test_values_of_the_wrong_type_or_size_are_refused_by_name(part, field, values, message):
    for value in values:
        content = geometry()
        content[part][field] = value
        with pytest.raises(ConfigError, match=rf"{part}\S*: .*{message}") as caught:
            MGMConfig.from_dict(content, name="x")
        assert field in str(caught.value)


def test_a_whole_number_stands_for_a_float():
    content = geometry()
    content["llm"]["rope_theta"] = 500_000
    found = MGMConfig.from_dict(content, name="x").llm.rope_theta
    assert (found, type(found)) == (500_000.0, float)


def test_every_activation_can_be_built_and_holds_no_weights():
    for name in ACTIVATIONS:
        assert sum(1 for _ in ACT2FN[name].parameters()) == 0


def test_presets_by_name():
    assert set(PRESETS) == {"mgm-2b", "mgm-nano", "gemma-2b", "llama-3.2-3b"}
    assert preset("gemma-2b") is GEMMA_2B is language_model_of(MGM_2B)
    assert isinstance(preset("llama-3.2-3b"), LLMConfig)
    with pytest.raises(ConfigError, match="no preset is called 'mgm-7b'; there are mgm-2b"):
        preset("mgm-7b")
    with pytest.raises(ConfigError, match=re.escape("'gemma-2b' is a language model without towers")):
        mgm_preset("gemma-2b")


def test_stages_of_any_number():
    assert AuxConfig(dims=(8, 16), depths=(1, 1), image_size=32).map_side == 8
