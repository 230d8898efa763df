"""Laws of a population: each replicate is an ordinary network, to the bit the same whoever trains beside it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from torchstone.core.streams import stream
from torchstone.learn.batches import Batch, Batches
from torchstone.learn.fit import Player, fit
from torchstone.learn.losses import cross_entropy, squared_error
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.population import CLOSED, LinearPopulation, MLPPopulation, chunks, pad_features, padded

Rule = Literal["sgd", "adam"]
WIDTHS = [(21, 64, 3), (10, 32, 1), (5, 7, 33, 2), (40, 100, 100, 10), (16, 16, 16), (3, 2)]
STEPS = 12
ROWS = 70  # batches of 16, and a last one of 6


def data(inputs: int, outputs: int, names: Sequence[int], rows: int = ROWS) -> tuple[Tensor, Tensor]:
    """Draw [replicate, row, feature] and targets, each replicate from its own name."""
    x = torch.stack([torch.randn(rows, inputs, generator=stream(0, "x", name)) for name in names])
    if outputs == 1:
        return x, x.sum(dim=2).sin()
    return x, torch.stack([torch.randint(outputs, (rows,), generator=stream(0, "y", name)) for name in names])


def trained(
    widths: Sequence[int], names: Sequence[int], rule: Rule, written_out: bool, steps: int = STEPS, size: int = 16
) -> MLPPopulation:
    """Train the replicates of these names together."""
    population = MLPPopulation(len(names), widths)
    population.initialise([stream(0, "init", name) for name in names])
    x, y = data(widths[0], widths[-1], names)
    rows = torch.stack([torch.randint(ROWS, (ROWS,), generator=stream(0, "rows", name)) for name in names])
    orders = [("net", name) for name in names]
    batches = Batches(x, y, torch.arange(len(names)), rows, size, 0, orders)
    optimiser = FlatOptimiser(population, rule, 0.01 if rule == "adam" else 0.1, momentum=0.9 * (rule == "sgd"))
    measure = squared_error if widths[-1] == 1 else cross_entropy
    player = Player(
        optimiser,
        loss=lambda batch: measure(population(batch.x), batch.y),
        gradient=(lambda batch: write_gradient(population, batch.x, batch.y)) if written_out else None,
    )
    fit([player], batches, steps)
    return population


def bits(population: MLPPopulation, place: int) -> list[Tensor]:
    return [parameter[place] for parameter in population.parameters()]


def same(one: list[Tensor], two: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("written_out", [True, False], ids=["written", "autograd"])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_a_replicate_has_the_same_bits_alone_among_any_number_and_in_any_order(
    widths: tuple[int, ...], rule: Rule, written_out: bool
) -> None:
    alone = bits(trained(widths, [3], rule, written_out), 0)
    assert all(torch.isfinite(part).all() for part in alone)
    for names in ([3, 8], [8, 3], list(range(7)), list(range(25)), list(range(25))[::-1]):
        among = trained(widths, names, rule, written_out)
        assert same(bits(among, names.index(3)), alone), names


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_one_thread_and_two_give_the_same_bits(widths: tuple[int, ...]) -> None:
    # One net alone with a last batch of 5 to 7 rows is the exception on AVX2: MKL then splits the rows over threads.
    # The stages are not concerned, they compute with one thread.
    found = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found[threads] = [
            trained(widths, range(count), "adam", written_out=True, size=size)
            for count, size in ((1, 14), (1, 0), (7, 16), (25, 16))
        ]
    for one, two in zip(found[1], found[2], strict=True):
        assert same(list(one.parameters()), list(two.parameters()))


class Plain(nn.Module):
    """What anybody would write for one network."""

    def __init__(self, population: MLPPopulation, place: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        layers: list[LinearPopulation] = list(population.layers)  # type: ignore[arg-type]
        for layer, (inputs, outputs) in zip(layers, pairwise(population.widths), strict=True):
            linear = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
            linear.weight.data = layer.weight[place, :inputs, :outputs].detach().T.clone()
            linear.bias.data = layer.bias[place, 0, :outputs].detach().clone()
            parts += [linear, nn.ReLU()]
        self.net = nn.Sequential(*parts[:-1])

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found


@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_a_population_is_a_loop_over_ordinary_networks(widths: tuple[int, ...], rule: Rule) -> None:
    names = [0, 1, 2]
    start = trained(widths, names, rule, written_out=True, steps=0)
    stacked = trained(widths, names, rule, written_out=True)
    x, y = data(widths[0], widths[-1], names)
    for place, name in enumerate(names):
        plain = Plain(start, place)
        optimiser: torch.optim.Optimizer = (
            torch.optim.Adam(plain.parameters(), lr=0.01)
            if rule == "adam"
            else torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
        )
        rows = torch.randint(ROWS, (ROWS,), generator=stream(0, "rows", name))
        for step in range(STEPS):
            epoch, position = divmod(step, 5)
            order = torch.randperm(ROWS, generator=stream(0, "order", "net", name, epoch))
            batch = rows[order[position * 16 : (position + 1) * 16]]
            outputs = plain(x[place, batch])
            if widths[-1] == 1:
                loss = nn.functional.mse_loss(outputs[:, 0], y[place, batch])
            else:
                loss = nn.functional.cross_entropy(outputs, y[place, batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        expected = plain(x[place])
        found = stacked.predict(pad_features(x))[place]
        assert (expected - Plain(start, place)(x[place])).abs().max() > 0.05  # it has learnt something
        torch.testing.assert_close(found, expected.detach(), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("written_out", [True, False], ids=["written", "autograd"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_padded_units_stay_exactly_zero_and_padded_outputs_closed(
    widths: tuple[int, ...], rule: Rule, written_out: bool
) -> None:
    population = trained(widths, [0, 1], rule, written_out)
    layers: list[LinearPopulation] = list(population.layers)  # type: ignore[arg-type]
    for depth, (layer, (inputs, outputs)) in enumerate(zip(layers, pairwise(widths), strict=True)):
        assert layer.weight.shape == (2, padded(inputs), padded(outputs))
        assert not layer.weight[:, inputs:].any()
        assert not layer.weight[:, :, outputs:].any()
        closed = CLOSED if depth == len(layers) - 1 else 0.0
        assert (layer.bias[..., outputs:] == closed).all()
        assert layer.weight[:, :inputs, :outputs].all()
    x, _ = data(widths[0], widths[-1], [0, 1])
    assert population.predict(pad_features(x)).shape == (2, ROWS, widths[-1])
    shares = population(pad_features(x)).softmax(dim=-1)
    assert not shares[..., widths[-1] :].any()


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("widths", [(9, 3), (21, 64, 3), (10, 20, 30, 5), (6, 1), (10, 32, 1), (4, 18, 7, 1)], ids=str)
def test_the_gradient_written_out_is_that_of_autograd(widths: tuple[int, ...], weighted: bool) -> None:
    population = MLPPopulation(3, widths)
    population.initialise([stream(0, "init", name) for name in range(3)], "kaiming_normal")
    x, y = data(widths[0], widths[-1], range(3), rows=20)
    weights = torch.rand(3, 20, generator=stream(0, "weights")) if weighted else None
    if weights is not None:
        weights[:, ::4] = 0.0
        weights[2] = 0.0  # a replicate none of whose rows counts
    x = pad_features(x)
    measure = squared_error if widths[-1] == 1 else cross_entropy
    expected = torch.autograd.grad(measure(population(x), y, weights).sum(), list(population.parameters()))
    for parameter in population.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)  # it is written, not added to
    write_gradient(population, x, y, weights)
    for parameter, gradient in zip(population.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-7)
        assert gradient[0].any()
        assert bool(parameter.grad[2].any()) != weighted


def test_a_loss_is_a_mean_for_each_replicate_on_its_own() -> None:
    logits, labels = torch.randn(3, 8, 16, generator=stream(0, "l")), torch.arange(8).repeat(3, 1) % 4
    each = cross_entropy(logits, labels)
    for place in range(3):
        torch.testing.assert_close(each[place], nn.functional.cross_entropy(logits[place], labels[place]))
    numbers = torch.randn(3, 8, generator=stream(0, "n"))
    each = squared_error(logits, numbers)
    for place in range(3):
        torch.testing.assert_close(each[place], nn.functional.mse_loss(logits[place, :, 0], numbers[place]))


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [("glorot_uniform", 2 / 500), ("glorot_normal", 2 / 500), ("kaiming_normal", 2 / 300)],
)
def test_starts_have_the_published_variance(
    scheme: Literal["glorot_uniform", "kaiming_normal"], variance: float
) -> None:
    population = MLPPopulation(2, (300, 200))
    population.initialise([stream(0, "init", name) for name in range(2)], scheme)
    weight = population.layers[0].weight.detach()[0, :300, :200]  # type: ignore[operator]
    assert float(weight.var()) == pytest.approx(variance, rel=0.02)
    assert abs(float(weight.mean())) < 0.01 * variance**0.5
    assert (scheme == "glorot_uniform") == (float(weight.abs().max()) <= (6 / 500) ** 0.5)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 25, 37, 38, 51, 100, 1000])
def test_chunks_are_all_replicates_once_in_order_about_25_each(count: int, workers: int) -> None:
    parts = list(chunks(count, workers))
    assert [place for part in parts for place in part] == list(range(count))
    assert all(0 < len(part) <= 38 for part in parts)
    assert len(parts) >= min(count, workers)
    assert not parts or max(map(len, parts)) - min(map(len, parts)) <= 1


def test_padding_goes_to_the_next_lane() -> None:
    assert [padded(width) for width in (1, 15, 16, 17, 784)] == [16, 16, 16, 32, 784]
    x = torch.ones(2, 3, 5)
    assert pad_features(x).shape == (2, 3, 16)
    assert float(pad_features(x).sum()) == 30.0


def fingerprint(population: MLPPopulation) -> str:
    content = b"".join(parameter.detach().numpy().tobytes() for parameter in population.parameters())
    return hashlib.sha256(content).hexdigest()


CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from test_population import fingerprint, trained
print(fingerprint(trained((21, 64, 3), range(7), "adam", written_out=True)))
"""


def test_another_process_with_two_threads_gives_the_same_bits() -> None:
    here = Path(__file__).parent
    elsewhere = subprocess.run(
        [sys.executable, "-c", CODE, str(here)],
        env={**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(here.parents[1] / "src")},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout.strip()
    assert elsewhere == fingerprint(trained((21, 64, 3), range(7), "adam", written_out=True))


def test_a_batch_is_a_plain_record() -> None:
    batch = Batch(torch.zeros(1), torch.zeros(1), None)
    with pytest.raises(AttributeError):
        batch.x = torch.ones(1)  # type: ignore[misc]
