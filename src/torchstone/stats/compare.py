"""From a trials table to one number a replicate: the effect that a claim speaks of.

Arms are paired by replicate (same split, start and order in both), so the effect's noise is that of the difference.
Every kind of claim is reduced to values v_r whose mean is the estimate; one inference then serves all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from torchstone.core.errors import InputError, near_miss
from torchstone.stats.ledger import Claim, Course, Reading

Values = npt.NDArray[np.float64]


def column(trials: pd.DataFrame, reading: Reading, claim: str) -> pd.Series[float]:
    """Return the values of one reading, indexed by replicate; raises InputError if there is no such row."""
    rows = trials[(trials["arm"] == reading.arm) & (trials["metric"] == reading.metric)]
    if rows.empty:
        arms = sorted(set(trials["arm"]))
        known = arms if reading.arm not in arms else sorted(set(trials[trials["arm"] == reading.arm]["metric"]))
        word = reading.arm if reading.arm not in arms else reading.metric
        raise InputError(f"claims.yaml: claim {claim}: no trials of '{word}'; {near_miss(word, known)}")
    found = _at(rows, reading, claim)
    if found["replicate"].duplicated().any():
        raise InputError(
            f"claims.yaml: claim {claim}: '{reading.metric}' of '{reading.arm}' has several rows a replicate; "
            "let its trials name one data set"
        )
    return found.set_index("replicate")["value"].astype("float64")


def _at(rows: pd.DataFrame, reading: Reading, claim: str) -> pd.DataFrame:
    """Return the rows at a reading's x; first and last are each replicate's own, since boosting may stop early."""
    present = sorted(set(rows["x"].dropna()))
    if reading.x is None:
        if rows["x"].notna().all():
            raise InputError(
                f"claims.yaml: claim {claim}: '{reading.metric}' of '{reading.arm}' is measured at x = {present}; "
                "say which (a number, first or last)"
            )
        return rows[rows["x"].isna()]
    if not present or (not isinstance(reading.x, str) and float(reading.x) not in present):
        raise InputError(f"claims.yaml: claim {claim}: x = {reading.x} is not among {present} of '{reading.arm}'")
    if isinstance(reading.x, str):
        ends = rows.groupby("replicate")["x"].agg("min" if reading.x == "first" else "max")
        return rows[rows["x"] == rows["replicate"].map(ends)]
    return rows[rows["x"] == float(reading.x)]


def slopes(trials: pd.DataFrame, course: Course, claim: str) -> Values:
    """Return each replicate's least-squares slope over log2 x, signed so that the claimed way is positive."""
    rows = trials[(trials["arm"] == course.arm) & (trials["metric"] == course.metric) & trials["x"].notna()]
    if rows.empty:
        raise InputError(f"claims.yaml: claim {claim}: no trials of '{course.metric}' of '{course.arm}' over x")
    places = sorted(set(rows["x"]))
    if len(places) < 2 or places[0] <= 0:
        raise InputError(
            f"claims.yaml: claim {claim}: a trend needs '{course.metric}' of '{course.arm}' at two or more x above 0, "
            f"not at {places}"
        )
    table = rows.pivot(index="replicate", columns="x", values="value").dropna()
    doublings = np.log2(table.columns.to_numpy(dtype="float64"))
    centred = doublings - doublings.mean()
    slope = table.to_numpy(dtype="float64") @ centred / (centred @ centred)
    return np.asarray(slope if course.goes == "up" else -slope, dtype=np.float64)


def paired(trials: pd.DataFrame, claim: Claim) -> tuple[Values, int]:
    """Return the effect of each replicate that both arms have, and how many replicates only one has.

    Differences ``more - less``; or, for the ratio of means, pseudo-values of ``1 - mean(less) / mean(more)`` (its
    estimate plus each replicate's influence), whose mean is the estimate and whose spread is the delta method's.
    """
    assert claim.more is not None
    assert claim.less is not None
    more, less = column(trials, claim.more, claim.id), column(trials, claim.less, claim.id)
    both = more.index.intersection(less.index).sort_values()
    lost = len(more.index.union(less.index)) - len(both)
    a, b = more.loc[both].to_numpy(dtype="float64"), less.loc[both].to_numpy(dtype="float64")
    if claim.estimator == "mean":
        return np.asarray(a - b, dtype=np.float64), lost
    ratio = b.mean() / a.mean()
    return np.asarray(1 - ratio - (b - ratio * a) / a.mean(), dtype=np.float64), lost


@dataclass(frozen=True)
class Passage:
    """How the replicates of a claim's arms fared at its gate: how many passed in all of them, and the lowest value."""

    passed: int
    of: int
    lowest: float


def gated(trials: pd.DataFrame, claim: Claim) -> tuple[pd.DataFrame, Passage | None]:
    """Leave out what does not reach the claim's gate: replicates of a contrast, or whole x of a course.

    A course is left the x at which every replicate passes, since a slope needs the same x in each. Raises InputError
    if an arm has no trials of the gate's metric.
    """
    if claim.gate is None:
        return trials, None
    if claim.course is not None:
        of_arm = trials[(trials["arm"] == claim.course.arm) & (trials["metric"] == claim.gate.metric)]
        lowest = of_arm.dropna(subset="x").groupby("x")["value"].min()
        if lowest.empty:
            raise InputError(f"claims.yaml: claim {claim.id}: no '{claim.gate.metric}' of '{claim.course.arm}' over x")
        kept = lowest[lowest >= claim.gate.least]
        inside = (trials["arm"] != claim.course.arm) | trials["x"].isna() | trials["x"].isin(kept.index)
        return trials[inside], Passage(len(kept), len(lowest), float(lowest.min()))
    readings = [part for part in (claim.more, claim.less, claim.value) if part is not None]
    values = [column(trials, part.model_copy(update={"metric": claim.gate.metric}), claim.id) for part in readings]
    table = pd.concat(values, axis=1, join="inner")
    passed = table.index[(table >= claim.gate.least).all(axis=1)]
    passage = Passage(len(passed), len(table), float(table.to_numpy().min()))
    return trials[trials["replicate"].isin(passed)], passage


def effects(trials: pd.DataFrame, claim: Claim) -> tuple[Values, int]:
    """Return the claim's effect, [replicate], and how many replicates had to be left out."""
    if claim.course is not None:
        everyone = trials[(trials["arm"] == claim.course.arm)]["replicate"].nunique()
        values: Values = slopes(trials, claim.course, claim.id)
        return values, int(everyone) - len(values)
    if claim.value is not None:
        return np.asarray(column(trials, claim.value, claim.id).sort_index(), dtype=np.float64), 0
    return paired(trials, claim)
