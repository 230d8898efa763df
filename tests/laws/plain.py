"""Small networks written without anything of ours, to hold the laws of sharpness and curvature to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.core.streams import stream
from torchstone.learn.landscape import true_parameters
from torchstone.learn.losses import cross_entropy, squared_error
from torchstone.nets.population import MLPPopulation

WIDTHS = [(3, 5, 2), (4, 3), (5, 4, 6, 3), (3, 17, 1)]
ROWS = 30


def nets(widths: Sequence[int], names: Sequence[int]) -> tuple[MLPPopulation, Tensor, Tensor]:
    """Return a population with biases away from zero and data [replicate, sample, ...], each from its own name."""
    population = MLPPopulation(len(names), widths)
    population.initialise([stream(0, "init", name) for name in names])
    with torch.no_grad():
        for place, name in enumerate(names):
            for depth, layer in enumerate(population.layers):
                assert isinstance(layer.bias, Tensor)
                drawn = torch.randn(widths[depth + 1], generator=stream(0, "bias", name, depth))
                layer.bias[place, 0, : widths[depth + 1]] = 0.3 * drawn
    x = torch.stack([torch.randn(ROWS, widths[0], generator=stream(0, "x", name)) for name in names])
    if widths[-1] == 1:
        return population, x, x.sum(dim=2).sin()
    labels = [torch.randint(widths[-1], (ROWS,), generator=stream(0, "y", name)) for name in names]
    return population, x, torch.stack(labels)


def plain_loss(widths: Sequence[int], x: Tensor, y: Tensor, vector: Tensor) -> Tensor:
    """Return the loss of one ordinary network of these parameters, written without anything of ours."""
    start, hidden = 0, x.double()
    for depth, (inputs, outputs) in enumerate(pairwise(widths)):
        weight = vector[start : start + inputs * outputs].view(inputs, outputs)
        start += inputs * outputs
        hidden = hidden @ weight + vector[start : start + outputs]
        start += outputs
        hidden = torch.relu(hidden) if depth < len(widths) - 2 else hidden
    assert start == len(vector)
    if y.is_floating_point():
        return nn.functional.mse_loss(hidden[:, 0], y.double())
    return nn.functional.cross_entropy(hidden, y)


def measure_of(widths: Sequence[int]) -> Any:
    return squared_error if widths[-1] == 1 else cross_entropy


def exact(widths: Sequence[int], population: MLPPopulation, place: int, x: Tensor, y: Tensor) -> Tensor:
    """Return the Hessian of one replicate, [parameter, parameter], entry by entry."""
    vector = torch.from_numpy(true_parameters(population, place))
    found = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
        lambda v: plain_loss(widths, x, y, v), vector
    )
    assert isinstance(found, Tensor)
    return found


def unchanged(one: MLPPopulation, two: MLPPopulation) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
