"""Laws of batch-normalised populations: parity with torch's own layers, exact gradients, no memory of past batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchstone.core.streams import stream
from torchstone.learn.curvature import Hessian, largest_eigenvalues, traces
from torchstone.learn.landscape import interpolated_losses, loss_and_gradient, rescaled, true_parameters
from torchstone.learn.losses import cross_entropy
from torchstone.nets.backprop import write_normalised_gradient
from torchstone.nets.normalised import EPS, NormalisedPopulation, standardise
from torchstone.nets.population import CLOSED, pad_features

WIDTHS = (5, 7, 18, 4)


def nets(
    names: Sequence[int], widths: Sequence[int] = WIDTHS, rows: int = 30, ghost: int = 0
) -> tuple[NormalisedPopulation, Tensor, Tensor]:
    """Return a population with gains and shifts away from 1 and 0, and data, each replicate's from its own name."""
    population = NormalisedPopulation(len(names), widths, ghost)
    population.initialise([stream(0, "init", name) for name in names])
    with torch.no_grad():
        for place, name in enumerate(names):
            for depth, width in enumerate(widths[1:-1]):
                draw = torch.randn(2, width, generator=stream(0, "affine", name, depth))
                population.gains[depth][place, 0, :width] += 0.3 * draw[0]
                population.layers[depth].bias[place, 0, :width] = 0.3 * draw[1]  # type: ignore[operator]
    x = torch.stack([torch.randn(rows, widths[0], generator=stream(0, "x", name)) for name in names])
    y = torch.stack([torch.randint(widths[-1], (rows,), generator=stream(0, "y", name)) for name in names])
    return population, x, y


def plain(population: NormalisedPopulation, place: int, running: bool = False) -> nn.Sequential:
    """Return one replicate as torch.nn writes it, in float64."""
    parts: list[nn.Module] = []
    for depth, (inputs, outputs) in enumerate(pairwise(population.widths)):
        hidden = depth < len(population.widths) - 2
        layer = population.layers[depth]
        linear = nn.Linear(inputs, outputs, bias=not hidden)
        linear.weight.data = layer.weight[place, :inputs, :outputs].T.detach().clone()  # type: ignore[index]
        parts.append(linear)
        if hidden:
            norm = nn.BatchNorm1d(outputs, eps=EPS, track_running_stats=running)
            norm.weight.data = population.gains[depth][place, 0, :outputs].detach().clone()
            norm.bias.data = layer.bias[place, 0, :outputs].detach().clone()  # type: ignore[index]
            parts += [norm, nn.ReLU()]
        else:
            linear.bias.data = layer.bias[place, 0, :outputs].detach().clone()  # type: ignore[index]
    return nn.Sequential(*parts).double()


def gradients(population: NormalisedPopulation) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in population.parameters() if parameter.grad is not None]


def with_gradients(population: NormalisedPopulation) -> NormalisedPopulation:
    for parameter in population.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)  # what is not written would show
    return population


def test_outputs_are_those_of_torchs_batch_norm_in_training() -> None:
    population, x, _ = nets(range(3))
    population = population.double()
    for place in range(3):
        found = population(pad_features(x).double())[place, :, : WIDTHS[-1]]
        assert torch.allclose(found, plain(population, place).train()(x[place].double()), rtol=1e-10, atol=1e-12)


def test_predictions_are_normalised_by_the_training_rows_and_by_nothing_else() -> None:
    population, x, _ = nets(range(2))
    population = population.double()
    inputs = pad_features(x).double()
    outputs, statistics = population.settle(inputs)
    assert torch.allclose(outputs, population(inputs), rtol=1e-10, atol=1e-12)
    other = pad_features(torch.randn(2, 9, WIDTHS[0], generator=stream(0, "other"))).double()
    found = population.predict_by(statistics, other)
    for rows in (slice(0, 1), slice(3, 8)):  # a row's answer does not depend on the rows beside it
        assert torch.allclose(population.predict_by(statistics, other[:, rows]), found[:, rows], rtol=1e-10, atol=1e-12)
    for place in range(2):
        twin = plain(population, place, running=True)
        norms = [part for part in twin if isinstance(part, nn.BatchNorm1d)]
        for norm, (mean, deviation) in zip(norms, statistics, strict=True):
            norm.running_mean = mean[place, : norm.num_features, 0]
            norm.running_var = deviation[place, : norm.num_features, 0] ** 2 - EPS
        assert torch.allclose(found[place, :, : WIDTHS[-1]], twin.eval()(other[place, :, : WIDTHS[0]]), atol=1e-9)


@pytest.mark.parametrize(("rows", "ghost"), [(30, 0), (30, 10), (30, 8), (31, 10), (6, 8), (1, 0), (2, 0), (9, 4)])
def test_the_written_out_gradient_is_autograds(rows: int, ghost: int) -> None:
    population, x, y = nets(range(3), rows=rows, ghost=ghost)
    inputs = pad_features(x)
    expected = torch.autograd.grad(cross_entropy(population(inputs), y).sum(), list(population.parameters()))
    write_normalised_gradient(with_gradients(population), inputs, y)
    for found, right in zip(gradients(population), expected, strict=True):
        assert torch.allclose(found, right, rtol=2e-4, atol=2e-6)


def test_ghost_batches_are_normalised_each_by_itself() -> None:
    z = torch.randn(2, 3, 23, generator=stream(0, "z"))
    whole = standardise(z, 10)
    for rows in (slice(0, 10), slice(10, 20), slice(20, 23)):
        assert torch.allclose(whole[..., rows], standardise(z[..., rows]), atol=1e-6)
    assert torch.equal(standardise(z, 23), standardise(z))
    assert torch.equal(standardise(z, 99), standardise(z))


def test_a_row_that_is_alone_becomes_zero_and_trains_without_harm() -> None:
    assert torch.equal(standardise(torch.randn(2, 3, 1, generator=stream(0, "z"))), torch.zeros(2, 3, 1))
    population, x, y = nets(range(2), rows=1)
    write_normalised_gradient(with_gradients(population), pad_features(x), y)
    assert all(torch.isfinite(gradient).all() for gradient in gradients(population))


def test_padding_stays_exactly_zero_in_training() -> None:
    population, x, y = nets(range(3), ghost=8)
    population = with_gradients(population)
    optimiser = torch.optim.SGD(population.parameters(), lr=0.3, momentum=0.9)
    for _ in range(20):
        write_normalised_gradient(population, pad_features(x), y)
        optimiser.step()
    for layer, gain, width in zip(population.layers, population.gains, WIDTHS[1:], strict=False):
        assert (gain[..., width:] == 0).all()
        assert (layer.bias[..., width:] == 0).all()  # type: ignore[index]
    for layer in population.layers:
        assert (layer.weight[:, layer.inputs :] == 0).all()  # type: ignore[index]
        assert (layer.weight[:, :, layer.outputs :] == 0).all()  # type: ignore[index]
    assert (population.layers[-1].bias[..., WIDTHS[-1] :] == CLOSED).all()  # type: ignore[index]


@pytest.mark.parametrize(("rows", "ghost"), [(8, 0), (33, 0), (64, 16), (100, 32)])
def test_a_replicate_has_the_same_bits_whatever_its_neighbours(rows: int, ghost: int) -> None:
    widths = (40, 64, 64, 10)
    everyone, x, y = nets(range(7), widths, rows, ghost)
    write_normalised_gradient(with_gradients(everyone), pad_features(x), y)
    for chosen in ([3], [5, 3], [0, 1, 2, 3, 4]):
        few, own_x, own_y = nets(chosen, widths, rows, ghost)
        write_normalised_gradient(with_gradients(few), pad_features(own_x), own_y)
        for mine, theirs in zip(gradients(few), gradients(everyone), strict=True):
            assert torch.equal(mine[chosen.index(3)], theirs[3])


def test_a_network_is_a_vector_of_its_own_parameters_and_back() -> None:
    population, x, _ = nets(range(3))
    vectors = population.vectors()
    assert vectors.shape == (3, 5 * 7 + 7 * 18 + 18 * 4 + 2 * (7 + 18) + 4)
    twin = NormalisedPopulation(3, WIDTHS)
    twin.load_vectors(vectors)
    assert torch.equal(twin(pad_features(x)), population(pad_features(x)))
    alone = population.only([2])
    assert torch.equal(alone.vectors()[0], vectors[2])
    with pytest.raises(ValueError, match="3 networks of"):
        twin.load_vectors(vectors[:, 1:])


def test_gradients_and_hessians_go_through_the_normalisation() -> None:
    widths = (3, 4, 3)
    population, x, y = nets(range(2), widths, rows=12)
    hessian = Hessian(population, x, y)
    names = [("a", place) for place in range(2)]
    top = largest_eigenvalues(hessian, names, 0, tolerance=1e-9)
    trace = traces(hessian, names, 0, samples=2000)
    for place in range(2):
        f = loss_and_gradient(population, place, x[place], y[place])
        vector = true_parameters(population, place)
        step = 1e-5
        columns = [(f(vector + step * e)[1] - f(vector - step * e)[1]) / (2 * step) for e in np.eye(len(vector))]
        exact = np.stack(columns)
        slope = [(f(vector + step * e)[0] - f(vector - step * e)[0]) / (2 * step) for e in np.eye(len(vector))]
        assert f(vector)[1] == pytest.approx(np.asarray(slope), abs=1e-8)
        assert top.values[place] == pytest.approx(np.linalg.eigvalsh((exact + exact.T) / 2)[-1], rel=1e-5)
        assert trace.values[place] == pytest.approx(np.trace(exact), abs=5 * trace.errors[place] + 1e-6)


@pytest.mark.parametrize("alpha", [0.01, 8.0, 100.0])
def test_rescaling_the_last_hidden_layer_leaves_the_function_and_moves_the_curvature(alpha: float) -> None:
    population, x, y = nets(range(2))
    population = population.double()
    twin = rescaled(population, alpha)
    inputs = pad_features(x).double()
    assert torch.allclose(twin(inputs), population(inputs), rtol=1e-12, atol=1e-12)
    names = [("a", place) for place in range(2)]
    before, after = (largest_eigenvalues(Hessian(each, x, y), names, 0).values for each in (population, twin))
    assert (after > 10 * before).all()


def test_the_line_between_two_networks_ends_at_both_and_has_no_buffers_to_interpolate() -> None:
    first, x, y = nets(range(2))
    second, _, _ = nets([7, 8])
    assert not list(first.buffers())
    line = interpolated_losses(first, second, [0.0, 0.5, 1.0], x, y)
    inputs = pad_features(x)
    for column, network in ((0, first), (2, second)):
        assert line.losses[:, column] == pytest.approx(cross_entropy(network(inputs), y).detach().numpy(), rel=1e-6)
    middle = copy.deepcopy(first)
    middle.load_vectors((first.vectors() + second.vectors()) / 2)
    assert line.losses[:, 1] == pytest.approx(cross_entropy(middle(inputs), y).detach().numpy(), rel=1e-5)
    other = torch.randn(2, 11, WIDTHS[0], generator=stream(0, "other"))
    labels = torch.randint(4, (2, 11), generator=stream(0, "labels"))
    tested = interpolated_losses(
        first, second, [0.0], other, labels,
        outputs=lambda net: net.predict_by(net.settle(inputs)[1], pad_features(other)),  # type: ignore[operator]
    )  # fmt: skip
    right = first.predict_by(first.settle(inputs)[1], pad_features(other))
    assert tested.losses[:, 0] == pytest.approx(cross_entropy(right, labels).numpy(), rel=1e-6)
