"""How noisy is the gradient of a batch? The simple noise scale of McCandlish et al. (2018)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from torchstone.learn.landscape import Array
from torchstone.learn.losses import cross_entropy
from torchstone.nets.population import MLPPopulation, pad_features


def noise_scale(population: MLPPopulation, x: Tensor, y: Tensor, batch: int) -> Array:
    """Return B_simple = tr(Sigma) / |G|^2 of each network, [replicate], in rows; NaN where |G|^2 drowns in the noise.

    "An empirical model of large-batch training" (arXiv 1812.06162), appendix A.1. With n disjoint batches of B rows, of
    mean gradient g and variance s^2 = sum |g_b - g|^2 / (n - 1): tr(Sigma) = B s^2 and |G|^2 = |g|^2 - s^2 / n, both
    unbiased. Batches are those of training, normalised each by its own statistics. ``x`` [replicate, sample, feature],
    ``y`` [replicate, sample]; rows that do not fill a batch are left out. Raises ValueError for fewer than two batches.
    """
    count = x.shape[1] // batch
    if count < 2:
        raise ValueError(f"{x.shape[1]} rows make fewer than two batches of {batch}: they have no variance")
    leaves = list(population.parameters())
    gradients = []
    for part in range(count):
        rows = slice(part * batch, (part + 1) * batch)
        loss = cross_entropy(population(pad_features(x[:, rows])), y[:, rows]).sum()
        own = population.own_entries(torch.autograd.grad(loss, leaves))
        gradients.append(torch.cat([view.flatten(1) for view in own], dim=1).double())
    stacked = torch.stack(gradients)
    variance = stacked.var(dim=0).sum(dim=1)
    signal = stacked.mean(dim=0).square().sum(dim=1) - variance / count
    scale = torch.where(signal > 0, batch * variance / signal, torch.nan)
    return np.asarray(scale.cpu().numpy())
