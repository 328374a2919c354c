"""Pieces as one writes them on a whiteboard: forty lines at most, each tested against the full implementation."""
