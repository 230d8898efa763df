"""Laws of sharpness and curvature: each number against its definition, on nets small enough to do it by hand."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchstone.core.rng import numpy_stream
from torchstone.core.streams import stream
from torchstone.learn.curvature import Hessian, largest_eigenvalues, probes, traces
from torchstone.learn.landscape import (
    Array,
    LossAndGradient,
    Vector,
    interpolated_losses,
    loss_and_gradient,
    rescaled,
    true_parameters,
    with_parameters,
)
from torchstone.learn.losses import cross_entropy, squared_error
from torchstone.learn.sharpness import coordinates, half_widths, random_corners, random_directions, sharpness
from torchstone.nets.population import CLOSED, MLPPopulation, pad_features

WIDTHS = [(3, 5, 2), (4, 3), (5, 4, 6, 3), (3, 17, 1)]
ROWS = 30


@pytest.fixture(autouse=True)
def _global_generators_stay() -> Iterator[None]:
    """No test here may move a global generator."""
    before, numbers, plain = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numbers  # noqa: NPY002
    assert random.getstate() == plain


def nets(widths: Sequence[int], names: Sequence[int]) -> tuple[MLPPopulation, Tensor, Tensor]:
    """Return a population with biases away from zero and data [replicate, sample, ...], each from its own name."""
    population = MLPPopulation(len(names), widths)
    population.initialise([stream(0, "init", name) for name in names])
    with torch.no_grad():
        for place, name in enumerate(names):
            for depth, layer in enumerate(population.layers):
                assert isinstance(layer.bias, Tensor)
                drawn = torch.randn(widths[depth + 1], generator=stream(0, "bias", name, depth))
                layer.bias[place, 0, : widths[depth + 1]] = 0.3 * drawn
    x = torch.stack([torch.randn(ROWS, widths[0], generator=stream(0, "x", name)) for name in names])
    if widths[-1] == 1:
        return population, x, x.sum(dim=2).sin()
    labels = [torch.randint(widths[-1], (ROWS,), generator=stream(0, "y", name)) for name in names]
    return population, x, torch.stack(labels)


def plain_loss(widths: Sequence[int], x: Tensor, y: Tensor, vector: Tensor) -> Tensor:
    """Return the loss of one ordinary network of these parameters, written without anything of ours."""
    start, hidden = 0, x.double()
    for depth, (inputs, outputs) in enumerate(pairwise(widths)):
        weight = vector[start : start + inputs * outputs].view(inputs, outputs)
        start += inputs * outputs
        hidden = hidden @ weight + vector[start : start + outputs]
        start += outputs
        hidden = torch.relu(hidden) if depth < len(widths) - 2 else hidden
    assert start == len(vector)
    if y.is_floating_point():
        return nn.functional.mse_loss(hidden[:, 0], y.double())
    return nn.functional.cross_entropy(hidden, y)


def measure_of(widths: Sequence[int]) -> Any:
    return squared_error if widths[-1] == 1 else cross_entropy


def exact(widths: Sequence[int], population: MLPPopulation, place: int, x: Tensor, y: Tensor) -> Tensor:
    """Return the Hessian of one replicate, [parameter, parameter], entry by entry."""
    vector = torch.from_numpy(true_parameters(population, place))
    found = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
        lambda v: plain_loss(widths, x, y, v), vector
    )
    assert isinstance(found, Tensor)
    return found


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


# -- Keskar's sharpness ------------------------------------------------------------------------------------------------


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


# -- one replicate as a vector -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_loss_and_gradient_are_those_of_the_plain_network(widths: tuple[int, ...]) -> None:
    population, x, y = nets(widths, range(3))
    before = copy.deepcopy(population)
    for place in range(3):
        f = loss_and_gradient(population, place, x[place], y[place], measure_of(widths))
        vector = true_parameters(population, place)
        assert len(vector) == sum(a * b + b for a, b in pairwise(widths))
        for point in (vector, vector + 0.1 * numpy_stream(0, "move").normal(size=len(vector)), vector):
            leaf = torch.tensor(point, requires_grad=True)
            loss = plain_loss(widths, x[place], y[place], leaf)
            (gradient,) = torch.autograd.grad(loss, leaf)
            found, slope = f(point)
            assert found == pytest.approx(loss.item(), rel=1e-12)
            assert slope == pytest.approx(gradient.numpy(), rel=1e-9, abs=1e-13)
    assert unchanged(population, before)


def test_a_vector_comes_back_as_it_went_in_and_touches_no_padding() -> None:
    population, x, _ = nets((3, 5, 2), range(2))
    vector = np.asarray(numpy_stream(0, "v").normal(size=32))
    single = with_parameters(population, 1, vector)
    assert (true_parameters(single, 0) == vector).all()
    assert single(pad_features(x[:1]).double()).shape == (1, ROWS, 16)
    first, last = single.layers
    assert isinstance(first.weight, Tensor)
    assert isinstance(last.bias, Tensor)
    assert not first.weight[:, 3:].any()
    assert not first.weight[:, :, 5:].any()
    assert (last.bias[..., 2:] == CLOSED).all()
    with pytest.raises(ValueError, match=r"33,.*32 parameters"):
        with_parameters(population, 1, np.zeros(33))


# -- Hessians ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_the_largest_eigenvalue_is_that_of_the_exact_hessian_in_every_replicate(widths: tuple[int, ...]) -> None:
    population, x, y = nets(widths, range(3))
    before = copy.deepcopy(population)
    hessian = Hessian(population, x, y, measure_of(widths))
    found = largest_eigenvalues(hessian, [(name,) for name in range(3)], 0)
    assert found.converged.all()
    for place in range(3):
        matrix = exact(widths, population, place, x[place], y[place])
        assert matrix.shape == (hessian.parameters,) * 2
        value = torch.linalg.eigvalsh(matrix)[-1].item()
        assert found.values[place] == pytest.approx(value, rel=1e-6)
        assert abs(found.values[place] - value) <= found.residuals[place] + 1e-12
    assert unchanged(population, before)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_products_and_trace_are_those_of_the_exact_hessian(widths: tuple[int, ...]) -> None:
    population, x, y = nets(widths, range(3))
    hessian = Hessian(population, x, y, measure_of(widths))
    names = [("a", name) for name in range(3)]
    units = torch.eye(hessian.parameters, dtype=torch.float64)
    columns = torch.stack([hessian.product(unit.expand(3, -1)) for unit in units], dim=2)
    found = traces(hessian, names, 0, samples=20)
    generators = hessian.streams(0, "trace", names)
    drawn = torch.stack([probes(hessian, generators) for _ in range(20)], dim=1)
    assert (drawn.abs() == 1).all()
    assert 0 < (drawn > 0).double().mean() < 1
    for place in range(3):
        matrix = exact(widths, population, place, x[place], y[place])
        torch.testing.assert_close(columns[place], matrix, rtol=1e-9, atol=1e-13)
        assert columns[place].trace().item() == pytest.approx(matrix.trace().item(), rel=1e-6)
        each = torch.einsum("sp,pq,sq->s", drawn[place], matrix, drawn[place])
        assert found.values[place] == pytest.approx(each.mean().item(), rel=1e-6)
        assert found.errors[place] == pytest.approx(each.std().item() / 20**0.5, rel=1e-6)


def test_the_trace_lies_within_its_standard_error_as_often_as_it_should() -> None:
    population, x, y = nets((3, 5, 2), [0] * 60)  # one network, 60 names
    found = traces(Hessian(population, x, y), [(name,) for name in range(60)], 0, samples=200)
    value = exact((3, 5, 2), population, 0, x[0], y[0]).trace().item()
    away = np.abs(found.values - value) / found.errors
    assert 48 <= (away < 1.96).sum() <= 60
    assert away.max() < 5
    assert 0.1 < np.mean(away < 0.6745) < 0.9


def test_a_replicate_has_the_same_curvature_whoever_its_neighbours_are() -> None:
    values = {}
    for names in ([3], [3, 8], [8, 1, 3], [5, 3, 7, 1, 2, 4]):
        population, x, y = nets((5, 4, 6, 3), names)
        hessian = Hessian(population, x, y)
        labels = [(name,) for name in names]
        top, trace = largest_eigenvalues(hessian, labels, 0), traces(hessian, labels, 0, samples=5)
        place = names.index(3)
        values[len(names)] = (top.values[place], float(top.steps[place]), trace.values[place], trace.errors[place])
    for found in values.values():
        assert found == pytest.approx(values[1], rel=1e-9)


def test_what_lies_in_the_padding_cannot_be_moved() -> None:
    population, x, y = nets((3, 5, 2), range(2))
    hessian = Hessian(population, x, y)
    assert hessian.parameters == 3 * 5 + 5 + 5 * 2 + 2
    clean = hessian.product(torch.ones(2, 32, dtype=torch.float64))
    with torch.no_grad():  # a padded unit that was alive would show, were padding part of the vector
        for layer in population.layers[:-1]:
            assert isinstance(layer.bias, Tensor)
            layer.bias[..., 5:] = 1.0
    other = Hessian(population, x, y)
    assert other.parameters == 32
    torch.testing.assert_close(other.product(torch.ones(2, 32, dtype=torch.float64)), clean)


def test_a_cap_that_is_hit_is_reported() -> None:
    population, x, y = nets((5, 4, 6, 3), range(3))
    hessian, names = Hessian(population, x, y), [(0,), (1,), (2,)]
    short, full = largest_eigenvalues(hessian, names, 0, most=2), largest_eigenvalues(hessian, names, 0)
    assert not short.converged.any()
    assert (short.steps == 2).all()
    assert (short.values < full.values).all()
    assert (short.residuals > 1e-3 * short.values).all()
    assert (full.residuals <= 1e-6 * full.values).all()
    assert (full.steps < hessian.parameters).all()


def test_a_net_without_curvature_has_eigenvalue_and_trace_zero() -> None:
    population = MLPPopulation(2, (3, 4, 1))
    x, y = torch.zeros(2, 6, 3), torch.zeros(2, 6)
    hessian = Hessian(population, x, y, lambda outputs, _: (outputs[..., 0] * 0).sum(dim=1))
    found = largest_eigenvalues(hessian, [(0,), (1,)], 0)
    assert (found.values == 0).all()
    assert found.converged.all()
    assert (traces(hessian, [(0,), (1,)], 0, samples=3).values == 0).all()


def test_float32_comes_near() -> None:
    population, x, y = nets((5, 4, 6, 3), range(3))
    names = [(0,), (1,), (2,)]
    single = largest_eigenvalues(Hessian(population, x, y, dtype=torch.float32), names, 0, tolerance=1e-4)
    double = largest_eigenvalues(Hessian(population, x, y), names, 0)
    assert single.converged.all()
    assert single.values == pytest.approx(double.values, rel=1e-4)


def test_what_has_no_curvature_is_refused() -> None:
    population, x, y = nets((3, 5, 2), range(2))
    hessian = Hessian(population, x, y)
    with pytest.raises(ValueError, match="1 names for 2"):
        largest_eigenvalues(hessian, [(0,)], 0)
    with pytest.raises(ValueError, match="a step"):
        largest_eigenvalues(hessian, [(0,), (1,)], 0, most=0)
    with pytest.raises(ValueError, match="no standard error"):
        traces(hessian, [(0,), (1,)], 0, samples=1)
    x[1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"replicate \[1\] is not finite"):
        Hessian(population, x, y)


# -- Dinh's rescaling and the line between two minima ------------------------------------------------------------------


def unchanged(one: MLPPopulation, two: MLPPopulation) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("alpha", [1e-2, 0.3, 7.0, 100.0])
@pytest.mark.parametrize("widths", [(3, 5, 2), (5, 4, 6, 3)], ids=str)
def test_rescaling_keeps_the_function_and_moves_its_sharpness(widths: tuple[int, ...], alpha: float) -> None:
    population, x, y = nets(widths, range(3))
    before = copy.deepcopy(population)
    twin = rescaled(population, alpha)
    assert unchanged(population, before)
    inputs, names = pad_features(x), [(0,), (1,), (2,)]
    torch.testing.assert_close(twin.predict(inputs), population.predict(inputs), rtol=1e-6, atol=1e-6)
    assert twin.predict(inputs).abs().max() > 0.5
    tops = [largest_eigenvalues(Hessian(each, x, y), names, 0).values for each in (population, twin)]
    assert (np.abs(np.log(tops[1] / tops[0])) > 0.1).all()
    if alpha in (1e-2, 100.0):
        assert (tops[1] > 10 * tops[0]).all()
    phis = [
        sharpness(loss_and_gradient(each, 0, x[0], y[0]), true_parameters(each, 0), 1e-3).converged
        for each in (population, twin)
    ]
    assert abs(np.log(phis[1] / phis[0])) > 0.05


def test_rescaling_transforms_the_hessian_as_stated() -> None:
    population, x, y = nets((3, 5, 2), range(2))
    factors = torch.cat([torch.full((20,), 4.0), torch.full((10,), 0.25), torch.ones(2)]).double()
    plain = exact((3, 5, 2), population, 1, x[1], y[1])
    moved = exact((3, 5, 2), rescaled(population, 4.0), 1, x[1], y[1])
    torch.testing.assert_close(moved, plain / factors[:, None] / factors[None])


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_a_factor_that_relu_does_not_pass_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        rescaled(MLPPopulation(1, (3, 4, 2)), alpha)
    with pytest.raises(ValueError, match="one layer"):
        rescaled(MLPPopulation(1, (3, 2)), 2.0)


@pytest.mark.parametrize("widths", [(3, 5, 2), (3, 17, 1)], ids=str)
def test_a_line_has_the_two_networks_at_its_ends_and_the_mixture_between(widths: tuple[int, ...]) -> None:
    first, x, y = nets(widths, range(3))
    second, _, _ = nets(widths, [7, 8, 9])
    before = copy.deepcopy(first), copy.deepcopy(second)
    alphas, measure = [-1.0, 0.0, 0.25, 1.0, 2.0], measure_of(widths)
    line = interpolated_losses(first, second, alphas, x, y, measure)
    assert unchanged(first, before[0])
    assert unchanged(second, before[1])
    assert line.alphas.tolist() == alphas
    assert line.losses.shape == (3, 5)
    for column, population in ((1, first), (3, second)):
        own = measure(population(pad_features(x)), y).detach().double().numpy()
        assert (line.losses[:, column] == own).all()
    for place, column in product(range(3), range(5)):
        mixed = (1 - alphas[column]) * true_parameters(first, place) + alphas[column] * true_parameters(second, place)
        expected = plain_loss(widths, x[place], y[place], torch.from_numpy(mixed)).item()
        assert line.losses[place, column] == pytest.approx(expected, rel=1e-5)
    if widths[-1] == 1:
        assert line.accuracies is None
    else:
        assert line.accuracies is not None
        right = (second.predict(pad_features(x)).argmax(dim=2) == y).double().mean(dim=1)
        assert line.accuracies[:, 3].tolist() == right.tolist()


def test_there_is_no_line_between_unlike_populations() -> None:
    first, x, y = nets((3, 5, 2), range(2))
    for other in (MLPPopulation(3, (3, 5, 2)), MLPPopulation(2, (3, 6, 2))):
        with pytest.raises(ValueError, match="no line"):
            interpolated_losses(first, other, [0.0], x, y)
    with pytest.raises(ValueError, match="no alpha"):
        interpolated_losses(first, first, [], x, y)
