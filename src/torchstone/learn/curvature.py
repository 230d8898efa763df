"""Largest eigenvalue and trace of the Hessian of every replicate of a population at once.

The losses of a population are summed before they are differentiated, and no replicate's loss depends on another's
parameters. So the Hessian of the sum is block diagonal, and one product with a vector that holds a direction for each
replicate gives every replicate's H v. The product is a double backward, H v = d(g . v)/dx; the graph of the first
backward is built once and kept. For plain MLPs under cross-entropy it is written out (``nets/pearlmutter.py``). It
runs over all data it is given: on small batches the largest eigenvalue varies tenfold, so give it the full training
set. Memory: a few dozen times the activations [replicate, sample, unit] of the whole population; where that is too
much, take the replicates in chunks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from torchstone.core.rng import Name
from torchstone.core.streams import stream
from torchstone.learn.landscape import Array, Measure
from torchstone.learn.losses import cross_entropy
from torchstone.nets.pearlmutter import CrossEntropyCurvature
from torchstone.nets.population import MLPPopulation, pad_features

Names = Sequence[tuple[Name, ...]]
Criterion = Literal["residual", "change"]
Product = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def _double_backward(losses: Tensor, leaves: Sequence[Tensor]) -> Product:
    """Return v -> H v by autograd, for any network and loss; the graph of the gradient is built once and kept."""
    gradients = torch.autograd.grad(losses.sum(), leaves, create_graph=True, materialize_grads=True)
    moving = [place for place, part in enumerate(gradients) if part.requires_grad]  # of the others H is 0

    def multiply(directions: Sequence[Tensor]) -> Sequence[Tensor]:
        return torch.autograd.grad(
            [gradients[place] for place in moving],
            leaves,
            [directions[place] for place in moving],
            retain_graph=True,
            materialize_grads=True,
        )

    return multiply


class Hessian:
    """The Hessians of a population's mean losses, one [parameter, parameter] matrix a replicate, never formed.

    ``x`` [replicate, sample, feature], ``y`` [replicate, sample]; ``parameters`` counts a network's own, in the order
    of ``landscape.true_parameters``: padding is neither moved nor measured. The population is copied, in ``dtype``:
    float64 is the default. float32 takes half the time and reaches about 1e-5 on a net that still errs; where all
    probabilities are near 0 or 1 it loses them to rounding (5 % was measured at eigenvalues of 1e-3). Raises ValueError
    if a loss is not finite.
    """

    def __init__(
        self,
        population: MLPPopulation,
        x: Tensor,
        y: Tensor,
        measure: Measure = cross_entropy,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.population = copy.deepcopy(population).to(dtype)
        self.replicates, self.dtype = population.replicates, dtype
        self._leaves = list(self.population.parameters())
        self.device = self._leaves[0].device
        inputs = pad_features(x).to(dtype)
        targets = y.to(dtype) if y.is_floating_point() else y
        is_written_out = type(population) is MLPPopulation and measure is cross_entropy
        with torch.set_grad_enabled(not is_written_out):
            losses = measure(self.population(inputs), targets)
        if not torch.isfinite(losses).all():
            where = torch.nonzero(~torch.isfinite(losses)).flatten().tolist()
            raise ValueError(f"the loss of replicate {where} is not finite: it has no Hessian")
        self._multiply: Product = (
            CrossEntropyCurvature(self.population, inputs, targets).product
            if is_written_out
            else _double_backward(losses, self._leaves)
        )
        self._directions = [torch.zeros_like(leaf, requires_grad=False) for leaf in self._leaves]
        self._slots = self.population.own_entries(self._directions)
        self._sizes = [slot[0].numel() for slot in self._slots]
        self.parameters = sum(self._sizes)

    def product(self, v: Tensor) -> Tensor:
        """Return H v of every replicate, [replicate, parameter], for v [replicate, parameter]."""
        for slot, part in zip(self._slots, torch.split(v, self._sizes, dim=1), strict=True):
            slot.copy_(part.reshape(slot.shape))
        products = self._multiply(self._directions)
        return torch.cat([part.flatten(1) for part in self.population.own_entries(products)], dim=1)

    def streams(self, seed: int, what: str, names: Names) -> list[torch.Generator]:
        """Return a stream for each replicate, by its names. Raises ValueError if their number is another."""
        if len(names) != self.replicates:
            raise ValueError(f"{len(names)} names for {self.replicates} replicates")
        return [stream(seed, what, *name) for name in names]

    def place(self, rows: Sequence[Tensor]) -> Tensor:
        """Stack what was drawn for each replicate, [replicate, parameter], where the products are taken."""
        return torch.stack(list(rows)).to(self.device, self.dtype)


@dataclass(frozen=True)
class Eigenvalues:
    """The largest (algebraic) eigenvalue of each replicate's Hessian, and how far it can be trusted; all [replicate].

    An eigenvalue of H lies within ``residuals`` of ``values``; near a well separated one the error is about its square
    over the gap. ``converged`` is False where the cap on the steps was hit first.
    """

    values: Array
    residuals: Array
    steps: np.ndarray[Any, np.dtype[np.int64]]
    converged: np.ndarray[Any, np.dtype[np.bool_]]


class _Basis:
    """Lanczos vectors, [replicate, step, parameter], in blocks so that memory is taken as it is needed."""

    BLOCK = 16

    def __init__(self) -> None:
        self._blocks: list[Tensor] = []
        self._used = 0

    def append(self, v: Tensor) -> None:
        if self._used % self.BLOCK == 0:
            self._blocks.append(v.new_empty(v.shape[0], self.BLOCK, v.shape[1]))
        self._blocks[-1][:, self._used % self.BLOCK] = v
        self._used += 1

    def remove_from(self, w: Tensor) -> Tensor:
        """Take from w, in place, what lies along the basis, and return its share of the newest vector, [replicate]."""
        newest = torch.zeros_like(w[:, 0])
        for number, block in enumerate(self._blocks):
            used = min(self.BLOCK, self._used - number * self.BLOCK)
            for replicate, vectors in enumerate(block[:, :used]):  # mv: up to ten times as fast as one bmm for all
                shares = torch.mv(vectors, w[replicate])
                w[replicate].addmv_(vectors.T, shares, alpha=-1)
                newest[replicate] = shares[-1]
        return newest


def _look(
    found: Eigenvalues, alphas: Array, betas: Array, tolerance: float, rounding: float, criterion: Criterion
) -> None:
    """Write theta and its residual for the replicates that are not done, from alpha and beta [replicate, step]."""
    last = alphas.shape[1] - 1
    for replicate in np.flatnonzero(~found.converged):
        diagonal, beside = alphas[replicate], betas[replicate]
        values, vectors = eigh_tridiagonal(diagonal, beside[:-1], select="i", select_range=(last, last))
        theta, residual = float(values[0]), float(beside[-1] * abs(vectors[-1, 0]))
        change = abs(theta - found.values[replicate]) if last else np.inf
        found.values[replicate], found.residuals[replicate], found.steps[replicate] = theta, residual, last + 1
        size = float(np.abs(diagonal).max() + beside.max())
        left = residual if criterion == "residual" else min(residual, change)
        found.converged[replicate] = left <= max(tolerance * abs(theta), rounding * size)


def largest_eigenvalues(
    hessian: Hessian,
    names: Names,
    seed: int,
    *,
    tolerance: float = 1e-6,
    most: int = 200,
    criterion: Criterion = "residual",
) -> Eigenvalues:
    """Return the largest eigenvalue of every replicate's Hessian by Lanczos' method (1950).

    From a random unit vector v_1, of the stream ("lanczos", names of the replicate), step j takes w = H v_j,
    alpha_j = v_j . w, removes from w all of v_1..v_j (twice: full reorthogonalisation), and sets beta_j = |w|,
    v_j+1 = w / beta_j. The largest eigenvalue theta of the tridiagonal matrix of alpha and beta, with eigenvector s,
    approaches that of H from below; H has an eigenvalue within the residual beta_j |s_j| of it. A replicate is done
    when the residual is at most ``tolerance`` |theta|, or as small as rounding lets it be; what its neighbours still
    need changes it no more. ``most`` caps the steps; a replicate that hits it has ``converged`` False. Like any Krylov
    method this can stop at a lower eigenvalue if the top one is very close to it or v_1 hardly points its way; a
    smaller ``tolerance`` makes that rarer. Power iteration stopped by a small change of its estimate (PyHessian, 1e-3)
    was up to 11 % off where this, at the same tolerance, was within 1e-5 (benchmarks/hessian.py). The ``criterion``
    "change" stops as PyHessian does, once an estimate differs from the one before by at most ``tolerance`` of itself:
    sooner, and with no bound on the error. Raises ValueError if there is no name for each replicate, or ``most`` is not
    positive.
    """
    if most < 1:
        raise ValueError(f"most = {most}: Lanczos needs a step")
    drawn = [
        torch.randn(hessian.parameters, dtype=torch.float64, generator=generator)
        for generator in hessian.streams(seed, "lanczos", names)
    ]
    v = torch.nn.functional.normalize(hessian.place(drawn), dim=1)
    count, rounding = hessian.replicates, 8 * torch.finfo(hessian.dtype).eps
    found = Eigenvalues(np.zeros(count), np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.bool_))
    alphas, betas = np.zeros((count, most)), np.zeros((count, most))
    basis = _Basis()
    for step in range(min(most, hessian.parameters)):
        basis.append(v)
        w = hessian.product(v)
        alphas[:, step] = (basis.remove_from(w) + basis.remove_from(w)).cpu().numpy()
        length = torch.linalg.vector_norm(w, dim=1, keepdim=True)
        betas[:, step] = length[:, 0].cpu().numpy()
        _look(found, alphas[:, : step + 1], betas[:, : step + 1], tolerance, rounding, criterion)
        if found.converged.all():
            break
        v = w / length.clamp_min(torch.finfo(hessian.dtype).tiny)
    found.converged[found.steps == hessian.parameters] = True  # the basis spans the whole space
    return found


@dataclass(frozen=True)
class Traces:
    """Hutchinson's estimates of the trace of each replicate's Hessian and their standard errors, [replicate]."""

    values: Array
    errors: Array


def probes(hessian: Hessian, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw the next Rademacher vector, entries -1 and 1, of every replicate: [replicate, parameter]."""
    size = (hessian.parameters,)
    return hessian.place([2 * torch.randint(0, 2, size, generator=generator) - 1 for generator in generators])


def traces(hessian: Hessian, names: Names, seed: int, *, samples: int = 100) -> Traces:
    """Return the trace of every replicate's Hessian by Hutchinson's estimator (1990).

    tr H = E[v' H v] for v with independent entries -1 and 1; the estimate is the mean over ``samples`` such vectors,
    of the stream ("trace", names of the replicate), and its standard error their standard deviation over
    sqrt(samples). The variance of one is 2 sum over i != j of H_ij^2, so a diagonal Hessian is met exactly. More
    samples begin with the same vectors. Raises ValueError if there is no name for each replicate, or fewer than two
    samples, which have no standard error.
    """
    if samples < 2:
        raise ValueError(f"{samples} sample has no standard error: take two or more")
    generators = hessian.streams(seed, "trace", names)
    each = []
    for _ in range(samples):
        v = probes(hessian, generators)
        each.append((v * hessian.product(v)).sum(dim=1))
    values = torch.stack(each).double().cpu().numpy()
    return Traces(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(samples))
