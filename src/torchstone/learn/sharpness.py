"""Keskar's sharpness of a minimum (Metric 2.1), whose code its authors announced and never released.

Keskar, Mudigere, Nocedal, Smelyanskiy & Tang, "On large-batch training for deep learning: generalization gap and
sharp minima" (ICLR 2017, arXiv 1609.04836), equations (3) and (4). Let f: R^n -> R be the training loss, x in R^n the
parameters that training ended with, and A an n x p matrix whose columns span the directions to look along. Then

    C_eps          = { z in R^p : -eps (|(A+ x)_i| + 1) <= z_i <= eps (|(A+ x)_i| + 1), i = 1..p }           (3)
    phi_x,f(eps,A) = 100 (max over y in C_eps of f(x + A y)  -  f(x)) / (1 + f(x))                           (4)

so phi is the largest rise of the loss in a small box around x, in per cent of 1 + f(x).

**A and A+.** A+ is the pseudo-inverse, p x n: A+ x is the shortest y that minimises |A y - x|, the coordinates of x in
the directions of A. In the *full space* A is the identity: p = n, A+ x = x, and parameter i may move by
eps (|x_i| + 1). In a *random subspace* p = 100 and the columns of A are drawn at random; for independent columns
A+ x = (A'A)^-1 A'x. Here A+ x is found by least squares and A+ itself never formed.

**Why the box depends on x.** To compare networks of unlike scale and sparsity: a large parameter may move in
proportion to its size, eps |x_i|, and one at zero, for which that would be nothing, by eps still. Hence |.| + 1. It is
not invariant to the scale of the weights: Dinh et al. 2017, ``landscape.rescaled``.

**What the paper leaves open, and what is chosen here.**
 1. *How A is drawn.* "Randomly generated". Here: independent N(0, 1) entries, ``random_directions``. The scale
    matters: for n >> p, A+ x is near 0, so each y_i may move by about eps, and a parameter by up to eps sum_j |A_ij|,
    some 80 eps for p = 100. So a subspace's phi is *not* bounded by that of the full space, whose box is another.
 2. *Data.* f is the mean loss over the full training set, without weight decay, in float64.
 3. *The start.* y = 0, that is x itself. Where the gradient is exactly 0, L-BFGS-B cannot leave it: see 5.
 4. *"10 iterations of L-BFGS-B", "not exact".* Read literally: ``scipy.optimize.minimize`` of -f(x + A y) over y,
    SciPy being what the authors' README names, 10 stored pairs, 10 iterations. Its stopping tolerances are
    set to 0, or a gradient below 1e-5, which a well-trained network has, would stop it at the first step with phi = 0.
    This is ``phi``. Beware of it: L-BFGS-B's first step has the length of the gradient, and the pairs that it learns
    from are of no use where -f is concave, so ten iterations may end far short of the maximum, and the further
    the lower the training loss is. Measured in the full space, eps = 1e-3, MLP 64-64-64-10, digits, full batch: 99 %
    of ``converged`` at a training loss of 8e-3, 2 % at 3e-4, 0.5 % at 1e-5 (in a subspace 97 to 100 %). Two minima of
    unequal training loss then differ in phi by the solver alone.
 5. *The converged value* beside it: the same maximum in box units u_i = y_i / (half-width)_i in [-1, 1], the loss
    divided by the median of |df/du_i|. So the first step reaches the box's faces, and some twenty iterations settle.
    It is stopped by tolerance, with a cap that is reported. The problem is not concave, so this is a local maximum: the
    highest of those found from u = 0, from where ``phi`` ended, and from ``starts``, such as ``random_corners``
    (three of them raised it by 0 to 19 % on the nets of 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import lstsq
from scipy.optimize import Bounds, minimize

from torchstone.core.rng import Name
from torchstone.core.streams import stream
from torchstone.learn.landscape import Array, LossAndGradient, Vector

ITERATIONS = 10
DIMENSIONS = 100


@dataclass(frozen=True)
class Sharpness:
    """What ``sharpness`` found; ``phi`` and ``converged`` are in per cent."""

    loss: float
    """f(x)"""
    phi: float
    """after the published number of iterations"""
    converged: float
    """the highest local maximum found, at least ``phi``"""
    iterations: int
    """of the longest run towards ``converged``"""
    settled: bool
    """whether every run towards ``converged`` stopped before its cap"""


def random_directions(parameters: int, seed: int, *names: Name, dimensions: int = DIMENSIONS) -> Array:
    """Return A, [parameter, dimension], with independent N(0, 1) entries from the stream of this name."""
    generator = stream(seed, "directions", *names)
    return torch.randn(parameters, dimensions, dtype=torch.float64, generator=generator).numpy()


def random_corners(count: int, dimensions: int, seed: int, *names: Name) -> Array:
    """Return corners of the box in its own units, [corner, dimension] of -1 and 1, as further starts."""
    drawn = torch.randint(0, 2, (count, dimensions), generator=stream(seed, "corners", *names))
    return (2 * drawn - 1).double().numpy()


def coordinates(x: Vector, directions: Array) -> Vector:
    """Return A+ x, [dimension], of A [parameter, dimension] of any rank: the shortest least-squares solution."""
    found: Vector = lstsq(directions, x, lapack_driver="gelsy", check_finite=False)[0].astype(np.float64)
    return found


def half_widths(x: Vector, eps: float, directions: Array | None = None) -> Vector:
    """Return eps (|(A+ x)_i| + 1), [dimension]: C_eps of equation (3) is between minus this and this.

    ``directions`` is A, [parameter, dimension]; None is the identity, the full space.
    """
    inside = x if directions is None else coordinates(x, directions)
    widths: Vector = eps * (np.abs(inside) + 1)
    return widths


class _Box:
    """-f(x + A y) on the box, in units of ``unit`` and divided by ``scale``, as scipy minimises it."""

    def __init__(self, f: LossAndGradient, x: Vector, widths: Vector, directions: Array | None) -> None:
        self.f, self.x, self.widths, self.directions = f, x, widths, directions
        self.loss, self.slope = self.at(np.zeros_like(widths))
        if not -1 < self.loss < float("inf"):
            raise ValueError(f"the loss at x is {self.loss}: it has no sharpness")

    def at(self, y: Vector) -> tuple[float, Vector]:
        """Return f(x + A y) and its gradient in y, A' grad f."""
        loss, gradient = self.f(self.x + (y if self.directions is None else self.directions @ y))
        return loss, gradient if self.directions is None else self.directions.T @ gradient

    def climb(self, start: Vector, unit: Vector, scale: float, iterations: int, tolerance: float) -> Any:  # noqa: ANN401
        """Run L-BFGS-B from y = ``start`` and return scipy's result, whose x is in units and fun scaled."""

        def falling(u: Vector) -> tuple[float, Vector]:
            loss, gradient = self.at(unit * u)
            slope: Vector = -unit * gradient / scale
            return (self.loss - loss) / scale, slope

        bound = self.widths / unit
        return minimize(
            falling,
            start / unit,
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(-bound, bound),
            options={"maxiter": iterations, "maxfun": 50 * iterations, "ftol": tolerance, "gtol": 0.0},
        )


def _checked(x: Vector, eps: float, directions: Array | None, starts: Sequence[Vector] | Array) -> Vector:
    """Return the half-widths of the box, or raise ValueError for what has none."""
    if not eps > 0:
        raise ValueError(f"eps = {eps}: a box needs a width")
    if directions is not None and len(directions) != len(x):
        raise ValueError(f"directions of {len(directions)} parameters, but x has {len(x)}")
    widths = half_widths(x, eps, directions)
    if any(np.shape(start) != widths.shape for start in starts):
        raise ValueError(f"a start must have {len(widths)} numbers, one a dimension of the box")
    return widths


def published_sharpness(
    loss_and_gradient: LossAndGradient,
    x: Vector,
    eps: float,
    directions: Array | None = None,
    iterations: int = ITERATIONS,
) -> float:
    """Return phi_x,f(eps, A) in per cent after the published ten iterations, and nothing beside it.

    Arguments and errors are those of ``sharpness``, which takes some ten times as long for the converged value.
    """
    widths = _checked(x, eps, directions, ())
    box = _Box(loss_and_gradient, x, widths, directions)
    found = box.climb(np.zeros_like(widths), np.ones_like(widths), 1.0, iterations, 0.0)
    return 100 * max(0.0, -float(found.fun)) / (1 + box.loss)


def sharpness(
    loss_and_gradient: LossAndGradient,
    x: Vector,
    eps: float,
    directions: Array | None = None,
    *,
    iterations: int = ITERATIONS,
    starts: Sequence[Vector] | Array = (),
    most: int = 300,
    tolerance: float = 1e-6,
) -> Sharpness:
    """Return phi_x,f(eps, A), as published and converged; formula, box, A+ and choices are at the top of this file.

    ``loss_and_gradient`` maps x [parameter] to f and its gradient (``landscape.loss_and_gradient`` makes one of a
    network), ``directions`` is A [parameter, dimension] or None for the full space, ``starts`` are further starts of
    the converged value in box units, [start, dimension]. ``tolerance`` stops a run once an iteration gains less than
    this share, ``most`` caps it. Published are eps = 1e-3 and 5e-4. Raises ValueError if eps is not positive, if
    shapes do not match, or if f(x) is not a number above -1.
    """
    widths = _checked(x, eps, directions, starts)
    box = _Box(loss_and_gradient, x, widths, directions)
    here = np.zeros_like(widths)
    literal = box.climb(here, np.ones_like(widths), 1.0, iterations, 0.0)
    slopes = np.abs(box.slope * widths)
    scale = float(np.median(slopes[slopes > 0])) if slopes.any() else 1.0
    climbs = [
        box.climb(start, widths, scale, most, tolerance) for start in [here, literal.x, *(widths * u for u in starts)]
    ]
    rise = max(0.0, -float(literal.fun))  # x itself is in the box
    highest = max(rise, *(-float(found.fun) * scale for found in climbs))
    return Sharpness(
        loss=box.loss,
        phi=100 * rise / (1 + box.loss),
        converged=100 * highest / (1 + box.loss),
        iterations=max(int(found.nit) for found in climbs),
        settled=all(int(found.status) != 1 for found in climbs),  # 1: a cap was hit
    )
