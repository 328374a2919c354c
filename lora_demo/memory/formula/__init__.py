"""The closed form: how it is read off traced steps, and the arithmetic that uses it."""
