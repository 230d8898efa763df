"""Does stacking many models change a model?

Networks of one architecture are held as one module whose parameters lead with the replicate axis
(nets/population.py), and trained together by the one loop of the house (learn/fit.py). Each is trained alone too; then
its bits are looked for among many neighbours, in reversed order, and among a few. The planted error is a trap that is
easily stepped into: one norm of all gradients together clips them, so that a model's step depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from torchstone.core.schema import Primer
from torchstone.core.streams import stream
from torchstone.learn.fit import Player, fit
from torchstone.learn.losses import squared_error
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.population import MLPPopulation, pad_features

RATE, MOMENTUM = 0.05, 0.9
NORM = 0.1  # to which the planted error clips
Train = Callable[[Sequence[int]], Tensor]  # models by their names -> parameters [model, parameter]


def train(settings: Primer, seed: int, names: Sequence[int], *, one_norm: bool = False) -> Tensor:
    """Train the networks of these names together and return their parameters, [model, parameter].

    Each learns the sine of the sum of its own random features; all that it draws is addressed by its name.
    """
    nets = MLPPopulation(len(names), (settings.features, *settings.hidden, 1))
    nets.initialise([stream(seed, "primer", "init", name) for name in names])
    shape = settings.rows, settings.features
    rows = torch.stack([torch.randn(shape, generator=stream(seed, "primer", "rows", name)) for name in names])
    x, y = pad_features(rows), rows.sum(dim=2).sin()
    optimiser = FlatOptimiser(nets, "sgd", RATE, momentum=MOMENTUM)

    def gradient(_: object) -> None:
        write_gradient(nets, x, y)
        if one_norm:
            optimiser.gradient.mul_((NORM / optimiser.gradient.norm()).clamp(max=1.0))

    player = Player(optimiser, loss=lambda _: squared_error(nets(x), y), gradient=gradient)
    fit([player], lambda _: None, settings.updates)
    return nets.vectors()


def arrangements(count: int) -> list[list[int]]:
    """Return the orders and companies in which models are trained: all, all reversed, and every pair of neighbours."""
    everyone = list(range(count))
    pairs = [everyone[start : start + 2] for start in range(0, count, 2)]
    return [everyone, everyone[::-1], *pairs]


def changed(training: Train, count: int) -> list[float]:
    """Return for each model the largest share of its parameters, [model], with other bits than when trained alone."""
    alone = [training([name])[0] for name in range(count)]
    found = [0.0] * count
    for names in arrangements(count):
        for name, vector in zip(names, training(names), strict=True):
            different = vector.view(torch.int32) != alone[name].view(torch.int32)
            found[name] = max(found[name], float(different.double().mean()))
    return found


def stacking(settings: Primer, seed: int) -> dict[str, list[float]]:
    """Return what stacking changes in each model, [model], as it is done in the house and with the planted error."""
    return {
        "stacked": changed(partial(train, settings, seed), settings.replicates),
        "stacked with one norm": changed(partial(train, settings, seed, one_norm=True), settings.replicates),
    }
