"""Deliberately broken implementations, each one small edit away from right; the properties must reject all of them."""
