"""A few real steps, measured or foretold, on this machine or as on a smaller card."""
