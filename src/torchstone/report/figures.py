"""Figures of a study, drawn from their tables alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from torchstone.report.plan import Figure

# Okabe & Ito's colours tell apart for all kinds of colour vision; a label keeps its colour throughout the report.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7A5C00", "#6A3D9A", "#888888")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
COLUMNS = 3
INK = "#333333"


def styles(figures: Sequence[Figure]) -> dict[str, tuple[str, str]]:
    """Give each label of a study a colour and a marker, in the order in which the labels first appear."""
    labels: dict[str, None] = {}
    for figure in figures:
        for panel in figure.panels:
            labels |= dict.fromkeys(label for _, _, label in panel.lines())
            labels |= dict.fromkeys(panel.points or {})
    return {label: (PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]) for k, label in enumerate(labels)}


def draw(figure: Figure, table: pd.DataFrame, style: dict[str, tuple[str, str]]) -> Canvas:
    """Draw a figure, a panel a data set and one legend for all; the table must not be empty."""
    titles = list(dict.fromkeys(table["panel"]))
    columns = min(COLUMNS, len(titles))
    rows = math.ceil(len(titles) / columns)
    labels = [label for label in style if label in set(table["arm"])]
    legend_rows = math.ceil(len(labels) / 4)
    height = 2.75 * rows + 0.28 * legend_rows + 0.2
    canvas = Canvas(figsize=(9.6 if columns > 1 else 5.6, height), layout="constrained")
    grid = canvas.subplots(rows, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(titles):
            axes.set_visible(False)
            continue
        part = table[table["panel"] == titles[place]]
        (_draw_curves if figure.kind == "curves" else _draw_points)(axes, figure, part, style)
        axes.set_title(titles[place], fontsize=10, color=INK, loc="left")
        _tidy(axes)
        if place % columns == 0:
            axes.set_ylabel(figure.ylabel, fontsize=9)
        if place + columns >= len(titles):
            axes.set_xlabel(figure.xlabel, fontsize=9)
    handles = {
        text: handle for axes in grid.flat for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(
        [handles[label] for label in labels if label in handles], [label for label in labels if label in handles],
        loc="outside lower center", ncols=min(4, len(labels)), frameon=False, fontsize=9,
    )  # fmt: skip
    return canvas


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK)


def _draw_curves(axes: Axes, figure: Figure, part: pd.DataFrame, style: dict[str, tuple[str, str]]) -> None:
    for label in [label for label in style if label in set(part["arm"])]:
        line = part[part["arm"] == label].sort_values("x")
        colour, marker = style[label]
        if len(line) == 1:  # one model: a level line with its interval, along all members
            axes.axhspan(line["low"].iloc[0], line["high"].iloc[0], color=colour, alpha=0.12, linewidth=0)
            axes.axhline(line["y"].iloc[0], color=colour, linewidth=1.2, linestyle=(0, (5, 2)), label=label)
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


def _draw_points(axes: Axes, figure: Figure, part: pd.DataFrame, style: dict[str, tuple[str, str]]) -> None:
    for label in [label for label in style if label in set(part["arm"])]:
        dots = part[part["arm"] == label]
        colour, marker = style[label]
        axes.scatter(dots["x"], dots["y"], s=16, color=colour, marker=marker, alpha=0.75, linewidths=0, label=label)
    if figure.diagonal:
        low = min(float(part["x"].min()), float(part["y"].min()))
        high = max(float(part["x"].max()), float(part["y"].max()))
        axes.plot([low, high], [low, high], color="#888888", linewidth=0.9, linestyle=(0, (3, 3)), zorder=0)
