"""The numbers behind each figure: one tidy table, which the SVG, dvc plots and a spreadsheet share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import Arrays, read_arrays, rounded
from torchstone.core.schema import Params
from torchstone.core.trials import read_trials
from torchstone.report.plan import Figure, Lines, Panel
from torchstone.stats.compare import column
from torchstone.stats.ledger import Reading

LEVEL = 0.95
COLUMNS = ["panel", "arm", "x", "y", "low", "high", "n"]
Row = tuple[str, str, float, float, float, float, int]
Names = Mapping[str, Mapping[float, str]]  # of ticks: panel, x, name


class Trials:
    """The trials tables of the rows that the params have, read when first asked for."""

    def __init__(self, data: Path, params: Params) -> None:
        self._data, self._params = data, params
        self._read: dict[tuple[str, str], pd.DataFrame] = {}

    def of(self, name: str) -> pd.DataFrame | None:
        """Return the table of STAGE/KEY, or None if the params have no such row; * and + put several together."""
        rows = self._params.matching(name)
        if not rows:
            return None
        for row in rows:
            if row not in self._read:
                self._read[row] = read_trials(self._data.joinpath(*row, "trials.csv"))
        return pd.concat([self._read[row] for row in rows], ignore_index=True)

    def pictures(self, name: str) -> Arrays | None:
        """Return the arrays of the sample pictures of one STAGE/KEY, or None if the params have no such row."""
        rows = self._params.matching(name)
        return read_arrays(self._data.joinpath(*rows[0], "pictures.npz")) if rows else None


def reading(trials: pd.DataFrame, wanted: Reading, where: str) -> pd.Series[float] | None:
    """Return a reading by replicate, None if the params leave its arm out.

    Raises InputError if the arm is there and has no such metric or x: that is a mistake in studies.yaml.
    """
    if wanted.arm not in set(trials["arm"]):
        return None
    try:
        return column(trials, wanted, where)
    except InputError as error:
        raise InputError(str(error).replace("claims.yaml: claim ", "studies.yaml: ", 1)) from None


def _over_x(trials: pd.DataFrame, arm: str, metric: str, where: str) -> pd.DataFrame:
    """Return the rows of a metric that have an x; empty if the arm is absent, an error if only the metric is."""
    of_arm = trials[(trials["arm"] == arm) & trials["x"].notna()]
    chosen = of_arm[of_arm["metric"] == metric]
    if chosen.empty and arm in set(trials["arm"]):
        raise InputError(
            f"studies.yaml: {where}: no '{metric}' of '{arm}' over x; {near_miss(metric, set(of_arm['metric']))}"
        )
    if chosen.duplicated(["x", "replicate"]).any():
        raise InputError(
            f"studies.yaml: {where}: '{metric}' of '{arm}' has several rows a replicate at one x; "
            "let its trials name one data set"
        )
    return chosen


def _mean(values: pd.Series[float], *, log: bool) -> tuple[float, float, float]:
    """Return the mean and the ends of its interval; for a logarithmic axis those of the logarithm, taken back."""
    scaled = np.log10(values.to_numpy(dtype="float64")) if log else values
    n = len(values)
    mean = float(scaled.mean())
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * scaled.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    low, high = mean - half, mean + half
    return (10**mean, 10**low, 10**high) if log else (mean, low, high)


def _curves(title: str, curves: Lines, trials: pd.DataFrame, where: str, *, log: bool) -> list[Row]:
    """Return a row for each x of each curve; a value without a logarithm has no place on a logarithmic axis."""
    rows = []
    for arm, metric, label in curves.lines():
        chosen = _over_x(trials, arm, metric, where)
        if log:
            chosen = chosen[chosen["value"] > 0]
        for x, values in chosen.groupby("x")["value"]:
            rows.append((title, label, float(str(x)), *_mean(values, log=log), len(values)))
    return rows


def _points(figure: Figure, panel: Panel, trials: pd.DataFrame, where: str) -> list[Row]:
    rows = []
    for name, point in (panel.points or {}).items():
        pairs = [pair for pair in point.pairs() if {part.arm for part in pair} <= set(trials["arm"])]
        if point.by is None:
            rows += [(panel.title, name, x, y, y, y, 1) for pair in pairs for x, y in _both(pair, trials, where)]
            continue
        labelled = [(at, pair) for pair in pairs for at in _shared_x(pair, trials, where)]
        for at, pair in sorted(labelled, key=lambda one: one[0]):
            placed = [part.model_copy(update={"x": at}) for part in pair]
            rows += [(panel.title, f"{name} {at:.12g}", x, y, y, y, 1) for x, y in _both(placed, trials, where)]
    ylog = figure.ylog_of(panel)
    return [row for row in rows if (row[2] > 0 or not figure.log) and (row[3] > 0 or not ylog)]


def _shared_x(pair: Iterable[Reading], trials: pd.DataFrame, where: str) -> set[float]:
    """Return the x at which both readings of a point have trials."""
    x, y = (set(_over_x(trials, part.arm, part.metric, where)["x"]) for part in pair)
    return x & y


def _both(pair: Iterable[Reading], trials: pd.DataFrame, where: str) -> list[tuple[float, float]]:
    """Return the place of each replicate that has both readings."""
    x, y = (reading(trials, part, where) for part in pair)
    if x is None or y is None:
        return []
    shared = x.index.intersection(y.index).sort_values()
    return [(float(x.loc[replicate]), float(y.loc[replicate])) for replicate in shared]


def _rows(figure: Figure, panel: Panel, trials: Trials, where: str) -> list[tuple[Row, str]]:
    """Return the rows of a panel, each with the axis that it is drawn against."""
    table = trials.of(panel.trials)
    if table is None:
        return []
    if figure.kind == "pairs":
        return [(row, "left") for row in _points(figure, panel, table, where)]
    rows = [(row, "left") for row in _curves(panel.title, panel, table, where, log=figure.ylog_of(panel))]
    right = panel.right
    beside = None if right is None else trials.of(right.trials or panel.trials)
    if right is not None and beside is not None:
        rows += [(row, "right") for row in _curves(panel.title, right, beside, where, log=right.log)]
    return rows


def figure_table(figure: Figure, trials: Trials) -> pd.DataFrame:
    """Return what a figure draws: panel, arm (its label), x, y, low, high, n; curves have intervals of the mean.

    A figure with a second y axis has the column "axis" too, left or right.
    """
    rows = [row for panel in figure.panels for row in _rows(figure, panel, trials, f"figure {figure.name}")]
    frame = pd.DataFrame([row for row, _ in rows], columns=pd.Index(COLUMNS))
    for name in ("x", "y", "low", "high"):
        frame[name] = [rounded(float(value), 8) for value in frame[name]]
    if figure.twin:
        frame["axis"] = [axis for _, axis in rows]
    return frame


def tick_names(figure: Figure, trials: Trials) -> Names:
    """Return what names each x, by the panel's title; empty for a figure whose x speak for themselves."""
    wanted = figure.ticks
    if wanted is None:
        return {}
    names: dict[str, dict[float, str]] = {}
    for panel in figure.panels:
        table = trials.of(panel.trials)
        if table is not None:
            chosen = _over_x(table, wanted.arm, wanted.metric, f"figure {figure.name}: ticks")
            means = chosen.groupby("x")["value"].mean()
            names[panel.title] = {
                rounded(float(str(x)), 8): share(mean) if wanted.percent else f"{mean:.3g}" for x, mean in means.items()
            }
    return names


def share(value: float) -> str:
    """Show a share times 100: 100, 51.7, 3.9, 0.8; below a tenth of a percent its first digit, 0.04."""
    percent = 100 * float(value)
    decimals = -math.floor(math.log10(percent)) if 0 < percent < 0.1 else 1
    return f"{round(percent, decimals):.12g}"
