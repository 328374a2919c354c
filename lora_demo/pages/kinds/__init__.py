"""The kinds of generated pages: a question, its evidence, figures, glossary, indexes, paper."""
