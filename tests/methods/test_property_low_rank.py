"""What a product of two thin matrices can and cannot be, on drawn inputs: `lora_demo.methods.properties.low_rank`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_rank_is_at_most_r():
    prove("rank_is_at_most_r")


def test_count_is_r_times_d_plus_k():
    prove("count_is_r_times_d_plus_k")


def test_break_even_rank():
    prove("break_even_rank")


def test_truncated_svd_is_the_best_update():
    prove("truncated_svd_is_the_best_update")


def test_factors_are_not_unique():
    prove("factors_are_not_unique")


def test_subspace_similarity_is_a_share():
    prove("subspace_similarity_is_a_share")
