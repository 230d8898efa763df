"""Layer 2: the one training loop, its optimisers, batches and losses."""
