"""The first step, on drawn inputs: `lora_demo.methods.properties.start`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_starts_as_the_base():
    prove("starts_as_the_base")


def test_first_step_moves_b_not_a():
    prove("first_step_moves_b_not_a")


def test_mirrored_start_moves_a_not_b():
    prove("mirrored_start_moves_a_not_b")


def test_both_zero_never_moves():
    prove("both_zero_never_moves")


def test_both_random_changes_the_output():
    prove("both_random_changes_the_output")


def test_gradients_follow_the_chain_rule():
    prove("gradients_follow_the_chain_rule")


def test_spread_of_a_follows_d_in():
    prove("spread_of_a_follows_d_in")


def test_alpha_leaves_the_start_alone():
    prove("alpha_leaves_the_start_alone")


def test_pissa_starts_as_the_base():
    prove("pissa_starts_as_the_base")


def test_meaningless_settings_are_refused():
    prove("meaningless_settings_are_refused")


def test_both_factors_learn():
    prove("both_factors_learn")
