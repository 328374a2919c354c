"""α, r and their quotient, on drawn inputs: `lora_demo.methods.properties.scale`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_output_is_base_plus_scaled_product():
    prove("output_is_base_plus_scaled_product")


def test_update_is_linear_in_alpha():
    prove("update_is_linear_in_alpha")


def test_update_falls_with_r_for_fixed_factors():
    prove("update_falls_with_r_for_fixed_factors")


def test_one_adam_step_as_r_grows():
    prove("one_adam_step_as_r_grows")


def test_one_sgd_step_as_r_grows():
    prove("one_sgd_step_as_r_grows")
