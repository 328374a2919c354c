"""Round sizes and counted activations against a second way of reaching them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lora_demo.figures.catalogue.lora_start import wrong_fan_in
from lora_demo.figures.catalogue.mgm2b_activations import layer_inputs, linear_inputs
from lora_demo.figures.catalogue.nominal_sizes import four_v100, left_per_v100, llama2_share, nominal, nominal_nf4
from lora_demo.figures.catalogue.training_speed import PASSES, checkpointing, checkpointing_extra


def test_a_billion_parameters_at_one_byte_are_a_gigabyte() -> None:
    """Two bytes for each of weight, gradient and two moments; mixed precision doubles the sum."""
    assert nominal("6_5b", "full_bf16") == 6.5 * 4 * 2
    assert nominal("7b", "full_mixed") == 2 * nominal("7b", "full_bf16")
    assert nominal("6b", "full_bf16_momentum") == 6 * 3 * 2


def test_sixty_five_billion_on_four_v100() -> None:
    """16-bit weights all but fill the cards; 4-bit ones leave most of each; full fine-tuning is out of reach."""
    assert nominal("65b", "full_mixed") > 7 * four_v100()
    assert 0 < left_per_v100("frozen_bf16") < 2
    assert left_per_v100("nf4") > 0.7 * four_v100() / 4
    assert four_v100() / 4 - 1 < nominal_nf4("65b") < four_v100() / 4


def test_checkpointing_costs_lora_more_than_full() -> None:
    """Both ways to the same ratio: passes with it over passes with it, and the gains applied to the ratio without."""
    assert checkpointing_extra("lora") > checkpointing_extra("full")
    without = PASSES["lora"] / PASSES["full"]
    assert checkpointing() == pytest.approx(
        without * (1 + checkpointing_extra("lora")) / (1 + checkpointing_extra("full"))
    )


def test_a_round_seven_billion_lies_within_five_percent_of_llama_2() -> None:
    assert 1 - llama2_share() < 0.05


def test_linear_inputs_follow_from_gemmas_widths() -> None:
    per_layer = 3 * 2048 + 16384
    assert linear_inputs("all", 704) == 704 * 18 * per_layer * 2
    assert linear_inputs("qv", 2048) == layer_inputs(2048) == 2048 * 18 * 2048 * 2


@pytest.mark.parametrize("rank", [8, 64])
def test_a_stored_the_wrong_way_round_starts_that_much_larger(rank: int) -> None:
    torch.manual_seed(0)
    right, wrong = torch.empty(rank, 2048), torch.empty(2048, rank)
    for matrix in (right, wrong):
        nn.init.kaiming_uniform_(matrix, a=5**0.5)
    assert (wrong.std() / right.std()).item() == pytest.approx(wrong_fan_in(rank), rel=0.05)
