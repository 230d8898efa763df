"""The PyTorch primer: the few facts that all other studies stand on, checked."""
