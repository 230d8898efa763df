"""Laws of a network as a vector, of Dinh's rescaling and of the line between two minima."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.laws.plain import ROWS, WIDTHS, exact, measure_of, nets, plain_loss, unchanged
from torchstone.core.rng import numpy_stream
from torchstone.learn.curvature import Hessian, largest_eigenvalues
from torchstone.learn.landscape import (
    interpolated_losses,
    loss_and_gradient,
    rescaled,
    true_parameters,
    with_parameters,
)
from torchstone.learn.sharpness import sharpness
from torchstone.nets.population import CLOSED, MLPPopulation, pad_features


@pytest.fixture(autouse=True)
def _global_generators_stay() -> Iterator[None]:
    """No test here may move a global generator."""
    before, numbers, plain = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numbers  # noqa: NPY002
    assert random.getstate() == plain


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
    with pytest.raises(ValueError, match=r"33.*32 parameters"):
        with_parameters(population, 1, np.zeros(33))


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
