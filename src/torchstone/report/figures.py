"""Figures of a study, drawn from their tables alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas

from torchstone.report.axes import Styles, draw_panel
from torchstone.report.plan import Colour, Figure
from torchstone.report.tables import Names

PALETTE = {
    "blue": "#0072B2", "vermillion": "#D55E00", "green": "#009E73", "pink": "#CC79A7", "orange": "#E69F00",
    "sky": "#56B4E9", "black": "#000000", "brown": "#7A5C00", "purple": "#6A3D9A", "grey": "#888888",
}  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
COLUMNS = 3
LETTERS = 12.5  # of a legend, to an inch of the figure
RAMP, PALEST = "viridis", 0.85  # from light (small) to dark (large), also in grey; beyond, too pale on white


def styles(figures: Iterable[Figure], colours: Mapping[str, Colour] | None = None) -> dict[str, tuple[str, str]]:
    """Give each label of a study a colour and a marker, the same in all its figures; no two labels share both.

    Colours that ``colours`` names come first (a learner's single model may share its ensemble's, being drawn as a
    level line); the other labels take the colours used least, in the order in which the labels first appear.
    """
    labels = list(dict.fromkeys(label for figure in figures for panel in figure.panels for label in panel.labels()))
    named = {label: PALETTE[name] for label, name in (colours or {}).items()}
    uses = {colour: list(named.values()).count(colour) for colour in PALETTE.values()}
    given: dict[str, tuple[str, str]] = {}
    for place, label in enumerate(labels):
        if label in named:
            colour = named[label]
        else:
            colour = min(uses, key=lambda candidate: uses[candidate])
            uses[colour] += 1
        turned = [MARKERS[(place + step) % len(MARKERS)] for step in range(len(MARKERS))]
        free = [marker for marker in turned if (colour, marker) not in given.values()]
        given[label] = (colour, (free or turned)[0])
    return given


def by_x(figure: Figure, table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Give the labels that each x of the trials makes ("batch 32") steps of one ramp of colours, in the order of x."""
    drawn = set(table["arm"]) - {label for panel in figure.panels for label in panel.labels()}
    names = dict.fromkeys(name for panel in figure.panels for name, point in (panel.points or {}).items() if point.by)
    given: dict[str, tuple[str, str]] = {}
    for name in names:
        ends = [label.removeprefix(f"{name} ") for label in drawn if label.startswith(f"{name} ")]
        places = sorted((float(end), end) for end in ends)
        for step, (_, end) in enumerate(places):
            colour = colormaps[RAMP](PALEST * (1 - step / max(len(places) - 1, 1)))
            given[f"{name} {end}"] = (to_hex(colour), MARKERS[step % len(MARKERS)])
    return given


def draw(figure: Figure, table: pd.DataFrame, style: Styles, names: Names | None = None) -> Canvas:
    """Draw a figure, a panel a data set and one legend for all; the table must not be empty.

    ``names`` are those of the ticks, from ``tables.tick_names``.
    """
    shown = set(table["panel"])
    panels = [panel for panel in figure.panels if panel.title in shown]
    columns = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    spare = rows * columns - len(panels)
    looks = {**style, **by_x(figure, table)}
    labels = [label for label in looks if label in set(table["arm"])]
    width = 9.6 if columns > 1 else 5.6
    abreast = _abreast(labels, width)
    height = 2.75 * rows + (0.2 if spare else 0.28 * math.ceil(len(labels) / abreast) + 0.2)
    canvas = Canvas(figsize=(width, height), layout="constrained")
    grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
    twins = []
    for place, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
        part = table[table["panel"] == panel.title]
        twins.append(draw_panel(axes, figure, panel, part, looks, columns, (names or {}).get(panel.title, {})))
        if place % columns == 0 or panel.ylabel is not None or figure.twin:
            axes.set_ylabel(panel.ylabel or figure.ylabel, fontsize=9.5)
        if place + columns >= len(panels):
            axes.set_xlabel(figure.xlabel, fontsize=9.5)
    _legend(canvas, grid, [twin for twin in twins if twin is not None], len(panels), labels, abreast)
    return canvas


def _abreast(labels: list[str], width: float) -> int:
    """Return how many columns a legend may have below a figure of so many inches: four, or fewer if names are long."""
    for columns in range(min(4, len(labels)), 1, -1):
        rows = math.ceil(len(labels) / columns)
        longest = [max(map(len, labels[first : first + rows])) for first in range(0, len(labels), rows)]
        if sum(longest) + 7 * columns <= LETTERS * width:
            return columns
    return 1


def _legend(
    canvas: Canvas, grid: list[Axes], twins: list[Axes], used: int, labels: Iterable[str], abreast: int
) -> None:
    """Put one legend for all panels into the cells that are left over, or below the panels if none are."""
    drawn = [*grid, *twins]
    handles = {text: handle for axes in drawn for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    names = [label for label in labels if label in handles]
    chosen = [handles[name] for name in names]
    spare = len(grid) - used
    for axes in grid[used:]:
        axes.set_axis_off()
    if not spare:
        canvas.legend(chosen, names, loc="outside lower center", ncols=abreast, frameon=False, fontsize=9.5)
        return
    legend = grid[used].legend(
        chosen, names, loc="upper left", ncols=min(spare, 2), frameon=False, fontsize=9.5, borderaxespad=0
    )
    legend.set_in_layout(False)  # it may reach over both left-over cells without widening one
