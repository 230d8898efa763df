"""The gradient of an MLP population written out: the same numbers as autograd's, in less time.

Autograd builds and walks a graph for each step and adds every gradient to a cleared buffer. For small nets that costs
as much as the products themselves; written out, a training step of 25 nets 64-64-10 takes 0.7 times as long
(benchmarks/engine.py). A law test holds it to autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from torchstone.nets.population import LinearPopulation, MLPPopulation


def _residual(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return d loss / d outputs, [replicate, sample, padded output], of the losses in learn/losses.py.

    Whole targets are labels (softmax and cross-entropy), others are numbers (squared error of the first output).
    """
    share: float | Tensor = 1.0 / targets.shape[1]
    if weights is not None:  # a batch whose weights are all 0 has no gradient, as in learn/losses.py
        total = weights.sum(dim=1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        share = (weights / total).unsqueeze(-1)
    if targets.is_floating_point():
        residual = torch.zeros_like(outputs)
        residual[..., 0] = 2 * (outputs[..., 0] - targets)
        return residual.mul_(share)
    residual = functional.softmax(outputs, dim=-1)
    labels = targets.unsqueeze(-1)
    residual.scatter_add_(2, labels, residual.new_full((1, 1, 1), -1.0).expand(labels.shape))
    return residual.mul_(share)


@torch.no_grad()
def write_gradient(population: MLPPopulation, x: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
    """Write the gradient of each replicate's mean loss into the parameters' ``grad``, which must exist."""
    layers: list[LinearPopulation] = list(population.layers)  # type: ignore[arg-type]
    inputs = [x]
    for layer in layers[:-1]:
        inputs.append(torch.baddbmm(layer.bias, inputs[-1], layer.weight).relu_())
    last = layers[-1]
    signal = _residual(torch.baddbmm(last.bias, inputs[-1], last.weight), targets, weights)
    for depth in range(len(layers) - 1, -1, -1):
        layer = layers[depth]
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        torch.bmm(inputs[depth].transpose(1, 2), signal, out=layer.weight.grad)
        torch.sum(signal, 1, keepdim=True, out=layer.bias.grad)
        if depth:
            passed = torch.bmm(signal, layer.weight.transpose(1, 2))
            signal = torch.ops.aten.threshold_backward(passed, inputs[depth], 0)  # ReLU's: 0 where its output is 0
