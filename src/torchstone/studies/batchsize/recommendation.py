"""Which batch size should one take? The largest without a measurable loss of test accuracy, and what it saves.

Sizes above the reference are tried in rising order, and the first that fails ends it: a fixed sequence of tests, which
needs no correction for their number. A size passes if the whole interval of its loss against the reference lies below
the margin. The time of a training is the number of its updates (to the target, the cap, or as many as were set) times
the seconds of one, measured without ghost batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from torchstone.core.trials import Trial
from torchstone.stats.intervals import Sample, interval


@dataclass(frozen=True)
class Choice:
    """What is recommended for one arm: the size, its loss against the reference (share) with interval, and times.

    ``speed_up`` is the time of the reference's training over that of the size's; ``faster_epoch`` the same of an epoch.
    ``next_loss`` is the interval at the first size that failed, if one did.
    """

    arm: str
    size: int
    loss: tuple[float, float, float]
    speed_up: float
    faster_epoch: float
    next_size: int | None
    next_loss: tuple[float, float, float] | None


def at(sweep: pd.DataFrame, arm: str, size: int, metric: str) -> pd.Series[float]:
    """Return a metric of an arm at a batch size, by replicate."""
    rows = sweep[(sweep["arm"] == arm) & (sweep["x"] == size) & (sweep["metric"] == metric)]
    return rows.set_index("replicate")["value"].astype("float64").sort_index()


def loss_of(
    sweep: pd.DataFrame, arm: str, size: int, reference: int, alpha: float, overlap: float
) -> tuple[float, float, float]:
    """Return the loss of test accuracy against the same arm at the reference size: estimate, low, high (shares)."""
    small, large = at(sweep, arm, reference, "test_accuracy"), at(sweep, arm, size, "test_accuracy")
    both = small.index.intersection(large.index)
    sample = Sample(small.loc[both].to_numpy() - large.loc[both].to_numpy(), overlap)
    low, high = interval(sample, alpha)
    return sample.mean, low, high


def step_seconds(cost: pd.DataFrame, size: int) -> float:
    """Return the median seconds of an update at a batch size, between the timed sizes on a straight line."""
    rows = cost[(cost["arm"] == "network") & (cost["metric"] == "step_seconds")]
    medians = rows.groupby("x")["value"].median().sort_index()
    return float(np.interp(size, medians.index.to_numpy(dtype="float64"), medians.to_numpy(dtype="float64")))


def choose(
    sweep: pd.DataFrame, cost: pd.DataFrame, arm: str, reference: int, margin: float, alpha: float, overlap: float
) -> Choice:
    """Return the largest size of an arm up to which no loss reaches the margin; the reference if the next one fails."""
    sizes = sorted(int(x) for x in sweep[sweep["arm"] == arm]["x"].unique() if x > reference)
    size, loss, failed = reference, (0.0, 0.0, 0.0), None
    for candidate in sizes:
        found = loss_of(sweep, arm, candidate, reference, alpha, overlap)
        if not found[2] < margin:
            failed = (candidate, found)
            break
        size, loss = candidate, found

    def seconds(batch: int) -> float:
        return float(at(sweep, arm, batch, "updates").mean()) * step_seconds(cost, batch)

    def epoch(batch: int) -> float:
        return step_seconds(cost, batch) / batch

    return Choice(
        arm, size, loss, seconds(reference) / seconds(size), epoch(reference) / epoch(size), *(failed or (None, None))
    )


def best_size(sweep: pd.DataFrame) -> int:
    """Return the size whose plain arm has the highest mean validation accuracy, the larger on a tie.

    Only sizes count at which every replicate reached its target, if there are any: another is no trained network's.
    """
    plain = sweep[sweep["arm"] == "plain"]
    reached = plain[plain["metric"] == "reached"].groupby("x")["value"].min()
    means = plain[plain["metric"] == "valid_accuracy"].groupby("x")["value"].mean()
    trained = means[means.index.isin(reached[reached == 1].index)]
    chosen = means if trained.empty else trained
    return int(max(zip(chosen.to_numpy(), chosen.index.to_numpy(dtype="float64"), strict=True))[1])


def regret_trials(sweeps: Mapping[str, pd.DataFrame], dataset: str) -> list[Trial]:
    """Return the test accuracy of a task at its own best size and at the best size of each other task.

    A size that the task was not trained at stands for the nearest one, in doublings, that it was.
    """
    sweep = sweeps[dataset]
    trained = np.array(sorted(sweep[sweep["arm"] == "plain"]["x"].unique()))
    arms = {"own best": best_size(sweep)}
    for name, table in sweeps.items():
        if name != dataset:
            nearest = np.abs(np.log2(trained / best_size(table))).argmin()
            arms[f"best of {name}"] = int(trained[nearest])
    trials = []
    for arm, size in arms.items():
        accuracies = at(sweep, "plain", size, "test_accuracy")
        for replicate, value in zip(accuracies.index.to_numpy(), accuracies.to_numpy(), strict=True):
            trials.append(Trial(arm, None, int(replicate), "test_accuracy", float(value)))
            trials.append(Trial(arm, None, int(replicate), "batch", float(size)))
    return trials


def choice_trials(choices: list[Choice]) -> list[Trial]:
    """Return what was chosen as trials, replicate 0 standing for all of them."""
    return [
        Trial(choice.arm, None, 0, name, float(getattr(choice, name)))
        for choice in choices
        for name in ("size", "speed_up", "faster_epoch")
    ]


def _points(loss: tuple[float, float, float]) -> str:
    middle, low, high = (100 * value for value in loss)
    return f"estimate {middle:.2f} points, 95 % interval {low:.2f} to {high:.2f}"


def _amount(margin: float) -> str:
    points = f"{100 * margin:g}"
    return "1 point" if points == "1" else f"{points} points"


def _speed(ratio: float, reference: int) -> str:
    """Say how fast something is beside the reference; within a twentieth it is as fast."""
    if 0.95 < ratio < 1.05:
        return f"as fast as with {reference}"
    if ratio > 1:
        return f"{ratio:.1f} times as fast as with {reference}"
    return f"{1 / ratio:.1f} times slower than with {reference}"


def sentence(choice: Choice, reference: int, rows: int, margin: float) -> str:
    """Say in plain words which size to take, what it loses at most and how fast it trains; ``rows`` is the full set."""
    start = {
        "plain": "With the learning rate left alone",
        "tuned": "With the rate tuned for each size",
        "all three": "With the three remedies together (as many updates, scaled rate, ghost batch norm)",
    }[choice.arm]
    limit = f"a loss of {_amount(margin)} of test accuracy against {reference}"
    if choice.next_size is None or choice.next_loss is None:
        beyond = "no larger size was tried"
    else:
        beyond = f"at {choice.next_size}, {limit} cannot be ruled out ({_points(choice.next_loss)})"
    if choice.size == reference:
        return f"{start}, stay at {reference}: {beyond}."
    is_full = choice.size == rows
    size = f"{choice.size}, the full set" if is_full else str(choice.size)
    return (
        f"{start}, take {size}: up to it {limit} is ruled out ({_points(choice.loss)}). Training ends "
        f"{_speed(choice.speed_up, reference)}; an epoch is {_speed(choice.faster_epoch, reference)}."
        + ("" if is_full else f" {beyond[0].upper()}{beyond[1:]}.")
    )
