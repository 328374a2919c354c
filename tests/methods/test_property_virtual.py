"""Prefix and prompt tuning, on drawn inputs: `lora_demo.methods.properties.virtual`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_prefix_attention_is_a_gated_mixture():
    prove("prefix_attention_is_a_gated_mixture")


def test_prefix_costs_cache_length():
    prove("prefix_costs_cache_length")


def test_virtual_tokens_are_seen_under_a_mask():
    prove("virtual_tokens_are_seen_under_a_mask")


def test_given_positions_move_up():
    prove("given_positions_move_up")


def test_prompt_is_a_longer_input():
    prove("prompt_is_a_longer_input")
