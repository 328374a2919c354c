"""The question bank as study material: for the practice app, as Anki decks, as a table."""
