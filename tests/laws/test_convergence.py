"""Laws of the end of training: when a replicate is done, what is kept of it, and that a killed fit ends alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchstone.core.resume import Resume
from torchstone.learn.convergence import ENDS, Convergence, Look
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.optim import FlatOptimiser


class Numbers(nn.Module):
    """R networks of one parameter each."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(values)[:, None])


class Script:
    """Plays losses that were written down, [look][replicate]; the parameter is the number of the step."""

    def __init__(self, train: list[list[float]], valid: list[list[float]] | None = None) -> None:
        self.train, self.valid = torch.tensor(train), torch.tensor(valid or train)
        self.looks = 0

    def __call__(self) -> Look:
        self.looks += 1
        row = self.looks - 1
        return Look(self.train[row], self.valid[row], 1 - self.valid[row])


def played(
    script: Script, every: int = 1, target: float | None = 0.1, patience: int | None = 3, steps: int | None = None
) -> Convergence:
    """Let a population count its steps while the script plays."""
    population = Numbers([0.0] * script.train.shape[1])
    until = Convergence(population, script, every=every, target=target, patience=patience)
    last = steps or every * len(script.train)
    for step in range(1, last + 1):
        with torch.no_grad():
            population.value.fill_(float(step))
        if until(step):
            break
    until.finish(last)
    return until


def ends(until: Convergence) -> list[str]:
    return [ENDS[int(code)] for code in until.ends]


def kept(tensors: list[Tensor]) -> list[float]:
    return [float(value) for value in tensors[0].flatten()]


def test_a_replicate_ends_when_its_loss_reaches_the_target_and_its_neighbours_go_on() -> None:
    until = played(Script([[0.5, 0.5], [0.1, 0.4], [0.05, 0.3], [0.04, 0.09]]))
    assert ends(until) == ["reached", "reached"]
    assert until.steps.tolist() == [2, 4]
    assert kept(until.end.tensors) == [2.0, 4.0]  # the parameters after the step that was looked at


def test_a_replicate_is_stuck_after_so_many_looks_without_a_new_lowest_loss() -> None:
    until = played(Script([[0.5], [0.4], [0.45], [0.4], [0.41], [0.3]]))
    assert ends(until) == ["stuck"]
    assert until.steps.tolist() == [5]


def test_a_loss_that_is_not_finite_ends_a_replicate_as_failed() -> None:
    until = played(Script([[0.5, 0.5], [float("nan"), 0.4], [0.2, 0.05]]))
    assert ends(until) == ["failed", "reached"]
    assert until.steps.tolist() == [2, 3]


def test_what_is_still_training_at_the_last_step_has_hit_the_cap() -> None:
    until = played(Script([[0.5, 0.5], [0.4, 0.05]]))
    assert ends(until) == ["cap", "reached"]
    assert until.steps.tolist() == [2, 2]


def test_early_stopping_keeps_the_lowest_validation_loss_before_the_end_and_nothing_after_it() -> None:
    script = Script(
        [[0.5, 0.5], [0.3, 0.3], [0.05, 0.2], [0.01, 0.15]], [[0.9, 0.9], [0.6, 0.8], [0.7, 0.5], [0.1, 0.6]]
    )
    until = played(script)
    assert kept(until.early.tensors) == [2.0, 3.0]
    assert kept(until.best.tensors) == [2.0, 3.0]
    assert kept(until.end.tensors) == [3.0, 4.0]


def test_it_is_looked_at_every_so_many_steps_and_once_more_at_the_end() -> None:
    script = Script([[0.5]] * 9)
    until = played(script, every=4, patience=None, steps=10)
    assert script.looks == 3
    assert until.steps.tolist() == [10]


def test_a_run_without_target_and_patience_takes_all_its_steps() -> None:
    until = played(Script([[0.5], [0.01], [0.02], [0.03], [0.04], [0.05]]), target=None, patience=None)
    assert ends(until) == ["cap"]
    assert until.steps.tolist() == [6]


def descend(folder: Path, steps: int, stop: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Let numbers fall towards 0 at their own rates until the square is small; break off after ``stop`` looks."""
    population = Numbers([1.0, 2.0, 3.0])
    optimiser = FlatOptimiser(population, "sgd", 0.05, momentum=0.9)

    def look() -> Look:
        losses = population.value.detach().square()[:, 0]
        return Look(losses, (losses - 0.3).abs(), -losses)

    until = Convergence(population, look, every=2, target=1e-3, patience=50)
    player = Player(optimiser, lambda _: population.value.square()[:, 0])
    checkpoint = Checkpoint(Resume(folder), "state", every=0.0)

    def batches(step: int) -> None:
        if stop is not None and step >= stop:
            raise KeyboardInterrupt

    fit([player], batches, steps, until=until, checkpoint=checkpoint)
    until.finish(steps)
    return np.concatenate([t.numpy() for k in (until.end, until.early, until.best) for t in k.tensors]), ends(until)


def test_a_killed_fit_ends_with_the_same_bits_and_the_same_verdict(tmp_path: Path) -> None:
    straight, how = descend(tmp_path / "straight", 200)
    assert how == ["reached"] * 3
    for stop in (1, 7, 30):
        with pytest.raises(KeyboardInterrupt):
            descend(tmp_path / f"killed{stop}", 200, stop)
        again, also = descend(tmp_path / f"killed{stop}", 200)
        assert np.array_equal(straight, again)
        assert how == also
