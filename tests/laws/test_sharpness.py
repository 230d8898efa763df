"""Laws of Keskar's sharpness: the box, A+ and phi against what can be worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from torchstone.core.rng import numpy_stream
from torchstone.learn.landscape import (
    Array,
    LossAndGradient,
    Vector,
)
from torchstone.learn.sharpness import coordinates, half_widths, random_corners, random_directions, sharpness


@pytest.fixture(autouse=True)
def _global_generators_stay() -> Iterator[None]:
    """No test here may move a global generator."""
    before, numbers, plain = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numbers  # noqa: NPY002
    assert random.getstate() == plain


def quadratic(matrix: Array, slope: Array, constant: float = 5.0) -> LossAndGradient:
    return lambda x: (float(0.5 * x @ matrix @ x + slope @ x + constant), matrix @ x + slope)


def convex(size: int, name: int, around: float) -> tuple[LossAndGradient, Vector]:
    """Return a random convex quadratic, and a point where its gradient is about ``around``."""
    draws = numpy_stream(0, "quadratic", name)
    root = draws.normal(size=(size, size))
    x: Vector = np.asarray(draws.normal(size=size))
    matrix = root @ root.T
    slope = around * draws.normal(size=size) - matrix @ x
    return quadratic(matrix, slope, 3 - float(0.5 * x @ matrix @ x + slope @ x)), x  # f(x) = 3


def highest_corner(f: LossAndGradient, x: Vector, eps: float, directions: Array | None = None) -> float:
    """Return phi of a convex f, whose maximum on a box is at a corner, by trying them all."""
    matrix = np.eye(len(x)) if directions is None else directions
    widths = eps * (np.abs(np.linalg.pinv(matrix) @ x) + 1)
    values = [f(x + matrix @ (widths * corner))[0] for corner in all_corners(len(widths))]
    return 100 * (max(values) - f(x)[0]) / (1 + f(x)[0])


def all_corners(size: int) -> list[Vector]:
    return [np.array(corner) for corner in product((-1.0, 1.0), repeat=size)]


def test_the_box_is_that_of_equation_3() -> None:
    x = np.array([0.0, -3.0, 0.5])
    assert half_widths(x, 0.1) == pytest.approx([0.1, 0.4, 0.15])
    directions = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])  # A+ x = (mean of the first two, third / 2)
    assert coordinates(x, directions) == pytest.approx([-1.5, 0.25])
    assert half_widths(x, 0.1, directions) == pytest.approx([0.25, 0.125])
    assert coordinates(x, np.ones((3, 2))) == pytest.approx([-2.5 / 6] * 2)  # dependent columns: the shortest solution


def test_the_coordinates_are_those_of_the_pseudo_inverse() -> None:
    directions = random_directions(40, 0, "a", dimensions=7)
    x = np.asarray(numpy_stream(0, "x").normal(size=40))
    assert coordinates(x, directions) == pytest.approx(np.linalg.pinv(directions) @ x)
    assert coordinates(directions @ np.arange(7.0), directions) == pytest.approx(np.arange(7.0))


def test_directions_are_standard_normal_and_named() -> None:
    drawn = random_directions(5000, 0, "a", 1)
    assert drawn.shape == (5000, 100)
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert (drawn == random_directions(5000, 0, "a", 1)).all()
    assert not (drawn == random_directions(5000, 0, "a", 2)).any()
    corners = random_corners(50, 200, 0, "a")
    assert set(np.unique(corners)) == {-1.0, 1.0}
    assert abs(corners.mean()) < 0.05


@pytest.mark.parametrize("eps", [1e-3, 5e-4, 0.5])
@pytest.mark.parametrize("name", range(4))
def test_phi_is_the_highest_corner_of_a_convex_quadratic(name: int, eps: float) -> None:
    f, x = convex(6, name, around=1.0)
    best = highest_corner(f, x, eps)
    found = sharpness(f, x, eps, starts=all_corners(6))
    assert found.converged == pytest.approx(best, rel=1e-6)
    assert found.loss == f(x)[0]
    assert found.settled
    alone = sharpness(f, x, eps)
    assert 0 < alone.phi <= alone.converged <= best * (1 + 1e-9)
    if eps < 0.01:  # the gradient decides: one basin, which both find
        assert alone.converged == pytest.approx(best, rel=1e-6)
        assert alone.phi == pytest.approx(best, rel=1e-2)


@pytest.mark.parametrize("name", range(4))
def test_phi_in_a_subspace_is_the_highest_corner_of_its_box(name: int) -> None:
    f, x = convex(9, name, around=0.3)
    directions = random_directions(9, 0, "a", name, dimensions=4)
    best = highest_corner(f, x, 0.1, directions)
    assert sharpness(f, x, 0.1, directions, starts=all_corners(4)).converged == pytest.approx(best, rel=1e-6)


def test_a_subspace_of_coordinates_is_never_sharper_than_the_full_space() -> None:
    f, x = convex(6, 0, around=0.5)  # columns of the identity: its box is a face of the full one, so it is a theorem
    full = sharpness(f, x, 0.2, starts=all_corners(6)).converged
    for columns in ([0], [1, 4], [0, 2, 3, 5]):
        part = sharpness(f, x, 0.2, np.eye(6)[:, columns], starts=all_corners(len(columns)))
        assert 0 < part.converged <= full
    assert sharpness(f, x, 0.2, np.eye(6), starts=all_corners(6)).converged == pytest.approx(full)


def test_a_flat_function_has_no_sharpness_and_a_linear_one_that_of_its_slope() -> None:
    x = np.array([1.0, -2.0, 0.0])
    flat = sharpness(quadratic(np.zeros((3, 3)), np.zeros(3)), x, 1e-3, starts=random_corners(3, 3, 0))
    assert (flat.phi, flat.converged, flat.settled) == (0.0, 0.0, True)
    slope = np.array([2.0, -1.0, 3.0])
    found = sharpness(quadratic(np.zeros((3, 3)), slope), x, 1e-3)
    expected = 100 * 1e-3 * (2 * 2 + 1 * 3 + 3 * 1) / (1 + 5 + slope @ x)
    assert found.phi == pytest.approx(expected)
    assert found.converged == pytest.approx(expected)


def test_the_share_is_of_one_plus_the_loss() -> None:
    f, x = convex(4, 1, around=1.0)
    higher = sharpness(lambda v: (f(v)[0] + 7, f(v)[1]), x, 0.1)
    once = sharpness(f, x, 0.1)
    assert higher.converged * (1 + higher.loss) == pytest.approx(once.converged * (1 + once.loss))


def test_an_exact_minimum_is_left_only_by_a_further_start() -> None:
    f, x = convex(5, 2, around=0.0)
    assert sharpness(f, x, 0.1).converged == pytest.approx(0.0, abs=1e-9)
    assert sharpness(f, x, 0.1, starts=all_corners(5)).converged == pytest.approx(highest_corner(f, x, 0.1), rel=1e-6)


def test_ten_iterations_fall_short_where_the_gradient_is_small_and_the_converged_value_does_not() -> None:
    size = 400
    curvatures, slope, x = np.geomspace(1e-4, 1e-2, size), np.geomspace(1e-9, 1e-5, size), np.zeros(size)
    f = quadratic(np.diag(curvatures), slope)
    found = sharpness(f, x, 1e-2)
    best = 100 * float((0.5 * curvatures * 1e-4 + slope * 1e-2).sum()) / 6
    assert found.converged == pytest.approx(best, rel=1e-4)
    assert 0 < found.phi < 0.5 * best
    assert sharpness(f, x, 1e-2, iterations=1).phi < found.phi
    assert not sharpness(f, x, 1e-2, most=1).settled


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"eps": 0.0}, "needs a width"),
        ({"directions": np.ones((4, 2))}, "directions of 4"),
        ({"starts": [np.ones(2)]}, "3 numbers"),
        ({"loss_and_gradient": lambda v: (float("nan"), v)}, "the loss at x is nan"),
        ({"loss_and_gradient": lambda v: (-1.0, v)}, "the loss at x is -1.0"),
    ],
)
def test_what_has_no_sharpness_is_refused(changed: dict[str, Any], message: str) -> None:
    f, x = convex(3, 0, around=1.0)
    with pytest.raises(ValueError, match=message):
        sharpness(**{"loss_and_gradient": f, "x": x, "eps": 0.1, **changed})
