"""How far may one prune, and at which round does an arm fall below the dense net?

Rounds are tried from the densest on, and the first that fails ends it: a fixed sequence of tests, which needs no
correction for their number. A round passes if the whole interval of its loss against the dense net lies below the
margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from torchstone.core.trials import Trial
from torchstone.stats.intervals import Sample, interval

METRIC = "early_test_accuracy"
WHEN = {METRIC: "at the lowest validation loss", "test_accuracy": "at the end of training"}
NOTE = (
    "The two differ where a dense network, trained to the end, is more accurate than at its lowest validation loss: "
    "that moment favours networks that over-fit less. Stay with the denser of the two unless training is stopped early."
)
Loss = tuple[float, float, float]


@dataclass(frozen=True)
class Answer:
    """The sparsest round without a measurable loss: its number, share of weights left, loss (share) with interval.

    ``next_density`` and ``next_loss`` are those of the first round that failed, if one did; a round at which every
    training failed has no loss.
    """

    number: int
    density: float
    loss: Loss
    next_density: float | None
    next_loss: Loss | None


def over_rounds(trials: pd.DataFrame, arm: str, metric: str) -> pd.DataFrame:
    """Return a metric of an arm as a table, [replicate, round]."""
    rows = trials[(trials["arm"] == arm) & (trials["metric"] == metric)]
    return rows.pivot(index="replicate", columns="x", values="value").astype("float64")


def break_rounds(losses: pd.DataFrame, margin: float) -> pd.Series[float]:
    """Return the first round, [replicate], whose loss in [replicate, round] is above the margin.

    A replicate that never breaks counts as breaking one round after the last. A round without a value (a failed
    training) is a break: a net that cannot be trained has lost.
    """
    broken = ~(losses <= margin)
    columns = losses.columns.to_numpy(dtype="float64")
    first = np.where(broken.any(axis=1), columns[broken.to_numpy().argmax(axis=1)], columns[-1] + 1)
    return pd.Series(first, index=losses.index)


def break_trials(control: pd.DataFrame, prune: pd.DataFrame, margin: float) -> list[Trial]:
    """Return the break of each arm that was measured at sparse rounds, in all of them the same."""
    dense = over_rounds(prune, "ticket", METRIC)[0.0]
    measured = control[control["metric"] == METRIC]
    rounds = sorted(float(x) for x in measured["x"].unique() if x > 0)
    trials: list[Trial] = []
    if not rounds:
        return trials
    tables = {arm: over_rounds(control, arm, METRIC) for arm in sorted(set(measured["arm"]))}
    tables |= {arm: over_rounds(prune, arm, METRIC) for arm in ("rewound", "ticket")}
    for arm, table in tables.items():
        source = prune if arm in {"rewound", "ticket"} else control
        trained = source[(source["arm"] == arm) & source["metric"].isin([METRIC, "failed"])]["x"]
        if set(rounds) <= set(trained):
            accuracies = table.reindex(index=dense.index, columns=rounds)
            breaks = break_rounds(accuracies.rsub(dense, axis=0), margin)
            trials += [
                Trial(arm, None, int(replicate), "break_round", float(value))
                for replicate, value in zip(breaks.index.to_numpy(), breaks.to_numpy(), strict=True)
            ]
    return trials


def answer(prune: pd.DataFrame, metric: str, margin: float, alpha: float, overlap: float) -> Answer:
    """Return the sparsest round up to which no loss of the ticket against the dense net reaches the margin.

    A round at which a replicate has no value (a failed training) does not pass.
    """
    accuracies, shares = over_rounds(prune, "ticket", metric), over_rounds(prune, "ticket", "density").mean()
    last, loss = 0.0, (0.0, 0.0, 0.0)
    accuracies = accuracies.reindex(columns=shares.index)
    for number in sorted(shares.index.to_numpy(dtype="float64"))[1:]:
        losses = (accuracies[0.0] - accuracies[number]).dropna()
        if losses.empty:
            return Answer(int(last), float(shares[last]), loss, float(shares[number]), None)
        sample = Sample(losses.to_numpy(dtype="float64"), overlap)
        low, high = interval(sample, alpha)
        found = (sample.mean, low, high)
        if not high < margin or len(losses) < len(accuracies):  # a NaN is not below
            return Answer(int(last), float(shares[last]), loss, float(shares[number]), found)
        last, loss = number, found
    return Answer(int(last), float(shares[last]), loss, None, None)


def sentence(found: Answer, metric: str, margin: float) -> str:
    """Say in plain words how far one may prune, judged by test accuracy at the moment that the metric names."""

    def points(loss: Loss) -> str:
        middle, low, high = (100 * value for value in loss)
        return f"estimate {middle:.2f} points, 95 % interval {low:.2f} to {high:.2f}"

    limit = f"a loss of {100 * margin:g} point{'' if margin == 0.01 else 's'} of test accuracy"
    when = f"Judged {WHEN[metric]}"
    beyond = ""
    if found.next_density is not None and found.next_loss is None:
        beyond = f" At {_percent(found.next_density)} no training stayed finite."
    elif found.next_density is not None and found.next_loss is not None:
        beyond = f" At {_percent(found.next_density)} it cannot be ruled out ({points(found.next_loss)})."
    else:
        beyond = " No sparser network was tried."
    if found.number == 0:
        return f"{when}: not by a single round, {limit} cannot be ruled out.{beyond}"
    return (
        f"{when}: down to {_percent(found.density)} of the weights (round {found.number}) {limit} "
        f"against the dense net is ruled out ({points(found.loss)}).{beyond}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
