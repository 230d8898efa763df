"""Figures of kind ``maps``: roads coloured by a share, with ways and positions drawn over them.

A panel's picture NAME is an array of segments, [segment, 4] as x, y, x, y in metres. Beside it may lie ``NAME_values``
[segment], shares that colour them, NaN where nothing is known; ``NAME_ways`` [way, point, 2] with NaN beyond a way's
end, and their labels ``NAME_labels`` [way]; and ``NAME_points`` [point, 2].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas

from torchstone.core.files import Arrays
from torchstone.report.axes import INK, PERCENT
from torchstone.report.pictures import Shown, array_of
from torchstone.report.plan import Figure

SCALES = ("speed",)
COLOURS = "RdYlBu"  # slow is red, and all kinds of colour vision tell its ends apart
UNKNOWN = "#c4c4c4"
WAYS = (("#000000", 3.2), ("#D55E00", 1.6))  # colour and width: the first way lies under the next
COLUMNS, WIDTH = 3, 9.6
MARGIN = 0.06  # around the ways, as a share of their extent


def draw(figure: Figure, shown: Sequence[Shown]) -> Canvas:
    """Draw each panel's roads at one scale, with one colour bar and one legend for all; there is at least one panel."""
    abreast = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / abreast)
    high = max(_shape(one) for one in shown)
    canvas = Canvas(figsize=(WIDTH, 1.25 + rows * high * WIDTH / abreast), layout="constrained")
    grid = list(canvas.subplots(rows, abreast, squeeze=False).flat)
    coloured = False
    for axes, one in zip(grid, shown, strict=False):
        coloured |= _draw_roads(axes, array_of(figure, one), one.arrays, str(one.panel.picture))
        axes.set_title(one.panel.title, fontsize=10.5, color=INK, loc="left")
    for axes in grid:
        axes.set_axis_off()
    if coloured:
        scale = ScalarMappable(Normalize(0.0, 1.0), COLOURS)
        bar = canvas.colorbar(scale, ax=grid, location="bottom", fraction=0.04, aspect=50, format=PERCENT)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8.5, colors=INK, length=2)
        bar.set_label(figure.xlabel, fontsize=9.5)
    handles = {text: handle for handle, text in zip(*grid[0].get_legend_handles_labels(), strict=True)}
    if handles:
        canvas.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=3, frameon=False, fontsize=9.5
        )
    return canvas


def _draw_roads(axes: Axes, lines: np.ndarray, arrays: Arrays, name: str) -> bool:
    """Draw one panel; returns whether its roads are coloured."""
    segments = np.asarray(lines, dtype=np.float64).reshape(-1, 2, 2)
    values = arrays.get(f"{name}_values")
    if values is None:
        axes.add_collection(LineCollection(list(segments), colors=UNKNOWN, linewidths=0.8))
    else:
        known = ~np.isnan(values)
        axes.add_collection(LineCollection(list(segments[~known]), colors=UNKNOWN, linewidths=1.0))
        roads = LineCollection(list(segments[known]), cmap=COLOURS, norm=Normalize(0.0, 1.0), linewidths=2.4)
        roads.set_array(values[known])
        axes.add_collection(roads)
    ways = arrays.get(f"{name}_ways", np.empty((0, 0, 2)))
    for place, way in enumerate(ways):
        colour, width = WAYS[place % len(WAYS)]
        label = str(arrays[f"{name}_labels"][place])
        there = ~np.isnan(way[:, 0])
        axes.plot(*way[there].T, color=colour, linewidth=width, label=label, solid_joinstyle="round")
    points = arrays.get(f"{name}_points")
    if points is not None:
        axes.plot(*points.T, "o", color="#0072B2", markersize=3.5, label="positions received", zorder=1.5)
    axes.set_aspect("equal")
    axes.autoscale_view()
    if len(ways):
        _look_at(axes, ways.reshape(-1, 2))
    return values is not None


def _look_at(axes: Axes, places: np.ndarray) -> None:
    """Show the surroundings of some places, [place, 2]; NaN are no places."""
    low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
    room = MARGIN * (high - low).max()
    axes.set_xlim(low[0] - room, high[0] + room)
    axes.set_ylim(low[1] - room, high[1] + room)


def _shape(shown: Shown) -> float:
    """Return the height of what a panel shows as a share of its width."""
    name = str(shown.panel.picture)
    places = shown.arrays.get(f"{name}_ways", shown.arrays.get(name, np.zeros((1, 2)))).reshape(-1, 2)
    width, height = np.nanmax(places, axis=0) - np.nanmin(places, axis=0)
    return float(np.clip(height / max(width, 1e-9), 0.3, 1.2))
