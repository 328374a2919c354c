"""What is read: questions, topics, claims, terms, literature, and what may be wrong with them."""
