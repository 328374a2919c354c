"""The figures themselves, one topic per module; every module of this package is loaded."""
