"""Experiments; they write records that figures read."""
