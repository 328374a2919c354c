"""What a method can express at all, on drawn inputs: `lora_demo.methods.properties.expressivity`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_adapter_cannot_be_merged_lora_can():
    prove("adapter_cannot_be_merged_lora_can")


def test_bitfit_cannot_do_rank_one_lora_can():
    prove("bitfit_cannot_do_rank_one_lora_can")


def test_bitfit_needs_biases():
    prove("bitfit_needs_biases")
