"""Through an MLP population and back, by hand: what a game between networks needs beyond one network's own gradient.

A generator learns from the gradient at its outputs, which a discriminator passes back to its inputs; a gradient
penalty is a function of that very gradient. Both are plain products here, several times faster than autograd's graph
of a graph for small nets. Law tests hold all of it to autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchstone.nets.population import LinearPopulation, MLPPopulation


class GeneratorPopulation(MLPPopulation):
    """MLPs whose outputs are other networks' inputs: what pads them is 0, not the closed outputs of a classifier."""

    def _close(self) -> None:
        pass

    def empty(self, replicates: int) -> GeneratorPopulation:
        """Return so many networks of this architecture, all zero."""
        return GeneratorPopulation(replicates, self.widths)


def _layers(population: MLPPopulation) -> list[LinearPopulation]:
    return list(population.layers)  # type: ignore[arg-type]


def forward(population: MLPPopulation, x: Tensor) -> list[Tensor]:
    """Return the inputs of every layer, [replicate, sample, padded width], and last the outputs."""
    layers = _layers(population)
    signals = [x]
    for layer in layers[:-1]:
        signals.append(torch.baddbmm(layer.bias, signals[-1], layer.weight).relu_())
    return [*signals, torch.baddbmm(layers[-1].bias, signals[-1], layers[-1].weight)]


def write_backward(population: MLPPopulation, signals: list[Tensor], sensitivity: Tensor) -> None:
    """Write the parameters' gradients, given ``forward``'s signals and the gradient at the outputs."""
    layers = _layers(population)
    for depth in range(len(layers) - 1, -1, -1):
        layer = layers[depth]
        torch.bmm(signals[depth].transpose(1, 2), sensitivity, out=_grad(layer.weight))
        torch.sum(sensitivity, 1, keepdim=True, out=_grad(layer.bias))
        if depth:
            sensitivity = _through(layers[depth], sensitivity, signals[depth])


def sensitivities(population: MLPPopulation, signals: list[Tensor], sensitivity: Tensor) -> list[Tensor]:
    """Return the gradient at the inputs of the net and at the sums of every layer, first to last.

    ``sensitivity`` is the gradient at the outputs; no parameter's gradient is touched.
    """
    layers = _layers(population)
    found = [sensitivity]
    for depth in range(len(layers) - 1, 0, -1):
        found.insert(0, _through(layers[depth], found[0], signals[depth]))
    return [torch.bmm(found[0], layers[0].weight.transpose(1, 2)), *found]


def add_slope_gradient(population: MLPPopulation, signals: list[Tensor], found: list[Tensor], by_slope: Tensor) -> None:
    """Add to the weights' gradients that of a function of the input gradient, d outputs / d x.

    ``found`` are the ``sensitivities`` and ``by_slope`` the function's gradient with respect to the input gradient.
    ReLU networks are linear piece by piece: the input gradient is a product of weights and of masks that no small
    change of a weight moves, so its gradient runs once forward through the masked weights, and biases have none.
    """
    for depth, layer in enumerate(_layers(population)):
        _grad(layer.weight).baddbmm_(by_slope.transpose(1, 2), found[depth + 1])
        if depth + 1 < len(population.layers):
            by_slope = torch.bmm(by_slope, layer.weight)
            by_slope = torch.ops.aten.threshold_backward(by_slope, signals[depth + 1], 0)


def _through(layer: LinearPopulation, sensitivity: Tensor, inputs: Tensor) -> Tensor:
    """Pass a gradient from a layer's sums to those of the layer below, through the ReLU between them."""
    passed: Tensor = torch.ops.aten.threshold_backward(torch.bmm(sensitivity, layer.weight.transpose(1, 2)), inputs, 0)
    return passed


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
