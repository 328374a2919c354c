"""Text of a page: placeholders, figures as one says and writes them, formulas, lists, excerpts of code."""
