"""Experiments on mgm-nano: each trains what it needs, measures on pictures nothing was trained on, writes a record."""
