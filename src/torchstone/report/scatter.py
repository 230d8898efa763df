"""Figures of kind ``scatter``: clouds of points against a known truth, from the arrays that a stage keeps.

An array has the shape [column, point, 2], one small plot a column; ``NAME_columns`` are their labels, and
``NAME_centres`` [centre, 2] the truth, drawn as crosses. All plots of a panel have the same axes, about the centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from torchstone.core.errors import InputError
from torchstone.report.axes import INK
from torchstone.report.pictures import Shown, array_of
from torchstone.report.plan import Figure

POINT, CROSS = "#0072B2", "#D55E00"
SIDE, HEAD, LEFT = 1.5, 0.24, 0.95  # inches of a small plot, of a line of text, of a panel's name
ROOM = 0.25  # of the centres' extent, around them
LEAST = 1.0  # half the extent shown, if the centres are one point
DIGITS = 3  # of the drawn coordinates, to keep the file small


def draw(figure: Figure, shown: Sequence[Shown]) -> Canvas:
    """Draw a row of small plots for each panel, its title in front; there is at least one panel."""
    clouds = [_checked(figure, one) for one in shown]
    most = max(len(cloud) for cloud in clouds)
    canvas = Canvas(figsize=(LEFT + most * SIDE, len(shown) * (SIDE + HEAD) + 0.1), layout="constrained")
    grid = canvas.subplots(len(shown), most, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, one, cloud in zip(grid, shown, clouds, strict=True):
        name = str(one.panel.picture)
        centres = one.arrays[f"{name}_centres"]
        labels = one.arrays.get(f"{name}_columns", np.full(len(cloud), ""))
        for axes, points, label in zip(row, cloud, labels, strict=False):
            _draw_cloud(axes, points, centres)
            axes.set_title(str(label), fontsize=8.5, color=INK)
        row[0].set_ylabel(one.panel.title, fontsize=9.5, rotation=0, ha="right", va="center")
    return canvas


def _draw_cloud(axes: Axes, points: npt.NDArray[Any], centres: npt.NDArray[Any]) -> None:
    """Draw one plot, centred on the truth; points outside it are pulled to its edge, so that none goes unseen."""
    middle = (centres.max(axis=0) + centres.min(axis=0)) / 2
    extent = float(np.ptp(centres, axis=0).max())
    half = extent * (0.5 + ROOM) if extent > 0 else max(LEAST, float(np.abs(points - middle).max()) * 1.05)
    inside = np.clip(points, middle - half, middle + half).round(DIGITS)
    axes.set_axis_on()
    axes.plot(*centres.T, "x", color=CROSS, markersize=5, markeredgewidth=0.8)
    axes.plot(*inside.T, ".", color=POINT, markersize=2.2, markeredgewidth=0, alpha=0.6, rasterized=True)
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] - half, middle[1] + half)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#cccccc")


def _checked(figure: Figure, shown: Shown) -> npt.NDArray[Any]:
    """Return the points of a panel; raises InputError if they are not what can be drawn."""
    name = str(shown.panel.picture)
    points = array_of(figure, shown)
    if points.ndim != 3 or points.shape[2] != 2 or f"{name}_centres" not in shown.arrays:
        raise InputError(
            f"studies.yaml: figure {figure.name}: {shown.panel.trials}/pictures.npz: '{name}' has the shape "
            f"{list(points.shape)}; a scatter needs [column, point, 2], and '{name}_centres' beside it"
        )
    finite: npt.NDArray[Any] = np.nan_to_num(points, nan=1e9, posinf=1e9, neginf=-1e9)
    return finite
