"""Judging hand-written exercise code."""
