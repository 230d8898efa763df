"""Losses of a population: one mean a replicate, so that their sum gives each replicate its own gradient."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean of -w log p(label), [replicate], of logits [replicate, sample, padded class]."""
    each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    return _mean(each, weights)


def squared_error(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean of w (f - y)^2, [replicate], whose first column of [replicate, sample, padded] is f."""
    return _mean((outputs[..., 0] - targets).square(), weights)


def _mean(each: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return each.mean(dim=1)
    return (each * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(torch.finfo(each.dtype).tiny)
