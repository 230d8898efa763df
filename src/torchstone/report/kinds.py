"""The kinds of figures, an entry each: what its panels need, and how it is drawn.

A new kind of picture is a module with a function like ``pictures.draw`` and an entry made by ``_picture``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure as Canvas

from torchstone.report import graphs, maps, pictures, scatter
from torchstone.report.axes import Styles
from torchstone.report.figures import draw
from torchstone.report.pictures import Shown
from torchstone.report.plan import Figure, Panel
from torchstone.report.tables import Trials, figure_table, tick_names

OF_PICTURES = {"name", "kind", "title", "caption", "xlabel", "ylabel", "panels"}  # all that such a figure may say
OF_A_PICTURE = {"title", "trials", "picture", "scale"}  # and a panel of it


class Drawing(NamedTuple):
    """What became of a figure: its canvas, unless no panel is among the params, and where its content lies."""

    canvas: Canvas | None
    table: pd.DataFrame | None = None
    files: tuple[str, ...] = ()


class Kind(NamedTuple):
    """What is wrong with a figure of this kind, if anything, and how it is drawn."""

    complaints: Callable[[Figure], Iterator[str]]
    drawing: Callable[[Figure, Trials, Styles], Drawing]


def drawing(figure: Figure, trials: Trials, style: Styles) -> Drawing:
    """Draw a figure of any kind; raises InputError if studies.yaml asks for what is not there."""
    return KINDS[figure.kind].drawing(figure, trials, style)


def _complaints_of_curves(figure: Figure) -> Iterator[str]:
    if figure.ticks is not None and figure.log:
        yield "ticks with names need a linear x axis; leave log out"
    for panel in figure.panels:
        if not panel.lines():
            yield f"panel '{panel.title}' of curves needs metric and arms, or arm and metrics"
        yield from _complaints_of_a_plot(figure, panel)


def _complaints_of_pairs(figure: Figure) -> Iterator[str]:
    if figure.ticks is not None:
        yield "ticks go with curves"
    for panel in figure.panels:
        if not panel.points:
            yield f"panel '{panel.title}' of pairs needs points"
        yield from _complaints_of_a_plot(figure, panel)
        if figure.diagonal and (figure.log or figure.ylog_of(panel)):
            yield "a diagonal needs linear axes; add diagonal: false"


def _complaints_of_a_plot(figure: Figure, panel: Panel) -> Iterator[str]:
    """Say what is wrong with a panel that has axes, be it curves or pairs."""
    for name in ("xlabel", "ylabel"):
        if name not in figure.model_fields_set:
            yield f"{figure.kind} need an {name}; only pictures do without"
    for name in ("picture", "scale"):
        if name in panel.model_fields_set:
            yield f"panel '{panel.title}' of {figure.kind} has no {name}, which goes with pictures"
    if panel.right and (figure.kind == "pairs" or not panel.right.lines()):
        yield f"panel '{panel.title}': right goes with curves and needs metric and arms, or arm and metrics"
    twice = [label for label, count in Counter(panel.labels()).items() if count > 1]
    if twice:
        yield f"panel '{panel.title}' gives the label '{twice[0]}' twice"


def _plot(figure: Figure, trials: Trials, style: Styles) -> Drawing:
    """Draw curves or pairs from their table of numbers, which is empty if the params have none of the panels."""
    table = figure_table(figure, trials)
    return Drawing(None if table.empty else draw(figure, table, style, tick_names(figure, trials)), table)


def _picture(sketch: Callable[[Figure, Sequence[Shown]], Canvas], scales: Sequence[str]) -> Kind:
    """Return a kind of picture: ``sketch`` draws the panels that the params have, in one of the ``scales``."""

    def complaints(figure: Figure) -> Iterator[str]:
        for name in sorted(figure.model_fields_set - OF_PICTURES):
            yield f"{figure.kind} have no {name}; remove it"
        for panel in figure.panels:
            where = f"panel '{panel.title}' of {figure.kind}"
            if panel.picture is None:
                yield f"{where} needs picture, the name of an array"
            for name in sorted(panel.model_fields_set - OF_A_PICTURE):
                yield f"{where} has no {name}; remove it"
            if panel.trials.count("/") != 1 or "*" in panel.trials:
                yield f"{where}: trials '{panel.trials}' must be one STAGE/KEY"
            if panel.scale is not None and panel.scale not in scales:
                yield f"{where}: unknown scale '{panel.scale}'; known: {', '.join(scales)}"

    def drawing(figure: Figure, trials: Trials, style: Styles) -> Drawing:
        there = [(panel, trials.pictures(panel.trials)) for panel in figure.panels]
        shown = [Shown(panel, arrays) for panel, arrays in there if arrays is not None]
        files = dict.fromkeys(f"data/{one.panel.trials}/pictures.npz" for one in shown)
        return Drawing(sketch(figure, shown) if shown else None, files=tuple(files))

    return Kind(complaints, drawing)


KINDS = {
    "curves": Kind(_complaints_of_curves, _plot),
    "pairs": Kind(_complaints_of_pairs, _plot),
    "images": _picture(pictures.draw, pictures.SCALES),
    "scatter": _picture(scatter.draw, ()),
    "graphs": _picture(graphs.draw, ()),
    "maps": _picture(maps.draw, maps.SCALES),
}
