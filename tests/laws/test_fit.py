"""Laws of the one training loop: masks, rates, players, weights and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.resume import Resume
from torchstone.core.streams import stream
from torchstone.learn.batches import Batch, Batches
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.population import MLPPopulation, pad_features

Rule = Literal["sgd", "adam"]
RULES = pytest.mark.parametrize("rule", ["sgd", "adam"])
WIDTHS = (6, 20, 3)
ROWS = 50


def population(names: Sequence[int]) -> MLPPopulation:
    nets = MLPPopulation(len(names), WIDTHS)
    nets.initialise([stream(0, "init", name) for name in names])
    return nets


def batches(names: Sequence[int], size: int = 8, weights: Tensor | None = None, rows: Tensor | None = None) -> Batches:
    x = torch.randn(1, ROWS, WIDTHS[0], generator=stream(0, "x"))
    y = torch.randint(WIDTHS[-1], (1, ROWS), generator=stream(0, "y"))
    rows = torch.arange(ROWS).repeat(len(names), 1) if rows is None else rows
    sets = torch.zeros(len(names), dtype=torch.int64)
    return Batches(x, y, sets, rows, size, 0, [("net", name) for name in names], weights)


def learner(nets: MLPPopulation, optimiser: FlatOptimiser, written_out: bool = True) -> Player:
    return Player(
        optimiser,
        loss=lambda batch: cross_entropy(nets(batch.x), batch.y, batch.weights),
        gradient=(lambda batch: write_gradient(nets, batch.x, batch.y, batch.weights)) if written_out else None,
    )


def optimiser_of(nets: MLPPopulation, rule: Rule, rate: float | Tensor | None = None, **more: object) -> FlatOptimiser:
    momentum = 0.9 if rule == "sgd" else 0.0
    default = 0.05 if rule == "sgd" else 0.01
    return FlatOptimiser(nets, rule, default if rate is None else rate, momentum=momentum, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- masks


@RULES
@pytest.mark.parametrize("written_out", [True, False], ids=["written", "autograd"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_masked_entries_stay_exactly_0_and_all_others_move(rule: Rule, written_out: bool, weight_decay: float) -> None:
    nets = population([0, 1])
    masks = {
        name: (torch.rand(parameter.shape, generator=stream(0, "mask", name)) < 0.5).float()
        for name, parameter in nets.named_parameters()
        if name.endswith("weight")
    }
    start = {name: parameter.detach().clone() for name, parameter in nets.named_parameters()}
    optimiser = optimiser_of(nets, rule, masks=masks, weight_decay=weight_decay)
    fit([learner(nets, optimiser, written_out)], batches([0, 1]), 40)
    for name, parameter in nets.named_parameters():
        if name in masks:
            kept = masks[name].bool()
            assert not parameter[~kept].any()
            below = kept & (start[name] < 0)  # a test of the sign would freeze these
            assert below.sum() > 20
            assert (parameter != start[name])[below].float().mean() > 0.6  # units whose inputs are cut may be dead
            assert (parameter != start[name])[kept & (start[name] > 0)].float().mean() > 0.6
    state = optimiser.state()
    masked = torch.cat([masks.get(name, torch.ones_like(p)).flatten() for name, p in nets.named_parameters()]) == 0
    for name in set(state) - {"state-step"}:
        assert not state[name][masked.numpy()].any(), name


def test_a_masked_net_is_the_net_without_those_weights() -> None:
    nets, small = population([0]), population([0])
    mask = torch.ones(1, 16, 32)
    mask[:, :, 10:] = 0.0  # ten of twenty hidden units go
    out = torch.ones(1, 32, 16)
    out[:, 10:] = 0.0
    for _, parameter in small.named_parameters():
        parameter.data = parameter.data.clone()
    small.layers[0].weight.data[:, :, 10:] = 0.0  # type: ignore[operator]
    small.layers[1].weight.data[:, 10:] = 0.0  # type: ignore[operator]
    one = optimiser_of(nets, "adam", masks={"layers.0.weight": mask, "layers.1.weight": out})
    two = optimiser_of(small, "adam")
    fit([learner(nets, one)], batches([0]), 20)
    fit([learner(small, two)], batches([0]), 20)
    x = pad_features(torch.randn(1, 9, 6, generator=stream(0, "test")))
    assert torch.equal(nets.predict(x), small.predict(x))


def test_a_parameter_of_another_number_of_replicates_is_refused() -> None:
    nets = population([0, 1])
    nets.layers[0].bias = torch.nn.Parameter(torch.zeros(3, 1, 32))
    with pytest.raises(ValueError, match=r"layers\.0\.bias has 3 replicates, the first parameter 2"):
        FlatOptimiser(nets, "adam", 0.1)


# ---------------------------------------------------------------- learning rates


@RULES
def test_a_rate_for_each_replicate_is_a_run_for_each_rate(rule: Rule) -> None:
    rates = [0.05, 0.0, 0.002]
    together = population([0, 1, 2])
    start = [parameter.detach().clone() for parameter in together.parameters()]
    fit([learner(together, optimiser_of(together, rule, torch.tensor(rates)))], batches([0, 1, 2]), 25)
    for place, rate in enumerate(rates):
        alone = population([place])
        fit([learner(alone, optimiser_of(alone, rule, rate))], batches([place]), 25)
        for many, one, before in zip(together.parameters(), alone.parameters(), start, strict=True):
            torch.testing.assert_close(many[place], one[0], rtol=1e-4, atol=1e-6)
            assert (rate == 0.0) == torch.equal(many[place], before[place])


@RULES
def test_a_rate_moves_no_bit_of_a_neighbour(rule: Rule) -> None:
    found = []
    for rates in ([0.01, 0.002], [0.01, 3.0], [0.01, 0.0]):
        nets = population([0, 1])
        fit([learner(nets, optimiser_of(nets, rule, torch.tensor(rates)))], batches([0, 1]), 15)
        found.append([parameter[0].detach().clone() for parameter in nets.parameters()])
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


# ---------------------------------------------------------------- two players


def test_no_gradient_of_one_player_reaches_the_other() -> None:
    nets = {"one": population([0]), "two": population([1])}
    optimisers = {name: optimiser_of(net, "sgd") for name, net in nets.items()}

    def both(batch: Batch) -> Tensor:  # depends on the weights of both
        return cross_entropy(nets["one"](batch.x) + nets["two"](batch.x), batch.y)

    players = {name: Player(optimiser, both) for name, optimiser in optimisers.items()}
    batch = batches([0])(0)
    optimisers["two"].gradient.fill_(3.0)
    before = [parameter.detach().clone() for parameter in nets["two"].parameters()]
    players["one"].step(batch)
    assert (optimisers["two"].gradient == 3.0).all()
    assert all(torch.equal(a, b) for a, b in zip(before, nets["two"].parameters(), strict=True))
    assert optimisers["one"].gradient.any()


@RULES
def test_players_take_turns_each_against_the_other_s_latest_step(rule: Rule) -> None:
    def play() -> tuple[list[MLPPopulation], list[Player]]:
        nets = [population([0]), population([1])]

        def loss(sign: float) -> Callable[[Batch], Tensor]:
            return lambda batch: sign * (nets[0](batch.x)[..., 0] * nets[1](batch.x)[..., 0]).mean(dim=1)

        return nets, [Player(optimiser_of(net, rule), loss(sign)) for net, sign in zip(nets, (1.0, -1.0), strict=True)]

    nets, players = play()
    fit(players, batches([0]), 6)
    by_hand, (first, second) = play()
    draw = batches([0])
    for step in range(6):
        first.step(draw(step))
        second.step(draw(step))
    for net, other in zip(nets, by_hand, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


# ---------------------------------------------------------------- weights and full batches


@pytest.mark.parametrize("written_out", [True, False], ids=["written", "autograd"])
def test_whole_weights_are_repeated_rows(written_out: bool) -> None:
    counts = torch.randint(4, (2, ROWS), generator=stream(0, "counts"))
    longest = int(counts.sum(dim=1).max())
    weighted, repeated = population([0, 1]), population([0, 1])
    draw = batches([0, 1], 0, counts.float())
    fit([learner(weighted, optimiser_of(weighted, "sgd"), written_out)], draw, 12)
    for place in range(2):
        rows = torch.repeat_interleave(torch.arange(ROWS), counts[place])[None]
        assert rows.shape[1] <= longest
        alone = population([place])
        fit([learner(alone, optimiser_of(alone, "sgd"), written_out)], batches([place], 0, rows=rows), 12)
        for many, one, start in zip(weighted.parameters(), alone.parameters(), repeated.parameters(), strict=True):
            torch.testing.assert_close(many[place], one[0], rtol=1e-3, atol=1e-5)
            assert not torch.equal(many[place], start[place])


@pytest.mark.parametrize("written_out", [True, False], ids=["written", "autograd"])
def test_a_batch_without_weight_moves_nothing(written_out: bool) -> None:
    nets = population([0])
    start = [parameter.detach().clone() for parameter in nets.parameters()]
    fit([learner(nets, optimiser_of(nets, "sgd"), written_out)], batches([0], 8, torch.zeros(1, ROWS)), 3)
    assert all(torch.equal(a, b) for a, b in zip(start, nets.parameters(), strict=True))


def test_weights_go_with_their_rows() -> None:
    rows = torch.randint(ROWS, (2, 30), generator=stream(0, "rows"))
    x = torch.arange(ROWS, dtype=torch.float32)[None, :, None]
    weights = rows.float() * 2
    draw = Batches(x, x[..., 0], torch.zeros(2, dtype=torch.int64), rows, 7, 0, [("a",), ("b",)], weights)
    for step in range(10):
        batch = draw(step)
        assert batch.weights is not None
        assert torch.equal(batch.weights, batch.y * 2)


@RULES
def test_a_full_batch_step_is_a_gradient_step_on_all_rows(rule: Rule) -> None:
    found = []
    for size in (0, ROWS, ROWS + 9):
        nets = population([0])
        fit([learner(nets, optimiser_of(nets, rule))], batches([0], size), 9)
        found.append([parameter.detach().clone() for parameter in nets.parameters()])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_training_learns() -> None:
    nets = population([0])
    draw = batches([0], 0)
    batch = draw(0)
    before = float(cross_entropy(nets(batch.x), batch.y).detach())
    fit([learner(nets, optimiser_of(nets, "adam", 0.03))], draw, 200)
    assert float(cross_entropy(nets(batch.x), batch.y).detach()) < before / 4


# ---------------------------------------------------------------- interruption


class KilledError(Exception):
    """Stands for kill -9 between two steps."""


def watched_run(
    rule: Rule, checkpoint: Checkpoint | None, die_at: int | None = None, rates: bool = False
) -> tuple[list[Tensor], Arrays]:
    nets = [population([0, 1]), population([2, 3])]
    rate = torch.tensor([0.01, 0.03]) if rates else None
    players = [learner(net, optimiser_of(net, rule, rate)) for net in nets]
    draw = batches([0, 1])

    def stopping(step: int) -> Batch:
        if step == die_at:
            raise KilledError
        return draw(step)

    def watch(step: int) -> Arrays:
        norms = [float(next(net.parameters()).norm()) for net in nets]
        return {"step": np.asarray(step), "norm": np.asarray(norms)}

    history = fit(players, stopping, 20, watch=watch, watch_at=[0, 3, 10, 20], checkpoint=checkpoint)
    return [parameter.detach().clone() for net in nets for parameter in net.parameters()], history


@RULES
@pytest.mark.parametrize("rates", [False, True], ids=["one rate", "rates"])
@pytest.mark.parametrize("deaths", [[1], [10], [11], [19], [3, 4, 15]], ids=str)
def test_a_run_that_is_killed_and_goes_on_ends_with_the_same_bits(
    rule: Rule, rates: bool, deaths: list[int], tmp_path: Path
) -> None:
    straight, expected = watched_run(rule, None, rates=rates)
    resume = Resume(tmp_path / "id")
    for step in deaths:
        with pytest.raises(KilledError):
            watched_run(rule, Checkpoint(resume, "fit", every=0.0), step, rates)
    found, history = watched_run(rule, Checkpoint(resume, "fit", every=0.0), rates=rates)
    assert all(torch.equal(a, b) for a, b in zip(straight, found, strict=True))
    assert set(history) == {"step", "norm"}
    assert history["step"].tolist() == [0, 3, 10, 20]
    for name in expected:
        np.testing.assert_array_equal(history[name], expected[name])


def test_a_run_goes_on_from_its_checkpoint_and_not_from_the_start(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")
    with pytest.raises(KilledError):
        watched_run("adam", Checkpoint(resume, "fit", every=0.0), 15)
    saved = resume.load("fit")
    assert saved is not None
    assert int(saved["step"]) == 15
    watched_run("adam", Checkpoint(resume, "fit", every=0.0), die_at=14)  # step 14 is not taken again


def test_checkpoints_keep_their_distance_in_time(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")
    watched_run("sgd", Checkpoint(resume, "fit", every=1000.0))
    assert resume.load("fit") is None


def test_a_finished_run_asked_again_gives_the_same(tmp_path: Path) -> None:
    checkpoint = Checkpoint(Resume(tmp_path / "id"), "fit", every=0.0)
    first, history = watched_run("adam", checkpoint)
    second, again = watched_run("adam", checkpoint, die_at=0)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    np.testing.assert_array_equal(history["norm"], again["norm"])


def test_what_is_watched_is_stacked_and_nothing_is_watched_unasked() -> None:
    nets = population([0])
    seen = []

    def watch(step: int) -> Arrays:
        assert not torch.is_grad_enabled()
        seen.append(step)
        return {"x": np.full(2, step)}

    history = fit([learner(nets, optimiser_of(nets, "sgd"))], batches([0]), 5, watch=watch, watch_at=[5, 2])
    assert seen == [2, 5]
    np.testing.assert_array_equal(history["x"], [[2, 2], [5, 5]])
    assert fit([learner(nets, optimiser_of(nets, "sgd"))], batches([0]), 2) == {}


def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchstone.core.errors import InputError

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve("auto") == resolve("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match=r"shared\.device = cuda: not on this machine; take auto or cpu"):
        resolve("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve("auto") == torch.device("cuda")
