"""Merging and unmerging, with derived bounds, on drawn inputs: `lora_demo.methods.properties.merge`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_merged_weight_is_base_plus_update():
    prove("merged_weight_is_base_plus_update")


def test_merged_equals_unmerged():
    prove("merged_equals_unmerged")


def test_merging_a_model_keeps_its_output():
    prove("merging_a_model_keeps_its_output")


def test_round_trips_drift_at_most_linearly():
    prove("round_trips_drift_at_most_linearly")


def test_round_trip_is_exact_when_nothing_rounds():
    prove("round_trip_is_exact_when_nothing_rounds")


def test_bfloat16_round_trip_loses_bits():
    prove("bfloat16_round_trip_loses_bits")


def test_merging_twice_is_refused():
    prove("merging_twice_is_refused")


def test_broken_adapter_is_not_merged():
    prove("broken_adapter_is_not_merged")


def test_order_of_merging_is_rounding_only():
    prove("order_of_merging_is_rounding_only")
