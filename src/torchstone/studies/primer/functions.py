"""Ten functions with their gradients written by hand, from a product to a small network.

Each draws its point x and its constants from a generator, in float64 and of random shape, and returns x, f and the
gradient of f as a function of x. What is written by hand calls no autograd; its rules are those of matrix calculus
(Petersen & Pedersen, The Matrix Cookbook) and of backpropagation (Rumelhart, Hinton & Williams 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

EPS = 1e-5


class Case(NamedTuple):
    """A function from a tensor to a number, a point, and the function's gradient by hand."""

    x: Tensor
    f: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor], Tensor]


def _size(generator: Generator, low: int = 2, high: int = 6) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))


def _normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def product(generator: Generator) -> Case:
    """Return f(x, y) = x y + sin x of two numbers; x counts twice: df/dx = y + cos x, df/dy = x."""
    return Case(
        _normal(generator, 2), lambda x: x[0] * x[1] + x[0].sin(), lambda x: torch.stack([x[1] + x[0].cos(), x[0]])
    )


def quadratic(generator: Generator) -> Case:
    """Return f(x) = x' A x / 2; its gradient is (A + A') x / 2."""
    size = _size(generator)
    a = _normal(generator, size, size)
    return Case(_normal(generator, size), lambda x: x @ a @ x / 2, lambda x: (a + a.T) @ x / 2)


def entrywise(generator: Generator) -> Case:
    """Return f(x) = sum c tanh x; tanh' = 1 - tanh^2."""
    c = _normal(generator, _size(generator), _size(generator))
    return Case(_normal(generator, *c.shape), lambda x: (c * x.tanh()).sum(), lambda x: c * (1 - x.tanh() ** 2))


def broadcast(generator: Generator) -> Case:
    """Return f(b) = sum sin(A + b), with b broadcast over the rows of A: gradients of copies add up."""
    a = _normal(generator, _size(generator), _size(generator))
    return Case(_normal(generator, a.shape[1]), lambda b: (a + b).sin().sum(), lambda b: (a + b).cos().sum(dim=0))


def softmax(generator: Generator) -> Case:
    """Return f(x) = log sum exp x; its gradient is the softmax."""

    def gradient(x: Tensor) -> Tensor:
        shares = (x - x.max()).exp()
        return shares / shares.sum()

    return Case(_normal(generator, _size(generator)), lambda x: x.logsumexp(0), gradient)


def norm(generator: Generator) -> Case:
    """Return the length f(x) = |x|; its gradient is x / |x|."""
    return Case(_normal(generator, _size(generator)), lambda x: x.norm(), lambda x: x / (x @ x).sqrt())


def determinant(generator: Generator) -> Case:
    """Return f(X) = log |det X|; its gradient is the inverse, transposed."""
    size = _size(generator, 2, 5)
    x = _normal(generator, size, size) + 4 * torch.eye(size, dtype=torch.float64)  # far from singular
    return Case(x, lambda x: torch.linalg.slogdet(x).logabsdet, lambda x: torch.linalg.inv(x).T)


def standardise(generator: Generator, *, forgets: bool = False) -> Case:
    """Return f(x) = sum c z with z = (x - mean) / sd, as in batch normalisation (Ioffe & Szegedy 2015).

    Mean and deviation depend on x too: the gradient is (c - mean c - z mean(c z)) / sd. With ``forgets`` the mean of c
    is left out, the mistake of one who takes the mean of x for a constant.
    """
    c = _normal(generator, _size(generator, 3, 8))

    def standard(x: Tensor) -> tuple[Tensor, Tensor]:
        deviation = ((x - x.mean()).square().mean() + EPS).sqrt()
        return (x - x.mean()) / deviation, deviation

    def gradient(x: Tensor) -> Tensor:
        z, deviation = standard(x)
        return (c - (0.0 if forgets else c.mean()) - z * (c * z).mean()) / deviation

    return Case(_normal(generator, len(c)), lambda x: (c * standard(x)[0]).sum(), gradient)


def convolution(generator: Generator) -> Case:
    """Return f(w) = sum c (x * w) of a signal x [time] and a filter w [lag]; the gradient correlates x with c."""
    lags = _size(generator, 2, 4)
    signal = _normal(generator, lags + _size(generator))
    c = _normal(generator, len(signal) - lags + 1)

    def f(w: Tensor) -> Tensor:
        return (c * functional.conv1d(signal.view(1, 1, -1), w.view(1, 1, -1)).flatten()).sum()

    return Case(_normal(generator, lags), f, lambda w: signal.unfold(0, len(w), 1).T @ c)


def network(generator: Generator) -> Case:
    """Return the cross-entropy of a net with one hidden layer of tanh, a function of its hidden weights [in, unit]."""
    rows, inputs, units, classes = (_size(generator) for _ in range(4))
    x, out = _normal(generator, rows, inputs), _normal(generator, units, classes)
    labels = torch.randint(classes, (rows,), generator=generator)

    def gradient(weights: Tensor) -> Tensor:
        hidden = (x @ weights).tanh()
        signal = functional.softmax(hidden @ out, dim=1)
        signal = (signal - functional.one_hot(labels, classes)) / rows  # at the logits
        return x.T @ ((signal @ out.T) * (1 - hidden**2))

    def f(weights: Tensor) -> Tensor:
        return functional.cross_entropy((x @ weights).tanh() @ out, labels)

    return Case(_normal(generator, inputs, units), f, gradient)


FUNCTIONS: dict[str, Callable[[Generator], Case]] = {
    one.__name__: one
    for one in (
        product, quadratic, entrywise, broadcast, softmax, norm, determinant, standardise, convolution, network,
    )
}  # fmt: skip
