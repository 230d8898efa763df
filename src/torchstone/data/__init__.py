"""Layer 1: where rows come from. Every source gives one `Prepared`: replicates of train, valid and test arrays."""
