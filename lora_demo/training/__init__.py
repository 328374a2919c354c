"""One training step, the loop around it, recipes."""
