"""Is autograd's gradient the derivative?

It is held to two others: to central differences, df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h + O(h^2), which know
nothing of rules, and to a backward pass written by hand, which knows them all. In float64 the error of the former is
about h^2 from the third derivative and 1e-16 / h from rounding, so that any h from 1e-6 to 1e-4 leaves some 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from torchstone.core.streams import stream
from torchstone.studies.primer.functions import FUNCTIONS, Case, standardise

FORGETFUL = "a term forgotten"  # the planted error


def by_autograd(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the gradient of f at x as autograd finds it."""
    leaf = x.clone().requires_grad_()
    f(leaf).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad


@torch.no_grad()
def by_differences(f: Callable[[Tensor], Tensor], x: Tensor, width: float) -> Tensor:
    """Return the gradient of f at x by central differences of half-width ``width``."""
    found = torch.empty(x.numel(), dtype=x.dtype)
    for place in range(x.numel()):
        values = []
        for step in (width, -width):
            moved = x.clone()
            moved.view(-1)[place] += step
            values.append(f(moved))
        found[place] = (values[0] - values[1]) / (2 * width)
    return found.view(x.shape)


def distance(one: Tensor, other: Tensor) -> float:
    """Return the distance between two tensors as a share of the length of the other."""
    return float((one - other).norm() / other.norm())


def compared(case: Case, width: float) -> dict[str, float]:
    """Return how far autograd's gradient is from both others."""
    found = by_autograd(case.f, case.x)
    return {
        "against_differences": distance(found, by_differences(case.f, case.x, width)),
        "against_hand": distance(found, case.gradient(case.x)),
    }


def gradients(seed: int, replicate: int, width: float) -> dict[str, dict[str, float]]:
    """Return what one replicate finds: a distance for each function, the largest, and that of the planted error."""
    cases: dict[str, Callable[[Generator], Case]] = {**FUNCTIONS, FORGETFUL: partial(standardise, forgets=True)}
    found = {
        name: compared(draw(stream(seed, "primer", "function", name, replicate)), width) for name, draw in cases.items()
    }
    worst = {
        metric: max(found[name][metric] for name in FUNCTIONS) for metric in ("against_differences", "against_hand")
    }
    return {**found, "all functions": worst}
