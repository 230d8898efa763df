"""Named random streams for torch; apart from core/rng.py so that only stages with networks import torch."""

import torch

from torchstone.core.rng import Name, key


def stream(seed: int, *names: Name) -> torch.Generator:
    """Return the torch generator of this name path, on the CPU so that every device sees the same numbers."""
    generator = torch.Generator()
    generator.manual_seed(key(seed, *names))
    return generator
