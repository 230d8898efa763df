"""Laws of early stopping by a smoothed loss: which look counts, what is kept, and that a killed fit ends alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from torchstone.core.files import Arrays
from torchstone.core.resume import Resume
from torchstone.core.rng import numpy_stream
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.optim import FlatOptimiser
from torchstone.learn.stopping import SmoothedMinimum, first_reach, smoothed

Curve = npt.NDArray[np.float32]
NAN = float("nan")


class Numbers(nn.Module):
    """R networks of a weight and a bias each."""

    def __init__(self, replicates: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(replicates, 2))
        self.bias = nn.Parameter(torch.zeros(replicates, 1))


def played(losses: Curve, every: int = 1, window: int = 3) -> SmoothedMinimum:
    """Play losses [look, replicate] while the parameters of replicate k are step + k and its negative."""
    population = Numbers(losses.shape[1])
    rows = iter(torch.from_numpy(losses))

    def look() -> tuple[Tensor, Tensor]:
        row = next(rows)
        return row, 1 - row

    until = SmoothedMinimum(population, look, every=every, window=window)
    own = torch.arange(losses.shape[1], dtype=torch.float32)[:, None]
    for step in range(1, every * len(losses) + 1):
        with torch.no_grad():
            population.weight.copy_((step + own).expand(-1, 2))
            population.bias.copy_(-(step + own))
        assert until(step) is False  # it watches and never ends a fit
    return until


def noisy(name: str, looks: int, replicates: int) -> Curve:
    """Return noisy valleys whose lowest place is in the middle, rounded so that sums of a few are exact."""
    place = np.linspace(-1, 1, looks)[:, None]
    noise = numpy_stream(0, "valley", name).normal(size=(looks, replicates))
    return (np.round(512 * (1 + place**2 + 0.2 * noise)) / 512).astype(np.float32)


def reference(losses: Curve, window: int) -> npt.NDArray[np.int64]:
    """Return the look [replicate], from 1, in the middle of the window of the smallest sum."""
    sums = np.stack([losses[start : start + window].sum(0) for start in range(len(losses) - window + 1)])
    return np.asarray(sums.argmin(axis=0) + window // 2 + 1)


@pytest.mark.parametrize("window", [1, 3, 5, 9])
@pytest.mark.parametrize("every", [1, 4])
def test_the_lowest_window_is_that_of_a_plain_search_and_its_middle_counts(window: int, every: int) -> None:
    losses = noisy("search", 60, 40)
    until = played(losses, every, window)
    assert until.step.tolist() == (every * reference(losses, window)).tolist()


@pytest.mark.parametrize("window", [1, 3, 5])
def test_what_is_kept_are_the_parameters_of_the_middle_look_to_the_bit(window: int) -> None:
    losses = noisy("kept", 30, 20)
    until = played(losses, 2, window)
    expected = 2.0 * torch.from_numpy(reference(losses, window))[:, None] + torch.arange(20)[:, None]
    weight, bias = until.kept.tensors
    assert torch.equal(weight, expected.float().expand(-1, 2))
    assert torch.equal(bias, -expected.float())
    target = Numbers(20)
    until.kept.put_into(target)
    assert torch.equal(target.weight, weight)


def test_of_equal_windows_the_first_counts() -> None:
    losses = np.tile(np.array([0.5, 0.25, 0.5], np.float32), 4)[:, None]
    assert played(losses).step.tolist() == [2]


def test_the_smoothed_minimum_lies_nearer_to_the_true_one_and_scatters_less_than_the_raw_one() -> None:
    losses = noisy("spread", 81, 300)
    raw, smooth = (played(losses, window=window).step.numpy() for window in (1, 9))
    assert smooth.std() < 0.85 * raw.std()
    assert np.abs(smooth - 41).mean() < 0.85 * np.abs(raw - 41).mean()


def test_a_loss_that_is_not_a_number_never_counts_as_lower_and_touches_no_neighbour() -> None:
    losses = noisy("broken", 40, 6)
    whole = played(losses)
    broken = losses.copy()
    broken[10:, 0] = NAN
    broken[0:, 1] = NAN
    broken[12:, 2] = np.inf
    until = played(broken)
    assert until.step[0] == reference(losses[:10, :1], 3)[0]
    assert until.step[1] == 0
    assert until.step[2] == reference(losses[:12, 2:3], 3)[0]
    assert torch.equal(until.step[3:], whole.step[3:])
    assert all(torch.equal(a[3:], b[3:]) for a, b in zip(until.kept.tensors, whole.kept.tensors, strict=True))


def test_fewer_looks_than_a_window_have_no_minimum() -> None:
    assert played(noisy("short", 4, 2), window=5).step.tolist() == [0, 0]
    assert played(noisy("short", 5, 2), window=5).step.tolist() == [3, 3]


@pytest.mark.parametrize("window", [0, 2, 4])
def test_a_window_of_an_even_number_of_looks_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {window} looks has no middle"):
        SmoothedMinimum(Numbers(1), lambda: (torch.zeros(1), torch.zeros(1)), every=1, window=window)


def test_the_curves_are_what_was_seen_with_the_steps_of_the_looks() -> None:
    losses = noisy("curves", 7, 3)
    curves = played(losses, every=5).curves()
    assert curves["steps"].tolist() == [5, 10, 15, 20, 25, 30, 35]
    assert np.array_equal(curves["valid_loss"], losses)
    assert np.array_equal(curves["valid_accuracy"], 1 - losses)


# ---------------------------------------------------------------- a killed fit


def descend(folder: Path, stop: int | None = None) -> Arrays:
    """Let numbers swing about 0 with momentum and stop early; break off before step ``stop``."""
    population = Numbers(3)
    with torch.no_grad():
        population.weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 0.25]]))
    optimiser = FlatOptimiser(population, "sgd", 0.05, momentum=0.9)

    def look() -> tuple[Tensor, Tensor]:
        losses = (population.weight.square().sum(1) - 0.2).abs() + population.bias[:, 0].square()
        return losses, -losses

    until = SmoothedMinimum(population, look, every=3, window=5)
    player = Player(optimiser, lambda step: population.weight.square().sum(1) + (population.bias[:, 0] - step % 3) ** 2)

    def batches(step: int) -> int:
        if stop is not None and step >= stop:
            raise KeyboardInterrupt
        return step

    fit([player], batches, 45, until=until, checkpoint=Checkpoint(Resume(folder), "state", every=0.0))
    kept = {f"kept{place}": tensor.numpy() for place, tensor in enumerate(until.kept.tensors)}
    return {"step": until.step.numpy(), **until.curves(), **kept, "end": optimiser.flat.detach().numpy()}


def test_a_killed_fit_goes_on_to_the_same_minimum_curves_and_parameters(tmp_path: Path) -> None:
    straight = descend(tmp_path / "straight")
    assert len(set(straight["step"].tolist())) > 1
    assert (straight["step"] > 6).any()
    for stop in (1, 14, 22, 44):
        with pytest.raises(KeyboardInterrupt):
            descend(tmp_path / f"killed{stop}", stop)
        again = descend(tmp_path / f"killed{stop}")
        assert set(again) == set(straight)
        assert all(np.array_equal(again[name], straight[name]) for name in straight), stop


def test_a_fit_killed_twice_goes_on_as_well(tmp_path: Path) -> None:
    for stop in (14, 25):
        with pytest.raises(KeyboardInterrupt):
            descend(tmp_path / "killed", stop)
    again, straight = descend(tmp_path / "killed"), descend(tmp_path / "straight")
    assert all(np.array_equal(again[name], straight[name]) for name in straight)


def test_a_state_is_a_copy_that_later_looks_do_not_touch() -> None:
    until = played(noisy("copy", 10, 2))
    state = until.state()
    before = {name: values.copy() for name, values in state.items()}
    for tensor in (*until.kept.tensors, until.step):
        tensor.zero_()
    assert all(np.array_equal(state[name], before[name]) for name in state)


# ---------------------------------------------------------------- first to reach a level


def plainly(curve: Curve, steps: npt.NDArray[np.int64], level: float, window: int) -> list[float]:
    found = []
    for replicate in range(curve.shape[1]):
        first = NAN
        for start in range(len(curve) - window + 1):
            if curve[start : start + window, replicate].mean() >= level:
                first = float(steps[start + window // 2])
                break
        found.append(first)
    return found


@pytest.mark.parametrize("window", [1, 3, 7])
def test_the_first_look_at_a_level_is_that_of_a_plain_loop_and_nan_where_there_is_none(window: int) -> None:
    curve = 2 - noisy("reach", 40, 30)
    curve[:, 3] = 0.0
    steps = 4 * np.arange(1, 41)
    found = first_reach(curve, steps, 1.05, window)
    assert np.array_equal(found, plainly(curve, steps, 1.05, window), equal_nan=True)
    assert np.isnan(found[3])
    assert np.isfinite(found).any()


def test_one_lucky_look_does_not_reach_a_level_but_the_level_itself_does() -> None:
    curve = np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 0.5], [0.0, 0.5]])
    steps = np.array([10, 20, 30, 40])
    assert np.array_equal(first_reach(curve, steps, 0.5, 3), [NAN, 30.0], equal_nan=True)
    assert first_reach(curve, steps, 0.5, 1).tolist() == [20.0, 20.0]


def test_a_curve_that_ends_in_no_number_is_reached_before_or_never() -> None:
    curve = np.array([[0.9, 0.1], [0.9, 0.1], [NAN, NAN], [NAN, NAN]])
    found = first_reach(curve, np.array([1, 2, 3, 4]), 0.5, 1)
    assert np.array_equal(found, [1.0, NAN], equal_nan=True)


def test_smoothing_takes_means_of_whole_windows_alone() -> None:
    curve = np.array([[1.0], [2.0], [6.0], [1.0]])
    assert smoothed(curve, 3).tolist() == [[3.0], [3.0]]
    assert smoothed(curve, 1).tolist() == curve.tolist()
