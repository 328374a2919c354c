"""Named results, records and shared constants: standard library only."""
