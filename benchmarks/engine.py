"""A training step of 25 nets 64-64-10, batch 32: the parts of ours, autograd, a loop over nets, and the limit.

The limit is the time that the step's products alone would take at this core's measured matrix-product speed. One
thread. ``python -m benchmarks.engine``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from torchstone.core.streams import stream
from torchstone.learn.fit import Player
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.population import MLPPopulation

NETS, BATCH, WIDTHS = 25, 32, (64, 64, 10)


def best_of(step: Callable[[], object], repeats: int = 7, calls: int = 100) -> float:
    """Return the shortest mean time of a call, in microseconds."""
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        times.append((time.perf_counter() - start) / calls * 1e6)
    return min(times)


def population_step(hand_written: bool) -> Callable[[], object]:
    """Return one optimiser step of the population, by the written-out gradient or by autograd."""
    population = MLPPopulation(NETS, WIDTHS)
    population.initialise([stream(0, "init", net) for net in range(NETS)])
    x = torch.randn(NETS, BATCH, WIDTHS[0], generator=stream(0, "x"))
    y = torch.randint(0, WIDTHS[-1], (NETS, BATCH), generator=stream(0, "y"))
    player = Player(
        FlatOptimiser(population, "adam", 1e-3),
        lambda _: cross_entropy(population(x), y),
        (lambda _: write_gradient(population, x, y)) if hand_written else None,
    )
    return lambda: player.step(None)


def loop_step() -> Callable[[], object]:
    """Return one step of each of the nets in turn, as ordinary modules."""
    nets = [nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)) for _ in range(NETS)]
    optimisers = [torch.optim.Adam(net.parameters(), fused=True) for net in nets]
    x = torch.randn(BATCH, WIDTHS[0], generator=stream(0, "x"))
    y = torch.randint(0, WIDTHS[-1], (BATCH,), generator=stream(0, "y"))

    def step() -> None:
        for net, optimiser in zip(nets, optimisers, strict=True):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return step


def limit() -> float:
    """Return the microseconds that the products of one population step would take at full speed."""
    a = torch.randn(512, 512, generator=stream(0, "a"))
    speed = 2 * 512**3 / best_of(lambda: a @ a)  # operations a microsecond
    weights = sum(i * o for i, o in pairwise(WIDTHS))
    operations = 2 * BATCH * NETS * (3 * weights - WIDTHS[0] * WIDTHS[1])
    return operations / speed


def main() -> None:
    """Print microseconds a step and ratios to the written-out gradient."""
    torch.set_num_threads(1)
    steps = {"written out": population_step(True), "autograd": population_step(False), "loop over nets": loop_step()}
    times = {name: best_of(step, calls=100 if name != "loop over nets" else 10) for name, step in steps.items()}
    for name, microseconds in times.items():
        print(f"{name:16s} {microseconds:8.0f} us a step, {microseconds / times['written out']:5.2f} times ours")
    bound = limit()
    print(f"{'products alone':16s} {bound:8.0f} us, ours reaches {bound / times['written out']:.0%} of the limit")


if __name__ == "__main__":
    main()
