"""Predicting and measuring the memory of a training step."""
