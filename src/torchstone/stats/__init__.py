"""Layer 1: arrays in, numbers out. How an effect is estimated and how a verdict is reached."""
