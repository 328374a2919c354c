"""Sizes of things, by their proper names."""

KIB = 2**10
MIB = 2**20
GIB = 2**30
GB = 10**9

BYTES_PER_VALUE = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
