"""What is done about a large batch: which runs a batch size is trained with, and which arms read them.

Two arms that come to the same settings share one run: at the reference size, say, a scaled rate is the plain one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torchstone.core.files import rounded
from torchstone.core.schema import Task

MEASURED = ("plain", "linear rate", "square-root rate")  # arms whose minima the stage `minima` looks at
SAME = "same streams as the other arms"


@dataclass(frozen=True)
class Run:
    """Settings of a training: rate, rows that share their normalisation (0: all), updates (0: to convergence).

    ``streams`` names the start and the order of the rows; all arms share them but the control.
    """

    rate: float
    ghost: int = 0
    updates: int = 0
    streams: str = SAME


def runs_of(batch: int, task: Task) -> dict[str, Run]:
    """Return the run of each arm at a batch size, by the arm's name; "tuned" is chosen later, from ``candidates``.

    Linear scaling multiplies the rate by B / reference (Goyal et al. 2017), square-root scaling by its root
    (Krizhevsky 2014, Hoffer et al. 2017). Equal updates: as many as a small batch takes, instead of as many epochs.
    """
    factor = batch / task.reference
    ghost = task.ghost if batch > task.ghost else 0
    linear, root = (rounded(task.learning_rate * by, 6) for by in (factor, math.sqrt(factor)))
    runs = {
        "plain": Run(task.learning_rate),
        "linear rate": Run(linear),
        "square-root rate": Run(root),
        "equal updates": Run(task.learning_rate, updates=task.updates),
        "ghost norm": Run(task.learning_rate, ghost),
        "all three": Run(root, ghost, task.updates),
    }
    if batch == task.reference:
        runs["control"] = Run(task.learning_rate, streams="control")
    return {arm: run for arm, run in runs.items() if arm in task.arms}


def candidates(batch: int, task: Task) -> list[Run]:
    """Return the runs among which the tuned arm chooses: to convergence, with each rate on offer."""
    if "tuned" not in task.arms:
        return []
    offered = [run for run in runs_of(batch, task).values() if run == Run(run.rate)]
    return list(dict.fromkeys([*offered, *(Run(rate) for rate in task.rates)]))
