"""The numbers behind each figure: one tidy table, which the SVG, dvc plots and a spreadsheet share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import rounded
from torchstone.core.schema import Params
from torchstone.core.trials import read_trials
from torchstone.report.plan import Figure, Panel
from torchstone.stats.compare import column
from torchstone.stats.ledger import Reading

LEVEL = 0.95
COLUMNS = ["panel", "arm", "x", "y", "low", "high", "n"]


class Trials:
    """The trials tables of the rows that the params have, read when first asked for."""

    def __init__(self, data: Path, params: Params) -> None:
        self._data, self._params = data, params
        self._read: dict[str, pd.DataFrame] = {}

    def of(self, name: str) -> pd.DataFrame | None:
        """Return the table of STAGE/KEY, or None if the params have no such row."""
        stage, key = name.split("/")
        if key not in self._params.rows(stage):
            return None
        if name not in self._read:
            self._read[name] = read_trials(self._data / stage / key / "trials.csv")
        return self._read[name]


Row = tuple[str, str, float, float, float, float, int]


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


def _curves(panel: Panel, trials: pd.DataFrame, figure: str) -> list[Row]:
    rows = []
    for arm, metric, label in panel.lines():
        of_arm = trials[trials["arm"] == arm]
        chosen = of_arm[(of_arm["metric"] == metric) & of_arm["x"].notna()]
        if chosen.empty and not of_arm.empty:
            known = set(of_arm["metric"][of_arm["x"].notna()])
            raise InputError(f"studies.yaml: {figure}: no '{metric}' of '{arm}' over x; {near_miss(metric, known)}")
        for x, values in chosen.groupby("x")["value"]:
            n = len(values)
            mean = float(values.mean())
            half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
            rows.append((panel.title, label, float(str(x)), mean, mean - half, mean + half, n))
    return rows


def _points(panel: Panel, trials: pd.DataFrame, figure: str) -> list[Row]:
    rows = []
    for label, point in (panel.points or {}).items():
        x, y = (reading(trials, wanted, figure) for wanted in (point.x, point.y))
        if x is None or y is None:
            continue
        for replicate in x.index.intersection(y.index).sort_values():
            value = float(y.loc[replicate])
            rows.append((panel.title, label, float(x.loc[replicate]), value, value, value, 1))
    return rows


def figure_table(figure: Figure, trials: Trials) -> pd.DataFrame:
    """Return what a figure draws: panel, arm (its label), x, y, low, high, n; curves have intervals of the mean."""
    rows = []
    for panel in figure.panels:
        table = trials.of(panel.trials)
        if table is not None:
            rows += (_curves if figure.kind == "curves" else _points)(panel, table, f"figure {figure.name}")
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    for name in ("x", "y", "low", "high"):
        frame[name] = [rounded(float(value), 8) for value in frame[name]]
    return frame
