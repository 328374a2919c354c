"""What can be wrong with a request for a prediction."""

from __future__ import annotations


class BuildError(ValueError):
    """A model or adapter that cannot be built; the message names it, the place and the fix."""
