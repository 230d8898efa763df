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
    if isinstance(reading.x, list):
        return _mean_over(rows, reading, claim)
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


def _mean_over(rows: pd.DataFrame, reading: Reading, claim: str) -> pd.DataFrame:
    """Return the mean over several x of each replicate that has all of them."""
    assert isinstance(reading.x, list)
    each = [column(rows, reading.model_copy(update={"x": x}), claim) for x in reading.x]
    return pd.concat(each, axis=1).dropna().mean(axis=1).rename("value").rename_axis("replicate").reset_index()


def over_x(trials: pd.DataFrame, arm: str, metric: str, claim: str) -> pd.DataFrame:
    """Return a metric of an arm as a table, [replicate, x], NaN where there is no trial; InputError if it has none."""
    rows = trials[(trials["arm"] == arm) & (trials["metric"] == metric) & trials["x"].notna()]
    if rows.empty:
        raise InputError(f"claims.yaml: claim {claim}: no trials of '{metric}' of '{arm}' over x")
    if rows.duplicated(["replicate", "x"]).any():
        raise InputError(
            f"claims.yaml: claim {claim}: '{metric}' of '{arm}' has several rows a replicate and x; "
            "let its trials name one data set"
        )
    return rows.pivot(index="replicate", columns="x", values="value").astype("float64")


def slopes(trials: pd.DataFrame, course: Course, claim: str) -> Values:
    """Return each replicate's least-squares slope over log2 x, signed so that the claimed way is positive."""
    table = over_x(trials, course.arm, course.metric, claim)
    if course.least is not None:
        table = table.loc[:, table.columns.to_numpy(dtype="float64") >= course.least]
    places = sorted(float(x) for x in table.columns)
    if len(places) < 2 or places[0] <= 0:
        raise InputError(
            f"claims.yaml: claim {claim}: a trend needs '{course.metric}' of '{course.arm}' at two or more x above 0, "
            f"not at {places}"
        )
    table = table.dropna()
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
    if claim.estimator == "mean" or len(both) == 0:
        return np.asarray(a - b, dtype=np.float64), lost
    ratio = b.mean() / a.mean()
    return np.asarray(1 - ratio - (b - ratio * a) / a.mean(), dtype=np.float64), lost


@dataclass(frozen=True)
class Passage:
    """How a claim fared at its gate: how many replicates (or x of a course) passed, of how many, the lowest value."""

    passed: int
    of: int
    lowest: float


def gated(trials: pd.DataFrame, claim: Claim) -> tuple[pd.DataFrame, Passage | None]:
    """Leave out what does not reach the claim's gate: replicates of a contrast, or whole x of a course.

    A course is left the x at which every replicate passes, since a slope needs the same x in each. Where the claim's
    own metric is measured and the gate's is not, the gate is not reached. Raises InputError if an arm has no trials of
    either metric, whoever passes.
    """
    if claim.gate is None:
        return trials, None
    metric, least = claim.gate.metric, claim.gate.least
    if claim.course is not None:
        arm = claim.course.arm
        measured = over_x(trials, arm, claim.course.metric, claim.id)
        values = over_x(trials, arm, metric, claim.id).reindex(index=measured.index, columns=measured.columns)
        kept = values.columns[(values >= least).all(axis=0)]
        inside = (trials["arm"] != arm) | trials["x"].isna() | trials["x"].isin(kept)
        return trials[inside], Passage(len(kept), values.shape[1], float(values.min().min()))
    readings = [part for part in (claim.more, claim.less, claim.value) if part is not None]
    measured = pd.concat([column(trials, part, claim.id) for part in readings], axis=1)
    gates = [column(trials, part.model_copy(update={"metric": metric}), claim.id) for part in readings]
    values = pd.concat(gates, axis=1).reindex(measured.index)
    passed = values.index[(values >= least).all(axis=1)]
    return trials[trials["replicate"].isin(passed)], Passage(len(passed), len(values), float(values.min().min()))


def effects(trials: pd.DataFrame, claim: Claim) -> tuple[Values, int]:
    """Return the claim's effect, [replicate], and how many replicates had to be left out."""
    if claim.course is None and claim.value is None:
        return paired(trials, claim)
    if claim.course is not None:
        arm, values = claim.course.arm, slopes(trials, claim.course, claim.id)
    else:
        assert claim.value is not None
        arm = claim.value.arm
        values = np.asarray(column(trials, claim.value, claim.id).sort_index(), dtype=np.float64)
    return values, int(trials[trials["arm"] == arm]["replicate"].nunique()) - len(values)
