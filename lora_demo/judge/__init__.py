"""Judging hand-written code: an answer runs in a process of its own, under limits, against an exercise's checks."""
