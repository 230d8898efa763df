"""The product of an MLP population's Hessians with vectors, written out.

Pearlmutter (1994), "Fast exact multiplication by the Hessian": with R{f} = d f(w + r v) / dr at r = 0, H v is
R{gradient}. R goes through the forward and the backward pass by the product rule; activations and signals of the two
passes do not depend on v and are kept. Autograd's double backward takes the same products with many more calls, which
are most of the time of a small net. A ReLU has no second derivative but at 0, which is taken as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from torchstone.nets.population import LinearPopulation, MLPPopulation

RELU_BACKWARD = torch.ops.aten.threshold_backward


class CrossEntropyCurvature:
    """Hessians of the mean cross-entropy on x [replicate, sample, padded feature], labels [replicate, sample]."""

    @torch.no_grad()
    def __init__(self, population: MLPPopulation, x: Tensor, labels: Tensor) -> None:
        layers: list[LinearPopulation] = list(population.layers)  # type: ignore[arg-type]
        self._weights = [layer.weight.detach() for layer in layers]
        self._inputs = [x]
        for layer in layers[:-1]:
            self._inputs.append(torch.baddbmm(layer.bias, self._inputs[-1], layer.weight).relu_())
        outputs = torch.baddbmm(layers[-1].bias, self._inputs[-1], layers[-1].weight)
        self._probabilities = functional.softmax(outputs, dim=-1)
        signal = self._probabilities.clone()
        index = labels.unsqueeze(-1)
        signal.scatter_add_(2, index, signal.new_full((1, 1, 1), -1.0).expand(index.shape))
        self._signals = [signal.mul_(1 / x.shape[1])]  # d loss / d what a layer puts out, the last layer's last
        for depth in range(len(layers) - 1, 0, -1):
            passed = torch.bmm(self._signals[0], self._weights[depth].transpose(1, 2))
            self._signals.insert(0, RELU_BACKWARD(passed, self._inputs[depth], 0))

    @torch.no_grad()
    def product(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """Return H v in the shapes and order of the parameters, for v in the same: weights and biases by layer."""
        weights, biases = directions[::2], directions[1::2]
        last = len(self._weights) - 1
        moved: list[Tensor | None] = [None]  # R{input of a layer}; the data do not move
        for depth, weight in enumerate(self._weights):
            change = torch.baddbmm(biases[depth], self._inputs[depth], weights[depth])
            before = moved[depth]
            if before is not None:
                change.baddbmm_(before, weight)
            if depth < last:
                moved.append(RELU_BACKWARD(change, self._inputs[depth + 1], 0))
        weighted = self._probabilities * change
        signal = weighted.addcmul_(self._probabilities, weighted.sum(-1, keepdim=True), value=-1)
        signal.mul_(1 / signal.shape[1])
        products: list[Tensor] = []
        for depth in range(last, -1, -1):
            product = torch.bmm(self._inputs[depth].transpose(1, 2), signal)
            before = moved[depth]
            if before is not None:
                product.baddbmm_(before.transpose(1, 2), self._signals[depth])
            products[:0] = [product, signal.sum(1, keepdim=True)]
            if depth:
                passed = torch.bmm(signal, self._weights[depth].transpose(1, 2))
                passed.baddbmm_(self._signals[depth], weights[depth].transpose(1, 2))
                signal = RELU_BACKWARD(passed, self._inputs[depth], 0)
        return products
