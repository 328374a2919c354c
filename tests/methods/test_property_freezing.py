"""What trains, is counted, is saved, and what never moves, on drawn inputs: `lora_demo.methods.properties.freezing`."""

from __future__ import annotations

from lora_demo.methods.properties.judging import prove


def test_trainable_is_counted_is_saved():
    prove("trainable_is_counted_is_saved")


def test_frozen_weights_keep_every_bit():
    prove("frozen_weights_keep_every_bit")


def test_disabled_is_the_base():
    prove("disabled_is_the_base")


def test_targets_match_whole_names():
    prove("targets_match_whole_names")


def test_what_is_saved_is_enough():
    prove("what_is_saved_is_enough")


def test_dropout_is_off_in_eval():
    prove("dropout_is_off_in_eval")


def test_dropout_acts_on_the_input():
    prove("dropout_acts_on_the_input")
