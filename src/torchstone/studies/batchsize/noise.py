"""How noisy is the gradient of a batch? What the simple noise scale of McCandlish et al. (2018) is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from torchstone.learn.landscape import Array
from torchstone.learn.losses import cross_entropy
from torchstone.nets.population import MLPPopulation, pad_features


@dataclass(frozen=True)
class GradientNoise:
    """tr(Sigma), the variance of a single row's gradient, and |G|^2, the squared mean gradient; both [replicate].

    B_simple = tr(Sigma) / |G|^2 is the batch size, in rows, at which noise and signal are equal. The estimate of |G|^2
    is unbiased and therefore negative at times: average it over replicates before dividing.
    """

    variance: Array
    signal: Array


def gradient_noise(population: MLPPopulation, x: Tensor, y: Tensor, batch: int) -> GradientNoise:
    """Estimate both from the gradients of disjoint batches of ``batch`` rows at the parameters as they are.

    "An empirical model of large-batch training" (arXiv 1812.06162), appendix A.1. With n batches of B rows, of mean
    gradient g and variance s^2 = sum |g_b - g|^2 / (n - 1): tr(Sigma) = B s^2 and |G|^2 = |g|^2 - s^2 / n. Batches are
    normalised each by its own statistics, as in training. ``x`` [replicate, sample, feature], ``y`` [replicate,
    sample]; rows that do not fill a batch are left out. Raises ValueError for fewer than two batches.
    """
    count = x.shape[1] // batch
    if count < 2:
        raise ValueError(f"{x.shape[1]} rows make fewer than two batches of {batch}: they have no variance")
    leaves = list(population.parameters())
    total = torch.zeros_like(population.vectors(), dtype=torch.float64)
    squares = torch.zeros_like(total[:, 0])
    for part in range(count):
        rows = slice(part * batch, (part + 1) * batch)
        loss = cross_entropy(population(pad_features(x[:, rows])), y[:, rows]).sum()
        own = population.own_entries(torch.autograd.grad(loss, leaves))
        gradient = torch.cat([view.flatten(1) for view in own], dim=1).double()
        total += gradient
        squares += gradient.square().sum(dim=1)
    mean_squared = (total / count).square().sum(dim=1)
    variance = (squares - count * mean_squared) / (count - 1)
    signal = mean_squared - variance / count
    return GradientNoise(np.asarray((batch * variance).cpu().numpy()), np.asarray(signal.cpu().numpy()))
