"""Following a step: its allocations as events, replayed through the CUDA caching allocator."""
