"""Where to compute: ``shared.device`` resolved."""

from __future__ import annotations

import torch

from torchstone.core.errors import InputError


def resolve(device: str) -> torch.device:
    """Return the device that is asked for; ``auto`` takes cuda, then mps, then cpu. Raises InputError."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available[device]:
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise InputError(f"params.yaml: shared.device = {device}: not on this machine; take auto or {there}")
    return torch.device(device)
