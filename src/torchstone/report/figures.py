"""Figures of a study, drawn from their tables alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, ScalarFormatter

from torchstone.report.plan import Colour, Figure, Panel

PALETTE = {
    "blue": "#0072B2", "vermillion": "#D55E00", "green": "#009E73", "pink": "#CC79A7", "orange": "#E69F00",
    "sky": "#56B4E9", "black": "#000000", "brown": "#7A5C00", "purple": "#6A3D9A", "grey": "#888888",
}  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
COLUMNS = 3
INK = "#333333"
PERCENT = FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %")
Styles = Mapping[str, tuple[str, str]]


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


def draw(figure: Figure, table: pd.DataFrame, style: Styles) -> Canvas:
    """Draw a figure, a panel a data set and one legend for all; the table must not be empty."""
    shown = set(table["panel"])
    panels = [panel for panel in figure.panels if panel.title in shown]
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    spare = rows * columns - len(panels)
    labels = [label for label in style if label in set(table["arm"])]
    height = 2.75 * rows + (0.2 if spare else 0.28 * math.ceil(len(labels) / 4) + 0.2)
    canvas = Canvas(figsize=(9.6 if columns > 1 else 5.6, height), layout="constrained")
    grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for place, (axes, panel) in enumerate(zip(grid, panels, strict=False)):
        part = table[table["panel"] == panel.title]
        (_draw_curves if figure.kind == "curves" else _draw_points)(axes, figure, part, style)
        _dress(axes, figure, panel)
        if place % columns == 0 or panel.ylabel is not None:
            axes.set_ylabel(panel.ylabel or figure.ylabel, fontsize=9.5)
        if place + columns >= len(panels):
            axes.set_xlabel(figure.xlabel, fontsize=9.5)
    _legend(canvas, grid, len(panels), spare, labels)
    return canvas


def _legend(canvas: Canvas, grid: list[Axes], used: int, spare: int, labels: Iterable[str]) -> None:
    """Put one legend for all panels into the cells that are left over, or below the panels if none are."""
    handles = {text: handle for axes in grid for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    names = [label for label in labels if label in handles]
    chosen = [handles[name] for name in names]
    for axes in grid[used:]:
        axes.set_axis_off()
    if not spare:
        canvas.legend(chosen, names, loc="outside lower center", ncols=min(4, len(names)), frameon=False, fontsize=9.5)
        return
    legend = grid[used].legend(
        chosen, names, loc="upper left", ncols=min(spare, 2), frameon=False, fontsize=9.5, borderaxespad=0
    )
    legend.set_in_layout(False)  # it may reach over both left-over cells without widening one


def _dress(axes: Axes, figure: Figure, panel: Panel) -> None:
    """Give a panel its title, grid and number format."""
    axes.set_title(panel.title, fontsize=10.5, color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, colors=INK)
    if figure.percent if panel.percent is None else panel.percent:
        axes.yaxis.set_major_formatter(PERCENT)
        if figure.kind == "pairs":
            axes.xaxis.set_major_formatter(PERCENT)
    if figure.kind == "pairs":
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(6))


def _draw_curves(axes: Axes, figure: Figure, part: pd.DataFrame, style: Styles) -> None:
    for label in [label for label in style if label in set(part["arm"])]:
        line = part[part["arm"] == label].sort_values("x")
        colour, marker = style[label]
        if len(line) == 1:  # one model: a level line with its interval, along all members
            axes.axhspan(line["low"].iloc[0], line["high"].iloc[0], color=colour, alpha=0.1, linewidth=0)
            axes.axhline(line["y"].iloc[0], color=colour, linewidth=1.3, linestyle=(0, (5, 2)), label=label)
            continue
        axes.fill_between(line["x"], line["low"], line["high"], color=colour, alpha=0.16, linewidth=0)
        axes.plot(line["x"], line["y"], color=colour, marker=marker, markersize=3.5, linewidth=1.4, label=label)
    if figure.log:
        axes.set_xscale("log")
        last = float(part["x"].max())
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= last]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())


def _draw_points(axes: Axes, figure: Figure, part: pd.DataFrame, style: Styles) -> None:
    for label in [label for label in style if label in set(part["arm"])]:
        dots = part[part["arm"] == label]
        colour, marker = style[label]
        axes.scatter(dots["x"], dots["y"], s=26, color=colour, marker=marker, alpha=0.75, linewidths=0, label=label)
    if figure.diagonal:
        low = min(float(part["x"].min()), float(part["y"].min()))
        high = max(float(part["x"].max()), float(part["y"].max()))
        axes.axline((low, low), slope=1, color="#888888", linewidth=0.9, linestyle=(0, (3, 3)), zorder=0)
        room = 0.06 * (high - low) or 0.01
        axes.set_xlim(low - room, high + room)  # the same on both axes, so that the diagonal is one
        axes.set_ylim(low - room, high + room)
