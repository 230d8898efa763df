"""A training step of small nets: ours, with autograd, a loop over nets, and the limit; plain and batch-normalised.

The nets are 25 of 64-64-10 (batch 32, Adam) and 10 of 40-64-64-10 with batch normalisation (batch 8 to 800, SGD with
momentum). Memory is kept as a stage keeps it (core/stage.py). The limit is the time that the step's products alone
would take at this core's measured matrix-product speed. One thread. ``python -m benchmarks.engine``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from torchstone.core.processes import KIB, MOST_HEAP, allocate
from torchstone.core.streams import stream
from torchstone.learn.fit import Player
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser, Rule
from torchstone.nets.backprop import write_gradient, write_normalised_gradient
from torchstone.nets.normalised import NormalisedPopulation
from torchstone.nets.population import MLPPopulation, pad_features


@dataclass(frozen=True)
class Case:
    """So many nets of one shape, on batches of one size."""

    nets: int
    batch: int
    widths: tuple[int, ...]
    normalised: bool

    def data(self, nets: int) -> tuple[Tensor, Tensor]:
        """Return x [net, sample, feature] and y [net, sample]."""
        x = torch.randn(nets, self.batch, self.widths[0], generator=stream(0, "x"))
        return x, torch.randint(0, self.widths[-1], (nets, self.batch), generator=stream(0, "y"))


CASES = [
    Case(25, 32, (64, 64, 10), normalised=False),
    *(Case(10, batch, (40, 64, 64, 10), normalised=True) for batch in (8, 32, 128, 800)),
]


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


def population_step(case: Case, hand_written: bool) -> Callable[[], object]:
    """Return one optimiser step of the population, by the written-out gradient or by autograd."""
    kind = NormalisedPopulation if case.normalised else MLPPopulation
    population = kind(case.nets, case.widths)
    population.initialise([stream(0, "init", net) for net in range(case.nets)])
    x, y = case.data(case.nets)
    x = pad_features(x)

    def write(_: object) -> None:
        if isinstance(population, NormalisedPopulation):
            write_normalised_gradient(population, x, y)
        else:
            write_gradient(population, x, y)

    rule: Rule = "sgd" if case.normalised else "adam"
    player = Player(
        FlatOptimiser(population, rule, 1e-3, momentum=0.9),
        lambda _: cross_entropy(population(x), y),
        write if hand_written else None,
    )
    return lambda: player.step(None)


def plain(case: Case) -> nn.Sequential:
    """Return one of the nets as an ordinary module."""
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(case.widths):
        parts += [nn.Linear(inputs, outputs), *([nn.BatchNorm1d(outputs)] if case.normalised else []), nn.ReLU()]
    return nn.Sequential(*parts[: -2 if case.normalised else -1])


def loop_step(case: Case) -> Callable[[], object]:
    """Return one step of each of the nets in turn, as ordinary modules with torch's fused optimisers."""
    nets = [plain(case) for _ in range(case.nets)]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, fused=True) if case.normalised
        else torch.optim.Adam(net.parameters(), fused=True)
        for net in nets
    ]  # fmt: skip
    x, y = case.data(1)

    def step() -> None:
        for net, optimiser in zip(nets, optimisers, strict=True):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[0]), y[0]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return step


def limit(case: Case) -> float:
    """Return the microseconds that the products of one population step would take at full speed."""
    a = torch.randn(512, 512, generator=stream(0, "a"))
    speed = 2 * 512**3 / best_of(lambda: a @ a)  # operations a microsecond
    weights = sum(i * o for i, o in pairwise(case.widths))
    operations = 2 * case.batch * case.nets * (3 * weights - case.widths[0] * case.widths[1])
    return operations / speed


def main() -> None:
    """Print microseconds a step and ratios to the written-out gradient."""
    torch.set_num_threads(1)
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)
    for case in CASES:
        kind = "batch-normalised nets" if case.normalised else "nets"
        print(f"{case.nets} {kind} {'-'.join(map(str, case.widths))}, batch {case.batch}")
        steps = {
            "written out": population_step(case, True),
            "autograd": population_step(case, False),
            "loop over nets": loop_step(case),
        }
        calls = max(4, 3200 // case.batch)
        times = {
            name: best_of(step, calls=min(calls, 100 if name != "loop over nets" else 10))
            for name, step in steps.items()
        }
        for name, microseconds in times.items():
            print(f"  {name:16s} {microseconds:8.0f} us a step, {microseconds / times['written out']:5.2f} times ours")
        bound = limit(case)
        print(f"  {'products alone':16s} {bound:8.0f} us, ours reaches {bound / times['written out']:.0%} of the limit")


if __name__ == "__main__":
    main()
