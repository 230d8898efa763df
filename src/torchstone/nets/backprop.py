"""The gradient of an MLP population written out: the same numbers as autograd's, in less time.

Autograd builds and walks a graph for each step and adds every gradient to a cleared buffer. For small nets that costs
as much as the products themselves; written out, a training step of 25 nets 64-64-10 takes 0.7 times as long, and one of
10 batch-normalised nets 40-64-64-10 0.64 to 0.8 times (benchmarks/engine.py). Law tests hold both to autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from torchstone.nets.normalised import EPS, NormalisedPopulation, groups
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


@torch.no_grad()
def write_normalised_gradient(population: NormalisedPopulation, x: Tensor, targets: Tensor) -> Tensor:
    """Do for batch-normalised networks what ``write_gradient`` does, and return their outputs on x on the way."""
    layers: list[LinearPopulation] = list(population.layers)  # type: ignore[arg-type]
    signals, standard, scales = [x.transpose(1, 2)], [], []  # signals are [replicate, unit, sample]
    for layer, gain in zip(layers, population.gains, strict=False):
        z = torch.bmm(layer.weight.transpose(1, 2), signals[-1])
        parts = [
            torch.native_layer_norm(part, part.shape[-1:], None, None, EPS) for part in groups(z, population.ghost)
        ]
        standard.append(_joined([part[0] for part in parts]))
        scales.append([part[2] for part in parts])
        signals.append(torch.addcmul(layer.bias.transpose(1, 2), standard[-1], gain.transpose(1, 2)).relu_())
    last = layers[-1]
    outputs = torch.baddbmm(last.bias, signals[-1].transpose(1, 2), last.weight)
    residual = _residual(outputs, targets, None)
    torch.bmm(signals[-1], residual, out=_grad(last.weight))
    torch.sum(residual, 1, keepdim=True, out=_grad(last.bias))
    signal = torch.bmm(last.weight, residual.transpose(1, 2))
    for depth in range(len(population.gains) - 1, -1, -1):
        layer, gain = layers[depth], population.gains[depth]
        signal = torch.ops.aten.threshold_backward(signal, signals[depth + 1], 0)
        pairs = zip(groups(signal, population.ghost), groups(standard[depth], population.ghost), strict=True)
        sums = [(part.sum(-1, keepdim=True), (part * own).sum(-1, keepdim=True)) for part, own in pairs]
        _grad(layer.bias).copy_(sum(shift.sum(-2) for shift, _ in sums).transpose(1, 2))  # type: ignore[union-attr]
        _grad(gain).copy_(sum(along.sum(-2) for _, along in sums).transpose(1, 2))  # type: ignore[union-attr]
        _through_standardising(groups(signal, population.ghost), groups(standard[depth], population.ghost), sums)
        for part, scale in zip(groups(signal, population.ghost), scales[depth], strict=True):
            part.mul_(scale * gain.transpose(1, 2).unsqueeze(-1))
        torch.bmm(signals[depth], signal.transpose(1, 2), out=_grad(layer.weight))
        if depth:
            signal = torch.bmm(layer.weight, signal)
    return outputs


def _through_standardising(parts: list[Tensor], standard: list[Tensor], sums: list[tuple[Tensor, Tensor]]) -> None:
    """Take from each group of the signal, in place, its mean and its share along the standardised values."""
    for part, own, (total, along) in zip(parts, standard, sums, strict=True):
        rows = part.shape[-1]
        part.sub_(total / rows).addcmul_(own, along / rows, value=-1)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0].flatten(-2) if len(parts) == 1 else torch.cat([part.flatten(-2) for part in parts], dim=-1)


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
