"""From a recipe to model, method and rows, and everything that can be refused before."""
