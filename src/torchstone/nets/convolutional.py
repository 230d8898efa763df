"""DCGAN (Radford et al. 2016), many at a time: a loop over networks behind the interface of a population.

2-D convolutions gain nothing from stacking on a CPU (docs/performance.md), so every network's layers run one after the
other, but parameters lead with the replicate axis like all others. Images come and go as rows [replicate, sample,
pixel]. The generator is batch-normalised by the batch that it makes; the discriminator has no batch normalisation,
which would tie the samples of a batch together where gradient penalties and packs need them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchstone.nets.population import padded

SCALE, LEAK = 0.02, 0.2  # of the paper: sd of the first weights, slope of the leaky ReLU below 0


def _parameters(replicates: int, shapes: Sequence[tuple[int, ...]]) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(torch.zeros(replicates, *shape)) for shape in shapes)


@torch.no_grad()
def _initialise(net: nn.Module, generators: Sequence[torch.Generator]) -> None:
    """Draw weights (axes in plenty) from N(0, 0.02); what has one axis starts at 0, gains (``gains``) at 1."""
    for name, parameter in net.named_parameters():
        for replicate, generator in enumerate(generators):
            if parameter.ndim > 2:
                drawn = torch.empty(parameter.shape[1:]).normal_(0.0, SCALE, generator=generator)
                parameter[replicate] = drawn.to(parameter.device)
            else:
                parameter[replicate] = 1.0 if name.startswith("gains") else 0.0


class DCGANGenerators(nn.Module):
    """Noise through a linear layer to the smallest picture, then doubled in size by each transposed convolution.

    ``channels`` are counted from the picture inwards: (64, 128) makes 128 channels first, then 64, then the picture.
    """

    def __init__(self, replicates: int, side: int, noise: int, channels: Sequence[int]) -> None:
        super().__init__()
        inner = list(reversed(channels))
        self.start = side // 2 ** len(channels)
        if self.start * 2 ** len(channels) != side:
            raise ValueError(f"an image of {side} pixels a side cannot be halved {len(channels)} times")
        self.noise, self.inner = noise, inner
        steps = [*pairwise(inner), (inner[-1], 1)]
        first = (noise, inner[0] * self.start**2)
        self.weights = _parameters(replicates, [first, *((a, b, 4, 4) for a, b in steps)])
        self.gains = _parameters(replicates, [(width,) for width in inner])
        self.shifts = _parameters(replicates, [*((width,) for width in inner), (1,)])

    def initialise(self, generators: Sequence[torch.Generator]) -> None:
        """Draw every replicate from its own stream."""
        _initialise(self, generators)

    def _one(self, replicate: int, noise: Tensor) -> Tensor:
        x = (noise[:, : self.noise] @ self.weights[0][replicate]).view(-1, self.inner[0], self.start, self.start)
        for depth, weight in enumerate(self.weights[1:]):
            gain, shift = self.gains[depth][replicate], self.shifts[depth][replicate]
            x = torch.relu(functional.batch_norm(x, None, None, gain, shift, training=True))
            x = functional.conv_transpose2d(x, weight[replicate], stride=2, padding=1)
        made: Tensor = (x + self.shifts[-1][replicate]).flatten(1)
        return made

    def forward(self, noise: Tensor) -> Tensor:
        """Map [replicate, sample, padded noise] to [replicate, sample, padded pixel], before the sigmoid."""
        made = torch.stack([self._one(replicate, one) for replicate, one in enumerate(noise)])
        return functional.pad(made, (0, padded(made.shape[-1]) - made.shape[-1]))


class DCGANDiscriminators(nn.Module):
    """Strided convolutions down to the smallest picture, then one number; a pack's images are channels."""

    def __init__(self, replicates: int, side: int, pack: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.side, self.pack = side, pack
        steps = list(pairwise([pack, *channels]))
        last = channels[-1] * (side // 2 ** len(channels)) ** 2
        self.weights = _parameters(replicates, [*((b, a, 4, 4) for a, b in steps), (last, 1)])
        self.shifts = _parameters(replicates, [*((b,) for _, b in steps), (1,)])

    def initialise(self, generators: Sequence[torch.Generator]) -> None:
        """Draw every replicate from its own stream."""
        _initialise(self, generators)

    def _one(self, replicate: int, rows: Tensor) -> Tensor:
        x = rows[:, : self.pack * self.side**2].view(-1, self.pack, self.side, self.side)
        for weight, shift in zip(self.weights[:-1], self.shifts[:-1], strict=True):
            x = functional.conv2d(x, weight[replicate], shift[replicate], stride=2, padding=1)
            x = functional.leaky_relu(x, LEAK)
        logits: Tensor = x.flatten(1) @ self.weights[-1][replicate] + self.shifts[-1][replicate]
        return logits

    def forward(self, rows: Tensor) -> Tensor:
        """Map [replicate, pack, padded pixel] to logits [replicate, pack, 1]."""
        return torch.stack([self._one(replicate, one) for replicate, one in enumerate(rows)])
