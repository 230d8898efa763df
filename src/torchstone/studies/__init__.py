"""Layer 3: the studies, pure functions of arrays, params and random streams."""
