"""The numbers behind each figure: one tidy table, which the SVG, dvc plots and a spreadsheet share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from torchstone.core.files import rounded
from torchstone.core.schema import Params
from torchstone.core.trials import read_trials
from torchstone.report.plan import Figure, Panel
from torchstone.stats.compare import column

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


def _curves(panel: Panel, trials: pd.DataFrame) -> list[tuple[str, str, float, float, float, float, int]]:
    rows = []
    for arm, metric, label in panel.lines():
        chosen = trials[(trials["arm"] == arm) & (trials["metric"] == metric) & trials["x"].notna()]
        for x, values in chosen.groupby("x")["value"]:
            n = len(values)
            mean = float(values.mean())
            half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
            rows.append((panel.title, label, float(str(x)), mean, mean - half, mean + half, n))
    return rows


def _points(panel: Panel, trials: pd.DataFrame, figure: str) -> list[tuple[str, str, float, float, float, float, int]]:
    rows = []
    for label, point in (panel.points or {}).items():
        if point.x.arm not in set(trials["arm"]):
            continue
        x, y = (column(trials, reading, f"figure {figure}") for reading in (point.x, point.y))
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
            rows += _curves(panel, table) if figure.kind == "curves" else _points(panel, table, figure.name)
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    for name in ("x", "y", "low", "high"):
        frame[name] = [rounded(float(value), 8) for value in frame[name]]
    return frame
