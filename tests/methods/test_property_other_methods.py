"""DoRA, AdaLoRA, IA3 and Adapter as their formulas say: `lora_demo.methods.properties.other_methods`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_dora_norms_equal_m():
    prove("dora_norms_equal_m")


def test_dora_follows_its_formula():
    prove("dora_follows_its_formula")


def test_dora_holds_the_norm_constant():
    prove("dora_holds_the_norm_constant")


def test_adalora_is_an_svd_form():
    prove("adalora_is_an_svd_form")


def test_adalora_budget_is_cubic():
    prove("adalora_budget_is_cubic")


def test_ia3_multiplies():
    prove("ia3_multiplies")


def test_adapter_goes_down_then_up():
    prove("adapter_goes_down_then_up")
