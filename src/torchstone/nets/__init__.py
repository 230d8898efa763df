"""Layer 1: networks, one or many at a time."""
