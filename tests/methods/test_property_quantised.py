"""NF4 and QLoRA, on drawn inputs: `lora_demo.methods.properties.quantised`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_nf4_code_book_is_normal_quantiles():
    prove("nf4_code_book_is_normal_quantiles")


def test_nf4_error_is_bounded_per_block():
    prove("nf4_error_is_bounded_per_block")


def test_nf4_takes_four_and_an_eighth_bits():
    prove("nf4_takes_four_and_an_eighth_bits")


def test_nf4_keeps_values_on_the_book():
    prove("nf4_keeps_values_on_the_book")


def test_qlora_input_gradient_needs_the_dequantised_weight():
    prove("qlora_input_gradient_needs_the_dequantised_weight")


def test_qlora_runs_on_the_dequantised_weight():
    prove("qlora_runs_on_the_dequantised_weight")
