"""The registry of named results: what each figure is, how it is computed, and the file that the site reads."""
