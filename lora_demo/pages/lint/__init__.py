"""What must hold of the content beyond its format, and how faults are told."""
