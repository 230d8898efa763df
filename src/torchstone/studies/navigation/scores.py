"""How good forecasts are: errors by horizon, on all links and on congested ones, and who will be congested."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from torchstone.core.trials import Trial
from torchstone.studies.navigation.city import Floats

LEAST = 1.0  # km/h or mph; a forecast says no less


def scores(
    arm: str,
    horizon: int,
    replicate: int,
    found: Floats,
    true: Floats,
    free: Floats,
    congested: float,
    most: Floats | None = None,
) -> Iterator[Trial]:
    """Yield the scores of one arm, replicate and horizon; missing truth (NaN) does not count.

    Congested is what is below ``congested`` of the free speed at the time that is forecast. No forecast is above
    ``most``, where it is given, else above the free speed.
    """
    there = ~np.isnan(true)
    found = np.clip(found, LEAST, free if most is None else most)[there]
    true, free = true[there], free[there]
    errors = np.abs(found - true)
    slow, said = true < congested * free, found < congested * free
    values = {
        "mae": errors.mean(),
        "rmse": np.sqrt((errors**2).mean()),
        "mape": (errors / np.maximum(true, LEAST)).mean(),
    }
    if slow.any():
        values["mae_congested"] = errors[slow].mean()
        values["recall"] = (slow & said).sum() / slow.sum()
    if said.any():
        values["precision"] = (slow & said).sum() / said.sum()
    for metric, value in values.items():
        yield Trial(arm, float(horizon), replicate, metric, float(value))


def advantages(trials: list[Trial], over: str = "history") -> list[Trial]:
    """Return the share of ``over``'s error that each other arm saves, at each horizon and replicate."""
    base = {(t.x, t.replicate): t.value for t in trials if t.arm == over and t.metric == "mae"}
    return [
        Trial(t.arm, t.x, t.replicate, "advantage", 1 - t.value / base[t.x, t.replicate])
        for t in trials
        if t.metric == "mae" and t.arm != over
    ]


def persistence(horizon: float, replicate: int, now: Floats, later: Floats) -> Trial:
    """Return how much of a deviation from history is still there ``horizon`` minutes later, as a correlation.

    It is what the present can say of the future at all: where it is small, no live picture helps.
    """
    there = ~(np.isnan(now) | np.isnan(later))
    found = np.corrcoef(now[there], later[there])[0, 1]
    return Trial("deviation from history", horizon, replicate, "persistence", float(found))
