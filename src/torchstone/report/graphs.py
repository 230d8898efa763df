"""Figures of kind ``graphs``: the steps of a computation as boxes and arrows, with a value and a gradient in each box.

A panel's picture NAME is an array [node, 2] of values and gradients; ``NAME_labels`` [node] says what a node is, and
``NAME_edges`` [edge, 2] from which node to which a number goes, inputs before what is made of them. The layout follows
from the edges: a node's column is the longest way to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from torchstone.core.errors import InputError
from torchstone.report.axes import INK
from torchstone.report.pictures import Shown, array_of
from torchstone.report.plan import Figure

VALUE, GRADIENT, ARROW, EDGE = (
    "#0072B2",
    "#B34A00",
    "#888888",
    "#cccccc",
)  # the first two are also read as text on white
BOX = (0.28, 0.32)  # half width and half height, a column being 1 wide and a row 1 high
PITCH = (1.75, 0.95)  # inches from a column to the next, and from a row to the next
ROOM, HEAD = 0.5, 0.6  # rows around the boxes; inches of the legend
BEND = 0.25  # of a long arrow, as a share of its length
LINES = (0.19, 0.0, -0.18)  # of text in a box: label, value, gradient
DIGITS = 4  # of a number that is shown


def draw(figure: Figure, shown: Sequence[Shown]) -> Canvas:
    """Draw a graph for each panel, one below the other, and one legend; there is at least one panel."""
    graphs = [_checked(figure, one) for one in shown]
    placed = [places(len(numbers), edges) for numbers, _, edges in graphs]
    wide = max(float(spots[:, 0].max()) for spots in placed)
    highs = [float(np.ptp(spots[:, 1])) + 2 * ROOM for spots in placed]
    canvas = Canvas(figsize=((wide + 2 * ROOM) * PITCH[0], sum(highs) * PITCH[1] + HEAD), layout="constrained")
    grid = canvas.subplots(len(shown), 1, squeeze=False, height_ratios=highs)
    for axes, one, (numbers, labels, edges), spots in zip(grid.flat, shown, graphs, placed, strict=True):
        _draw_graph(axes, numbers, labels, edges, spots)
        axes.set_title(one.panel.title, fontsize=10.5, color=INK, loc="left")
        axes.set_xlim(-ROOM, wide + ROOM)
        axes.set_ylim(spots[:, 1].min() - ROOM, spots[:, 1].max() + ROOM)
        axes.set_axis_off()
    handles = [Line2D([], [], color=colour, linewidth=5) for colour in (VALUE, GRADIENT)]
    names = ["value", "gradient of the result"]
    canvas.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9.5)
    return canvas


def places(count: int, edges: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return where nodes are drawn, [node, 2]: in the column of the longest way to each, spread over the height.

    In a column they stand in the order of the mean height of what they are made of, so that few arrows cross.
    """
    columns = np.zeros(count, dtype=np.int64)
    for low, high in sorted(edges.tolist(), key=lambda edge: edge[1]):
        columns[high] = max(columns[high], columns[low] + 1)
    height = int(np.bincount(columns).max()) - 1
    spots = np.zeros((count, 2))
    spots[:, 0] = columns
    for column in range(int(columns.max()) + 1):
        nodes = [int(node) for node in np.flatnonzero(columns == column)]
        made_of = [[int(low) for low, high in edges if high == node] for node in nodes]
        means = [-spots[below, 1].mean() if below else 0.0 for below in made_of]
        order = [node for _, node in sorted(zip(means, nodes, strict=True))]
        spots[order, 1] = np.linspace(height / 2, -height / 2, len(order)) if len(order) > 1 else 0.0
    return spots


def _draw_graph(
    axes: Axes, numbers: npt.NDArray[Any], labels: Sequence[str], edges: npt.NDArray[Any], spots: npt.NDArray[Any]
) -> None:
    """Draw arrows from box to box, and in each box its label, value and gradient."""
    for low, high in edges:
        start, end = spots[low] + (BOX[0], 0), spots[high] - (BOX[0], 0)
        bend = BEND * np.sign(end[1] - start[1]) if end[0] - start[0] > 1 else 0.0  # around the boxes between
        arrow = {"arrowstyle": "-|>", "color": ARROW, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
        arrow["connectionstyle"] = f"arc3,rad={bend:g}"
        axes.annotate("", end, start, arrowprops=arrow, zorder=1)
    for (x, y), label, (value, gradient) in zip(spots, labels, numbers, strict=True):
        corner = x - BOX[0], y - BOX[1]
        axes.add_patch(Rectangle(corner, 2 * BOX[0], 2 * BOX[1], facecolor="white", edgecolor=EDGE, zorder=2))
        texts = (
            (label, INK, "bold"),
            (f"{value:.{DIGITS}g}", VALUE, "normal"),
            (f"{gradient:.{DIGITS}g}", GRADIENT, "normal"),
        )
        for line, (text, colour, weight) in zip(LINES, texts, strict=True):
            axes.text(x, y + line, text, ha="center", va="center", fontsize=10.5, color=colour, weight=weight, zorder=3)


def _checked(figure: Figure, shown: Shown) -> tuple[npt.NDArray[Any], list[str], npt.NDArray[Any]]:
    """Return numbers, labels and edges of a panel; raises InputError if they are not what can be drawn."""
    name = str(shown.panel.picture)
    numbers = array_of(figure, shown)
    labels, edges = (shown.arrays.get(f"{name}_{part}", np.empty(0)) for part in ("labels", "edges"))
    fits = numbers.ndim == 2 and numbers.shape[1:] == (2,) and len(labels) == len(numbers)
    if not fits or edges.ndim != 2 or edges.shape[1:] != (2,) or not (edges[:, 0] < edges[:, 1]).all():
        raise InputError(
            f"studies.yaml: figure {figure.name}: {shown.panel.trials}/pictures.npz: a graph needs '{name}' [node, 2], "
            f"'{name}_labels' [node], and '{name}_edges' [edge, 2] from a node to a later one"
        )
    return numbers, [str(label) for label in labels], edges
