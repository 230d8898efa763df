"""One panel of a figure: its curves or points, its scales, ticks and marks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)

from torchstone.report.plan import Figure, Panel

INK = "#333333"
PERCENT = FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %")
ROUND = [step * 10**power for power in range(7) for step in (1, 2, 5)]
APART = 1.6  # times the one before: x that grow so fast are ticks themselves, if they are not too many
MOST = {1: 8, 2: 8, 3: 4}  # such ticks at most, by how many panels stand abreast
SPARE = 3  # more of such ticks may stand on an axis whose ticks are round numbers, which are short
NAMED = {1: 12, 2: 10, 3: 7}  # ticks with names at most, by how many panels stand abreast
LARGE = 1e5  # x from which ticks are abbreviated
WIDE = 3.0  # decades; a log axis that spans fewer has ticks at 2 and 5 too
LEVEL = 1e-9  # shares that differ by less do not differ
Styles = Mapping[str, tuple[str, str]]


def draw_panel(
    axes: Axes,
    figure: Figure,
    panel: Panel,
    part: pd.DataFrame,
    style: Styles,
    columns: int,
    names: Mapping[float, str],
) -> Axes | None:
    """Draw the rows of one panel of so many abreast; returns its second axes, on the right, if it has some.

    ``names`` are those of the x, for a figure that asks for them.
    """
    left = part[part["axis"] == "left"] if figure.twin else part
    if figure.kind == "curves":
        _draw_curves(axes, left, style, dashed=False)
    else:
        _draw_points(axes, figure, left, style)
    _dress(axes, figure, panel)
    if figure.zero:
        axes.axhline(0, color="#888888", linewidth=0.9, linestyle=(0, (3, 3)), zorder=0.5)
    if figure.log:
        _scale_x(axes, figure, part, MOST[columns])
    if figure.ticks is not None:
        places = spread([x for x in sorted(set(part["x"])) if x in names], NAMED[columns])
        axes.set_xticks(places, [names[x] for x in places])
    if figure.ylog_of(panel):
        _scale_log(axes, "y")
    elif figure.kind == "curves" and figure.percent_of(panel):
        _keep_to_shares(axes, left)
    twin = _draw_right(axes, panel, part, style) if figure.twin else None
    _mark(axes, figure.marks)
    return twin


def _draw_right(axes: Axes, panel: Panel, part: pd.DataFrame, style: Styles) -> Axes | None:
    """Draw what belongs to the second y axis, dashed, if the panel has it and its trials are there."""
    rows = part[part["axis"] == "right"]
    if panel.right is None or rows.empty:
        return None
    twin: Axes = axes.twinx()
    _draw_curves(twin, rows, style, dashed=True)
    twin.spines[["top", "left", "bottom"]].set_visible(False)
    twin.tick_params(labelsize=8.5, colors=INK)
    twin.set_ylabel(f"{panel.right.ylabel} (dashed)", fontsize=9.5)
    if panel.right.percent:
        twin.yaxis.set_major_formatter(PERCENT)
        _keep_to_shares(twin, rows)
    if panel.right.log:
        _scale_log(twin, "y")
    return twin


def _dress(axes: Axes, figure: Figure, panel: Panel) -> None:
    """Give a panel its title, grid and number format."""
    axes.set_title(panel.title, fontsize=10.5, color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, colors=INK)
    if figure.percent_of(panel):
        axes.yaxis.set_major_formatter(PERCENT)
        if figure.kind == "pairs":
            axes.xaxis.set_major_formatter(PERCENT)
    if figure.kind == "pairs":
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(6))


def _draw_curves(axes: Axes, part: pd.DataFrame, style: Styles, *, dashed: bool) -> None:
    for label in [label for label in style if label in set(part["arm"])]:
        line = part[part["arm"] == label].sort_values("x")
        colour, marker = style[label]
        if len(line) == 1:  # one model: a level line with its interval, along all members
            axes.axhspan(line["low"].iloc[0], line["high"].iloc[0], color=colour, alpha=0.1, linewidth=0)
            axes.axhline(line["y"].iloc[0], color=colour, linewidth=1.3, linestyle=(0, (5, 2)), label=label)
            continue
        axes.fill_between(line["x"], line["low"], line["high"], color=colour, alpha=0.16, linewidth=0)
        axes.plot(
            line["x"], line["y"], color=colour, marker=marker, markersize=3.5, linewidth=1.4, label=label,
            linestyle=(0, (4, 2)) if dashed else "-",
        )  # fmt: skip


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


def _scale_x(axes: Axes, figure: Figure, part: pd.DataFrame, most: int) -> None:
    """Make the x axis logarithmic; curves get ticks at their own x if these are few, else at round numbers."""
    if figure.kind == "pairs":
        _scale_log(axes, "x")
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(log_ticks(sorted(set(part["x"])), most)))
    axes.xaxis.set_minor_locator(NullLocator())
    large = part["x"].max() >= LARGE
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain(x)) if large else ScalarFormatter())


def log_ticks(places: Sequence[float], most: int) -> list[float]:
    """Return ticks for the x of curves: the x themselves if they lie far apart, else 1, 2, 5, 10 and so on."""
    steps = [after / before for before, after in pairwise(places)]
    if not steps or min(steps) < APART:
        inside = [tick for tick in ROUND if places[0] <= tick <= places[-1]]
        return inside[::-1][:: max(math.ceil(len(inside) / (most + SPARE)), 1)][::-1]
    return list(places[:: math.ceil(len(places) / most)])


def spread(places: Sequence[float], most: int) -> list[float]:
    """Return the first and the last of sorted places, and of those between as many as keep their distance."""
    if len(places) < 3:
        return list(places)
    apart = (places[-1] - places[0]) / (most - 1) * (1 - 1e-9)
    chosen = [places[0]]
    for place in places[1:-1]:
        if place - chosen[-1] >= apart and places[-1] - place >= apart:
            chosen.append(place)
    return [*chosen, places[-1]]


def _scale_log(axes: Axes, which: str) -> None:
    """Make an axis logarithmic, with ticks in plain numbers, also between the powers of ten if it spans few."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    steps = (1.0,) if math.log10(high / low) > WIDE else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps, numticks=9))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def plain(value: float) -> str:
    """Show a number of a log axis as people write it: 0.01, 20, 5000, then 20 k, 3 M, 1 G."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size * (1 - 1e-9):
            return f"{value / (1e3 if letter == 'k' else size):.6g} {letter}"
    return f"{value:.6g}"


def _keep_to_shares(axes: Axes, part: pd.DataFrame) -> None:
    """Keep the axis of shares near 0 and 1, beyond which an interval may reach but no share."""
    if part["y"].between(0, 1).all():
        low, high = axes.get_ylim()
        if high - low < LEVEL:  # all at one height: an axis of rounding errors would have the same tick all along
            low, high = low - 0.05, high + 0.05
        axes.set_ylim(max(low, -0.05), min(high, 1.05))


def _mark(axes: Axes, marks: Mapping[float, str]) -> None:
    """Draw upright lines at given x, with their names above the panel."""
    if not marks:
        return
    for place in marks:
        axes.axvline(place, color="#888888", linewidth=0.9, linestyle=(0, (3, 3)), zorder=0.5)
    names = axes.secondary_xaxis("top")
    names.xaxis.set_major_locator(FixedLocator(list(marks)))
    names.xaxis.set_minor_locator(NullLocator())
    names.set_xticks(list(marks), list(marks.values()))
    names.tick_params(length=0, pad=1, labelsize=8.5, labelcolor=INK)
    names.spines["top"].set_visible(False)
