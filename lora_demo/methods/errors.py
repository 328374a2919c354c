"""What the methods refuse, each time with what to do instead."""

from __future__ import annotations


class MethodError(ValueError):
    """A setting, a target or a file that cannot be used; the message names the thing, the place and the fix."""


class MergeRefused(MethodError):
    """A merge or unmerge that would leave wrong weights behind; no weight was touched."""
