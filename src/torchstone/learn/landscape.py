"""Around a minimum: a network as one flat vector, its loss there, Dinh's rescaling and the line between two minima.

Everything here works on copies, so the population that is given keeps its bits. A vector holds a network's own
parameters only, [parameter]: layer by layer the weights [in, out] row by row, then the biases [out], and at the end the
gains of batch-normalised layers. The padding (zero weights, closed outputs) is no part of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchstone.learn.losses import cross_entropy
from torchstone.nets.backprop import write_normalised_gradient
from torchstone.nets.normalised import NormalisedPopulation
from torchstone.nets.population import MLPPopulation, pad_features

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Array = np.ndarray[Any, np.dtype[np.float64]]
Measure = Callable[[Tensor, Tensor], Tensor]
LossAndGradient = Callable[[Vector], tuple[float, Vector]]


def true_parameters(population: MLPPopulation, replicate: int) -> Vector:
    """Return the parameters of one replicate without padding, [parameter], in float64."""
    return population.vectors()[replicate].cpu().double().numpy()


def with_parameters(population: MLPPopulation, replicate: int, vector: Vector) -> MLPPopulation:
    """Return a new population of one, in float64: replicate ``replicate`` with these parameters, [parameter].

    It lies on the population's device, or on the CPU where that device has no float64 (mps). Raises ValueError if the
    vector has another length than ``true_parameters``.
    """
    single = population.only([replicate])
    device = next(population.parameters()).device
    single = (single.cpu() if device.type == "mps" else single).double()
    single.load_vectors(torch.from_numpy(np.ascontiguousarray(vector))[None])
    return single


def loss_and_gradient(
    population: MLPPopulation, replicate: int, x: Tensor, y: Tensor, measure: Measure = cross_entropy
) -> LossAndGradient:
    """Return f: parameters of one replicate, [parameter] -> its mean loss on (x, y) and the gradient, [parameter].

    ``x`` [sample, feature] and ``y`` [sample] are that replicate's own data, all of it in one float64 pass. The
    population is copied now; what happens to it later does not reach f.
    """
    single = with_parameters(population, replicate, true_parameters(population, replicate))
    parameters = list(single.parameters())
    device = parameters[0].device
    inputs = pad_features(x)[None].to(device, torch.float64)
    targets = y[None].to(device)
    targets = targets.double() if targets.is_floating_point() else targets

    if isinstance(single, NormalisedPopulation) and measure is cross_entropy:
        return _written_out(single, inputs, targets)

    def evaluate(vector: Vector) -> tuple[float, Vector]:
        single.load_vectors(torch.from_numpy(np.ascontiguousarray(vector))[None])
        loss = measure(single(inputs), targets).sum()
        gradients = single.own_entries(torch.autograd.grad(loss, parameters))
        return loss.item(), torch.cat([part.flatten() for part in gradients]).cpu().numpy()

    return evaluate


def _written_out(single: NormalisedPopulation, inputs: Tensor, targets: Tensor) -> LossAndGradient:
    """Do as ``loss_and_gradient`` without autograd's graph, in half the time."""
    gradients = [torch.zeros_like(parameter) for parameter in single.parameters()]
    for parameter, gradient in zip(single.parameters(), gradients, strict=True):
        parameter.grad = gradient
    own = single.own_entries(gradients)

    def evaluate(vector: Vector) -> tuple[float, Vector]:
        single.load_vectors(torch.from_numpy(np.ascontiguousarray(vector))[None])
        outputs = write_normalised_gradient(single, inputs, targets)
        return cross_entropy(outputs, targets).item(), torch.cat([part.flatten() for part in own]).cpu().numpy()

    return evaluate


@torch.no_grad()
def rescaled(population: MLPPopulation, alpha: float) -> MLPPopulation:
    """Return the same functions with other weights: layer 1 times alpha, the weights of layer 2 divided by it.

    Of batch-normalised networks it is the gain and shift of the last hidden layer and the weights of the output layer,
    since between two normalised layers a factor would come up against the eps in the standard deviation.

    Dinh, Pascanu, Bengio & Bengio, "Sharp minima can generalize for deep nets" (ICML 2017, arXiv 1703.04933): a ReLU
    is non-negatively homogeneous, relu(a z) = a relu(z) for a > 0, so with a = alpha

        W2 relu(W1 x + b1) + b2  =  (W2 / a) relu(a W1 x + a b1) + b2.

    Outputs stay as they were to rounding (to the bit if alpha is a power of 2), while the Hessian H becomes
    T^-1 H T^-1 with T = diag(alpha on what grew, 1 / alpha on what shrank, 1 elsewhere): its largest
    eigenvalue grows without bound as alpha does, or as it shrinks. Raises ValueError if alpha is not a positive
    number, or if there is one layer only.
    """
    if not 0 < alpha < float("inf"):
        raise ValueError(f"alpha = {alpha}: a ReLU is homogeneous for positive factors only")
    if len(population.layers) < 2:
        raise ValueError("a network of one layer has no ReLU to rescale across")
    twin = copy.deepcopy(population)
    is_normalised = isinstance(twin, NormalisedPopulation)
    first, second = (twin.layers[place] for place in ((-2, -1) if is_normalised else (0, 1)))
    grown = twin.gains[-1] if isinstance(twin, NormalisedPopulation) else first.weight
    for tensor, factor in ((grown, alpha), (first.bias, alpha), (second.weight, 1 / alpha)):
        assert isinstance(tensor, Tensor)
        tensor.mul_(factor)
    return twin


@dataclass(frozen=True)
class Line:
    """Loss, and accuracy where there are labels, along a line: [replicate, alpha]."""

    alphas: Array
    losses: Array
    accuracies: Array | None


@torch.no_grad()
def interpolated_losses(
    first: MLPPopulation,
    second: MLPPopulation,
    alphas: Sequence[float],
    x: Tensor,
    y: Tensor,
    measure: Measure = cross_entropy,
    outputs: Callable[[MLPPopulation], Tensor] | None = None,
) -> Line:
    """Return f(alpha x_2 + (1 - alpha) x_1) for each replicate on its data: alpha 0 is ``first``, alpha 1 ``second``.

    ``outputs`` maps the network in between to its outputs on x where these depend on more than x: a batch-normalised
    network takes its statistics, on the line as elsewhere, from its training set.

    Goodfellow, Vinyals & Saxe (2015); Keskar et al. 2017, section 2.2.1, with x_1 the small batch's minimum, x_2 the
    large batch's, and alpha in [-1, 2]. ``x`` [replicate, sample, feature], ``y`` [replicate, sample]; at 0 and 1 the
    losses are those of the two populations to the bit. Such a line is no invariant picture: it changes under
    ``rescaled`` (Dinh et al. 2017) and with the scale of the weights (Li et al. 2018). Raises ValueError if the
    populations differ in their number or architecture.
    """
    if (first.replicates, first.widths) != (second.replicates, second.widths):
        raise ValueError(
            f"{first.replicates} networks {first.widths} and {second.replicates} networks {second.widths}: no line"
        )
    between = copy.deepcopy(first)
    inputs = pad_features(x)
    losses, accuracies = [], []
    for alpha in alphas:
        for middle, start, end in zip(between.parameters(), first.parameters(), second.parameters(), strict=True):
            middle.copy_(torch.lerp(start, end, float(alpha)))
        found = between(inputs) if outputs is None else outputs(between)
        losses.append(measure(found, y).double())
        if not y.is_floating_point():
            accuracies.append((found[..., : first.widths[-1]].argmax(dim=2) == y).double().mean(dim=1))
    stacked = [torch.stack(values, dim=1).cpu().numpy() if values else None for values in (losses, accuracies)]
    if stacked[0] is None:
        raise ValueError("no alpha to measure at")
    return Line(np.asarray(alphas, dtype=np.float64), stacked[0], stacked[1])
