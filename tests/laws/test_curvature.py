"""Laws of curvature: eigenvalues, products and traces against the exact Hessian of small nets."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.laws.plain import WIDTHS, exact, measure_of, nets, unchanged
from torchstone.core.streams import stream
from torchstone.learn.curvature import Hessian, largest_eigenvalues, probes, traces
from torchstone.learn.losses import cross_entropy
from torchstone.nets.population import MLPPopulation


@pytest.fixture(autouse=True)
def _global_generators_stay() -> Iterator[None]:
    """No test here may move a global generator."""
    before, numbers, plain = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    yield
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(np.random.get_state()) == numbers  # noqa: NPY002
    assert random.getstate() == plain


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


@pytest.mark.parametrize("widths", [(3, 5, 2), (4, 3), (5, 4, 6, 3), (17, 20, 18, 5)], ids=str)
def test_the_written_out_product_is_autograds(widths: tuple[int, ...]) -> None:
    population, x, y = nets(widths, range(3))
    written = Hessian(population, x, y)
    graph = Hessian(population, x, y, measure=lambda outputs, labels: cross_entropy(outputs, labels))
    for name in range(4):
        v = torch.randn(3, written.parameters, dtype=torch.float64, generator=stream(0, "v", name))
        assert torch.allclose(written.product(v), graph.product(v), rtol=1e-10, atol=1e-14)
    assert unchanged(population, nets(widths, range(3))[0])
