"""Networks with batch normalisation, many at a time; no running statistics, so nothing of a past batch stays behind.

Ioffe & Szegedy (2015): z' = gain (z - mean) / sqrt(variance + eps) + shift for each hidden unit, mean and (biased)
variance taken over the rows of the batch. Hoffer, Hubara & Soudry (2017) take them over *ghost batches*, the parts of
a large batch, so that a large batch is normalised as noisily as a small one.

torch.nn.BatchNorm keeps running averages for use after training. What they hold depends on the last batches and on a
momentum, and no such buffer can be interpolated between two networks. Here the statistics after training are those of
the whole training set at the parameters as they are. So the loss is a function of parameters and data alone, and
its gradient and Hessian are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchstone.nets.population import Init, MLPPopulation, padded

EPS = 1e-5
Statistics = list[tuple[Tensor, Tensor]]  # (mean, standard deviation) of each hidden layer, [replicate, unit, 1]


def groups(z: Tensor, ghost: int) -> list[Tensor]:
    """Return views of z [..., sample] as [..., group, sample in it]; a smaller last group is a view of its own.

    ``ghost`` rows are a group; 0, or more than there are, takes all rows as one.
    """
    rows = z.shape[-1]
    if ghost == 0 or ghost >= rows:
        return [z.unsqueeze(-2)]
    whole = rows - rows % ghost
    parts = [z[..., :whole].reshape(*z.shape[:-1], -1, ghost)]
    return parts if whole == rows else [*parts, z[..., whole:].unsqueeze(-2)]


def standardise(z: Tensor, ghost: int = 0) -> Tensor:
    """Standardise z [..., sample] within each ghost batch; a row that is alone in it becomes 0.

    Layer normalisation over the sample axis is batch normalisation, and torch's kernel for it likes a contiguous axis.
    """
    parts = [functional.layer_norm(part, part.shape[-1:], eps=EPS).flatten(-2) for part in groups(z, ghost)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class NormalisedPopulation(MLPPopulation):
    """R multilayer perceptrons whose hidden layers are linear, batch-normalised and rectified (ReLU).

    A hidden layer has no bias, which its normalisation would take away again: what is called its ``bias`` is the
    shift, and ``gains`` stand beside it, [replicate, 1, unit]. ``ghost`` rows share their statistics in training, 0
    stands for the whole batch.
    """

    def __init__(self, replicates: int, widths: Sequence[int], ghost: int = 0) -> None:
        super().__init__(replicates, widths)
        self.ghost = ghost
        self.gains = nn.ParameterList(nn.Parameter(torch.zeros(replicates, 1, padded(width))) for width in widths[1:-1])

    def empty(self, replicates: int) -> NormalisedPopulation:
        """Return so many networks of this architecture, all zero."""
        return NormalisedPopulation(replicates, self.widths, self.ghost)

    def initialise(self, generators: Sequence[torch.Generator], scheme: Init = "glorot_uniform") -> None:
        """Draw every replicate from its own stream, [replicate]; gains start at 1, and at 0 where units are padding."""
        super().initialise(generators, scheme)
        with torch.no_grad():
            for gain, width in zip(self.gains, self.widths[1:-1], strict=True):
                gain[..., :width] = 1.0

    def own_entries(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return views of what is a network's own, as the base class does; gains come last."""
        count = 2 * len(self.layers)
        gains = [tensor[..., :width] for tensor, width in zip(tensors[count:], self.widths[1:-1], strict=True)]
        return [*super().own_entries(tensors[:count]), *gains]

    def _rectified(self, depth: int, standard: Tensor) -> Tensor:
        shift, gain = self.layers[depth].bias, self.gains[depth]
        return torch.relu(torch.addcmul(shift.transpose(1, 2), standard, gain.transpose(1, 2)))  # type: ignore[operator]

    def _product(self, depth: int, signal: Tensor) -> Tensor:
        return torch.bmm(self.layers[depth].weight.transpose(1, 2), signal)  # type: ignore[operator]

    def _outputs(self, signal: Tensor) -> Tensor:
        last = self.layers[-1]
        return torch.baddbmm(last.bias, signal.transpose(1, 2), last.weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map [replicate, sample, padded feature] to [replicate, sample, padded output], normalised by these rows."""
        signal = x.transpose(1, 2)
        for depth in range(len(self.gains)):
            signal = self._rectified(depth, standardise(self._product(depth, signal), self.ghost))
        return self._outputs(signal)

    @torch.no_grad()
    def settle(self, x: Tensor) -> tuple[Tensor, Statistics]:
        """Return the outputs on the training rows x, all one batch whatever ``ghost``, and their statistics."""
        signal, statistics = x.transpose(1, 2), []
        for depth in range(len(self.gains)):
            z = self._product(depth, signal)
            variance, mean = torch.var_mean(z, dim=2, correction=0, keepdim=True)
            statistics.append((mean, torch.sqrt(variance + EPS)))
            signal = self._rectified(depth, (z - mean) / statistics[-1][1])
        return self._outputs(signal), statistics

    @torch.no_grad()
    def predict_by(self, statistics: Statistics, x: Tensor) -> Tensor:
        """Map rows [replicate, sample, padded feature] to padded outputs, normalised by a training set's statistics."""
        signal = x.transpose(1, 2)
        for depth, (mean, deviation) in enumerate(statistics):
            signal = self._rectified(depth, (self._product(depth, signal) - mean) / deviation)
        return self._outputs(signal)
