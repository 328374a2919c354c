"""Searching for hyperparameters: what may be tried, the study, its report."""
