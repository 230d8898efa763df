"""Which batch size should one take? The largest without a measurable loss of test accuracy, and what it saves.

Sizes above the reference are tried in rising order, and the first that fails ends it: a fixed sequence of tests, which
needs no correction for their number. A size passes if the whole interval of its loss against the reference lies below
the margin. Time to convergence is the number of updates that training took times the seconds of one.
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

    ``speed_up`` is the reference's time to convergence over that of the size; ``faster_epoch`` the same of an epoch.
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
    """Return the size whose plain arm has the highest mean validation accuracy, the larger on a tie."""
    rows = sweep[(sweep["arm"] == "plain") & (sweep["metric"] == "valid_accuracy")]
    means = rows.groupby("x")["value"].mean()
    return max((float(value), int(float(str(size)))) for size, value in means.items())[1]


def regret_trials(sweeps: Mapping[str, pd.DataFrame], dataset: str) -> list[Trial]:
    """Return the test accuracy of a task at its own best size and, on average, at the best ones of the other tasks.

    A size that the task was not trained at stands for the nearest one, in doublings, that it was.
    """
    sweep = sweeps[dataset]
    others = [best_size(table) for name, table in sweeps.items() if name != dataset]
    trained = np.array(sorted(sweep[sweep["arm"] == "plain"]["x"].unique()))
    nearest = [int(trained[np.abs(np.log2(trained / size)).argmin()]) for size in others]
    own = at(sweep, "plain", best_size(sweep), "test_accuracy")
    trials = [Trial("own best", None, int(str(r)), "test_accuracy", float(value)) for r, value in own.items()]
    trials += [Trial("own best", None, int(str(r)), "batch", float(best_size(sweep))) for r in own.index]
    if nearest:
        mean = pd.concat([at(sweep, "plain", size, "test_accuracy") for size in nearest], axis=1).mean(axis=1)
        trials += [Trial("other's best", None, int(str(r)), "test_accuracy", float(value)) for r, value in mean.items()]
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


def _times(ratio: float) -> str:
    """Say how much faster something is; within a twentieth it is as fast."""
    if 0.95 < ratio < 1.05:
        return "as fast as"
    return f"{ratio:.1f} times as fast as" if ratio > 1 else f"{1 / ratio:.1f} times slower than"


def sentence(choice: Choice, reference: int, full: int, margin: float) -> str:
    """Say in plain words which size to take, what it loses at most, and how fast it trains."""
    start = {
        "plain": "With the learning rate left alone",
        "tuned": "With the rate tuned for each size",
        "all three": "With the three remedies together (as many updates, scaled rate, ghost batch norm)",
    }[choice.arm]
    limit = f"a loss of {_amount(margin)} of test accuracy against {reference}"
    after = "" if choice.next_loss is None else f"at {choice.next_size}, {limit} cannot be ruled out"
    if choice.next_loss is not None:
        after += f" ({_points(choice.next_loss)})"
    if choice.size == reference:
        return f"{start}, stay at {reference}: {after}."
    size = f"{choice.size}, the full set" if choice.size == full else str(choice.size)
    return (
        f"{start}, take {size}: up to it {limit} is ruled out ({_points(choice.loss)}). To the end of its training it "
        f"is {_times(choice.speed_up)} {reference}, an epoch {_times(choice.faster_epoch)}."
        + (f" {after[0].upper()}{after[1:]}." if after else "")
    )
