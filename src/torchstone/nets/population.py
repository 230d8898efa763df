"""Many networks of one architecture as one module: every parameter leads with the replicate axis.

A linear layer of R networks is one batched product, [replicate, sample, in] x [replicate, in, out], and autograd and
torch.optim work on it unchanged. All widths are padded to a multiple of 16: a narrow product runs several times
slower than a padded one, and with padding replicate k has the same bits whatever the number and order of its
neighbours (the law tests hold it to that). Padded units have no weights in or out, so they stay exactly zero; padded
outputs have a bias of -1e9, so their softmax and its gradient are exactly zero too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

LANE = 16
CLOSED = -1e9
CHUNK = 25
LARGE = 100_000  # parameters from which a network gains nothing by being trained beside others (docs/performance.md)

Init = Literal["glorot_uniform", "glorot_normal", "kaiming_normal"]


def padded(width: int) -> int:
    """Round a width up to a multiple of 16."""
    return -(-width // LANE) * LANE


def pad_features(x: Tensor) -> Tensor:
    """Append zero features to [..., feature] up to a multiple of 16."""
    return nn.functional.pad(x, (0, padded(x.shape[-1]) - x.shape[-1]))


def chunks(count: int, workers: int = 1, most: int = CHUNK) -> Iterator[range]:
    """Split ``count`` replicates evenly into runs that are trained together, of about 25, at least one a worker.

    Larger chunks fall out of the cache, and no finer rule was within 10 % of the best everywhere
    (docs/performance.md).
    """
    pieces = min(count, max(workers, round(count / most)))
    edges = [count * piece // max(pieces, 1) for piece in range(pieces + 1)]
    return (range(start, end) for start, end in pairwise(edges))


class LinearPopulation(nn.Module):
    """R linear layers, y = x W + b with W [replicate, in, out] and b [replicate, 1, out], padded to lanes."""

    def __init__(self, replicates: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.weight = nn.Parameter(torch.zeros(replicates, padded(inputs), padded(outputs)))
        self.bias = nn.Parameter(torch.zeros(replicates, 1, padded(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """Map [replicate, sample, padded in] to [replicate, sample, padded out]."""
        return torch.baddbmm(self.bias, x, self.weight)

    @torch.no_grad()
    def initialise(self, replicate: int, generator: torch.Generator, scheme: Init) -> None:
        """Draw one replicate's weights from its own stream; biases start at zero.

        Glorot & Bengio (2010): variance 2 / (in + out); He et al. (2015): variance 2 / in.
        """
        draw = torch.empty(self.inputs, self.outputs)
        if scheme == "kaiming_normal":
            draw.normal_(0.0, math.sqrt(2 / self.inputs), generator=generator)
        elif scheme == "glorot_normal":
            draw.normal_(0.0, math.sqrt(2 / (self.inputs + self.outputs)), generator=generator)
        else:
            bound = math.sqrt(6 / (self.inputs + self.outputs))
            draw.uniform_(-bound, bound, generator=generator)
        self.weight[replicate].zero_()
        self.weight[replicate, : self.inputs, : self.outputs] = draw.to(self.weight.device)
        self.bias[replicate].zero_()


class MLPPopulation(nn.Module):
    """R multilayer perceptrons with ReLU, e.g. widths (64, 300, 100, 10)."""

    def __init__(self, replicates: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.replicates, self.widths = replicates, tuple(widths)
        pairs = pairwise(widths)
        self.layers = nn.ModuleList(LinearPopulation(replicates, a, b) for a, b in pairs)
        self._close()

    @torch.no_grad()
    def _close(self) -> None:
        self.layers[-1].bias[..., self.widths[-1] :] = CLOSED  # type: ignore[operator]

    def empty(self, replicates: int) -> MLPPopulation:
        """Return so many networks of this architecture, all zero."""
        return MLPPopulation(replicates, self.widths)

    @torch.no_grad()
    def only(self, replicates: Sequence[int]) -> MLPPopulation:
        """Return copies of these networks as a population of their own, in this one's precision and place."""
        first = next(self.parameters())
        chosen = self.empty(len(replicates)).to(first.device, first.dtype)
        for mine, theirs in zip(chosen.parameters(), self.parameters(), strict=True):
            mine.copy_(theirs[list(replicates)])
        return chosen

    def own_entries(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return views, [replicate, in, out] and [replicate, 1, out], of what is a network's own in padded tensors.

        ``tensors`` are the parameters themselves or anything of their shapes and order, as gradients are.
        """
        layers: list[LinearPopulation] = list(self.layers)  # type: ignore[arg-type]
        views = []
        for layer, weight, bias in zip(layers, tensors[::2], tensors[1::2], strict=True):
            views += [weight[:, : layer.inputs, : layer.outputs], bias[:, :, : layer.outputs]]
        return views

    @torch.no_grad()
    def vectors(self) -> Tensor:
        """Return every network as one vector without padding, [replicate, parameter]."""
        return torch.cat([view.flatten(1) for view in self.own_entries(list(self.parameters()))], dim=1)

    @torch.no_grad()
    def load_vectors(self, vectors: Tensor) -> None:
        """Take the parameters from [replicate, parameter]; raises ValueError on any other shape."""
        views = self.own_entries(list(self.parameters()))
        sizes = [view[0].numel() for view in views]
        if vectors.shape != (self.replicates, sum(sizes)):
            raise ValueError(
                f"{tuple(vectors.shape)} numbers for {self.replicates} networks of {sum(sizes)} parameters"
            )
        for view, part in zip(views, torch.split(vectors, sizes, dim=1), strict=True):
            view.copy_(part.reshape(view.shape))

    def initialise(self, generators: Sequence[torch.Generator], scheme: Init = "glorot_uniform") -> None:
        """Draw every replicate from its own stream, [replicate], so that none depends on its neighbours."""
        for replicate, generator in enumerate(generators):
            for layer in self.layers:
                layer.initialise(replicate, generator, scheme)  # type: ignore[operator]
        self._close()

    def forward(self, x: Tensor) -> Tensor:
        """Map [replicate, sample, padded feature] to [replicate, sample, padded output].

        The padding stays on: cutting it off here would cost a third of a small net's step.
        """
        last = len(self.layers) - 1
        for depth, layer in enumerate(self.layers):
            x = layer(x)
            if depth < last:
                x = torch.relu(x)
        return x

    def predict(self, x: Tensor) -> Tensor:
        """Map [replicate, sample, padded feature] to [replicate, sample, output], without padding or gradient."""
        with torch.no_grad():
            return self.forward(x)[..., : self.widths[-1]]
