"""One regression, y = X w + noise, fitted four ways: does it matter how a gradient is come by?

The closed form solves the normal equations X'X w = X'y. The three others take the same steps of gradient descent on
the mean squared error from w = 0: with the gradient 2 X'(X w - y) / n written out, with autograd's, and as a module
with an optimiser of torch. The last column of X is 1, the intercept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from torchstone.core.schema import Primer
from torchstone.core.streams import stream
from torchstone.studies.primer.gradients import distance

Way = Callable[[Tensor, Tensor, float, int], Tensor]


def closed_form(x: Tensor, y: Tensor) -> Tensor:
    """Return the coefficients, [feature], that solve the normal equations."""
    found: Tensor = torch.linalg.solve(x.T @ x, x.T @ y)
    return found


def by_hand(x: Tensor, y: Tensor, rate: float, updates: int) -> Tensor:
    """Descend along the gradient written out."""
    w = torch.zeros(x.shape[1], dtype=x.dtype)
    for _ in range(updates):
        w -= rate * 2 * (x.T @ (x @ w - y)) / len(y)
    return w


def by_autograd(x: Tensor, y: Tensor, rate: float, updates: int) -> Tensor:
    """Descend along the gradient that autograd finds."""
    w = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    for _ in range(updates):
        loss = (x @ w - y).square().mean()
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= rate * gradient
    return w.detach()


def as_module(x: Tensor, y: Tensor, rate: float, updates: int) -> Tensor:
    """Fit a linear layer with an optimiser, as one does every day; its bias is the last coefficient."""
    # without the layer's own first weights, which come from the global generator
    layer = nn.utils.skip_init(nn.Linear, x.shape[1] - 1, 1, dtype=x.dtype)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    optimiser = torch.optim.SGD(layer.parameters(), lr=rate)
    for _ in range(updates):
        optimiser.zero_grad()
        nn.functional.mse_loss(layer(x[:, :-1])[:, 0], y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return torch.cat([layer.weight.detach().flatten(), layer.bias.detach()])


WAYS: dict[str, Way] = {"gradient by hand": by_hand, "autograd": by_autograd, "module": as_module}


def task(seed: int, replicate: int, rows: int, features: int) -> tuple[Tensor, Tensor]:
    """Draw a regression: x [sample, feature + 1] and y [sample]."""
    generator = stream(seed, "primer", "regression", replicate)
    x = torch.randn(rows, features + 1, generator=generator, dtype=torch.float64)
    x[:, -1] = 1.0
    w = torch.randn(features + 1, generator=generator, dtype=torch.float64)
    return x, x @ w + torch.randn(rows, generator=generator, dtype=torch.float64)


def regression(settings: Primer, seed: int, replicate: int) -> dict[str, dict[str, float]]:
    """Return how far each way ends from the closed form, and the largest of these distances."""
    x, y = task(seed, replicate, settings.rows, settings.features)
    known = closed_form(x, y)
    found = {name: distance(way(x, y, settings.rate, settings.updates), known) for name, way in WAYS.items()}
    return {name: {"distance": far} for name, far in (found | {"all ways": max(found.values())}).items()}
