"""Several adapters on one layer, on drawn inputs: `lora_demo.methods.properties.several_adapters`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_mixed_batch_is_each_row_alone():
    prove("mixed_batch_is_each_row_alone")


def test_weighted_sum_adds_the_updates():
    prove("weighted_sum_adds_the_updates")


def test_sum_is_one_concatenated_adapter():
    prove("sum_is_one_concatenated_adapter")


def test_merged_mixture_comes_out_again():
    prove("merged_mixture_comes_out_again")


def test_mixed_batch_trains_each_on_its_rows():
    prove("mixed_batch_trains_each_on_its_rows")
