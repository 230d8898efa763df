"""Figures of kind ``images``: grids of sample pictures, from the arrays that a stage keeps in pictures.npz.

An array has the shape [row, column, height, width], or [row, column, height, width, 3] in colour; the arrays
``NAME_rows`` and ``NAME_columns``, if there are any, label its rows and columns.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from torchstone.core.errors import InputError, near_miss
from torchstone.core.files import Arrays
from torchstone.report.axes import INK, PERCENT
from torchstone.report.plan import Figure, Panel

MAPS = {"grey": "gray", "share": "viridis", "diverging": "RdBu_r"}
SCALES = tuple(MAPS)
BARRED = {"share", "diverging"}  # scales that have a colour bar
BETWEEN = 206  # the grey of the gaps, which shows the edge of a white image as well as of a black one
GAP, FINE = 0.06, 16  # of an image's shorter side; small images are magnified to so many pixels, for a thin gap
STRIP = 12  # times as wide as high, at most, is a signal, whose only row may be drawn at any height
WIDTH, ROOM = 9.6, 0.12  # of the whole figure, and around each panel; these and the following in inches
MOST, FLAT, LEAST = 0.62, 2.4, 0.3  # an image is drawn so long at most, if flat so long, and abreast of others at least
PIXELS = (0.01, 0.022)  # of large images: a pixel is drawn so long at least, abreast of others, and at most
LETTER, LINE, TITLE, HEAD = 0.07, 0.15, 0.09, 0.26  # a letter of a label, a line of it, a title's letter and line
BAR, BESIDE, TALL = 0.11, 0.7, 1.8  # a colour bar: its width, that with its numbers, its height at most
SMALL = 8.5  # points, of labels


class Shown(NamedTuple):
    """A panel that the params have, with the arrays of its pictures.npz."""

    panel: Panel
    arrays: Arrays


class Grid(NamedTuple):
    """The images of one panel as one sheet, with what is written around it and the inches that this needs."""

    title: str
    sheet: npt.NDArray[Any]  # [height, width] with NaN for gaps, or [height, width, 3]
    pitch: tuple[int, int]  # pixels from an image to the one below it, and to the one beside it
    gap: int
    scale: str | None  # None in colour
    limits: tuple[float, float]
    rows: list[str]
    columns: list[str]

    @property
    def longest(self) -> int:
        """The longer side of an image, in pixels."""
        return max(self.pitch) - self.gap

    @property
    def left(self) -> float:
        """Room for the labels of the rows."""
        return LETTER * max(map(len, self.rows), default=0) + ROOM

    @property
    def right(self) -> float:
        """Room for the colour bar, if there is one."""
        return BESIDE if self.scale in BARRED else ROOM

    def heads(self, inch: float) -> tuple[list[str], bool, float]:
        """Return the labels of the columns if a pixel is so many inches long, whether upright, and their height.

        They are broken into lines that are no wider than a column, or turned upright if a word is wider than that.
        """
        letters = max(int(self.pitch[1] * inch / LETTER), 1)
        if any(len(word) > letters for label in self.columns for word in label.split()):
            return self.columns, True, LETTER * max(map(len, self.columns))
        broken = [textwrap.fill(label, letters) for label in self.columns]
        return broken, False, LINE * max((label.count("\n") + 1 for label in broken), default=0)


def array_of(figure: Figure, shown: Shown) -> npt.NDArray[Any]:
    """Return the array that a panel names; raises InputError if its pictures.npz has none of that name."""
    name = str(shown.panel.picture)
    if name not in shown.arrays:
        raise _wrong(figure, shown, f"no array '{name}'; {near_miss(name, shown.arrays)}")
    return shown.arrays[name]


def sheet(images: npt.NDArray[Any], gap: int) -> npt.NDArray[Any]:
    """Lay images [row, column, height, width, ...] out as one, with so many pixels between and around them."""
    rows, columns, height, width, *colours = images.shape
    between = BETWEEN if colours else np.nan
    cells = np.full((rows, columns, height + gap, width + gap, *colours), between, np.uint8 if colours else np.float32)
    cells[:, :, gap:, gap:] = images
    joined = cells.swapaxes(1, 2).reshape(rows * (height + gap), columns * (width + gap), *colours)
    edge = ((0, gap), (0, gap), (0, 0))
    return np.pad(joined, edge[: joined.ndim], constant_values=between)


def draw(figure: Figure, shown: Sequence[Shown]) -> Canvas:
    """Draw each panel as one image with its labels, above each other and side by side; there is at least one panel."""
    grids = [_grid(figure, one) for one in shown]
    abreast = _abreast(figure, grids)
    inches = [_inch(figure, grid, abreast) for grid in grids]
    below, beside = (LINE + 0.05 if label else 0.0 for label in (figure.xlabel, figure.ylabel))
    wide, tall = ([grid.sheet.shape[axis] * inch for grid, inch in zip(grids, inches, strict=True)] for axis in (1, 0))
    lefts = [beside + grid.left for grid in grids]
    rights = [max(w + grid.right, TITLE * len(grid.title)) for w, grid in zip(wide, grids, strict=True)]
    tops = [HEAD + grid.heads(inch)[2] + ROOM for grid, inch in zip(grids, inches, strict=True)]
    lanes = [(max(lefts[lane::abreast]), max(rights[lane::abreast])) for lane in range(abreast)]
    firsts = range(0, len(grids), abreast)
    rows = [(max(tops[k : k + abreast]), max(tall[k : k + abreast]) + below + ROOM) for k in firsts]
    whole = (max(sum(map(sum, lanes)), WIDTH / 2), sum(map(sum, rows)))
    canvas = Canvas(figsize=whole)
    for place, (grid, inch) in enumerate(zip(grids, inches, strict=True)):
        row, lane = divmod(place, abreast)
        left = sum(map(sum, lanes[:lane])) + lanes[lane][0]
        above = sum(map(sum, rows[:row])) + rows[row][0]
        box = (left, whole[1] - above - tall[place], wide[place], tall[place])
        image = _draw_grid(canvas.add_axes(_shares(box, whole)), figure, grid, inch)
        if grid.scale in BARRED:
            length = min(tall[place], TALL)
            box = (left + wide[place] + 0.08, whole[1] - above - length, BAR, length)
            _draw_bar(canvas.add_axes(_shares(box, whole)), grid, image, length)
    return canvas


def _draw_grid(axes: Axes, figure: Figure, grid: Grid, inch: float) -> AxesImage:
    """Draw the sheet pixel for pixel, with its labels; SVG shows every pixel as it is, at any size."""
    between = (BETWEEN / 255,) * 3
    colours = colormaps[MAPS[grid.scale or "grey"]].with_extremes(bad=between)
    low, high = grid.limits
    image = axes.imshow(grid.sheet, cmap=colours, vmin=low, vmax=high, interpolation="none", aspect="auto")
    axes.set_title(grid.title, fontsize=10.5, color=INK, loc="left")
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2, labelsize=SMALL, labelcolor=INK)
    down, along = grid.pitch
    first = [grid.gap + (step - grid.gap - 1) / 2 for step in grid.pitch]  # the middle of an image
    axes.set_yticks([first[0] + down * place for place in range(len(grid.rows))], grid.rows)
    labels, upright, _ = grid.heads(inch)
    axes.set_xticks([first[1] + along * place for place in range(len(labels))], labels, rotation=90 if upright else 0)
    axes.set_xlabel(figure.xlabel, fontsize=9.5)
    axes.set_ylabel(figure.ylabel, fontsize=9.5)
    return image


def _draw_bar(axes: Axes, grid: Grid, image: AxesImage, length: float) -> None:
    """Draw what the colours of a panel stand for, beside it."""
    assert axes.figure is not None
    ticks = MaxNLocator(min(max(int(length / (2 * LINE)), 2), 4))
    shares = grid.scale == "share" and grid.limits[1] <= 1
    bar = axes.figure.colorbar(image, cax=axes, ticks=ticks, format=PERCENT if shares else None)
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=INK, length=2)


def _shares(box: tuple[float, float, float, float], whole: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height in shares of the canvas."""
    return box[0] / whole[0], box[1] / whole[1], box[2] / whole[0], box[3] / whole[1]


def _abreast(figure: Figure, grids: Sequence[Grid]) -> int:
    """Return how many panels stand side by side: three, or fewer if their images would be too small."""
    for abreast in range(min(3, len(grids)), 1, -1):
        fits = (_inch(figure, grid, abreast) >= max(LEAST / grid.longest, PIXELS[0]) for grid in grids)
        if all(fits) and not (len(grids) == 4 and abreast == 3):
            return abreast
    return 1


def _inch(figure: Figure, grid: Grid, abreast: int) -> float:
    """Return how long a pixel is drawn, with so many panels side by side."""
    free = WIDTH / abreast - grid.left - grid.right - (LINE if figure.ylabel else 0)
    flat = grid.pitch[1] >= 4 * grid.pitch[0]
    return float(min(free / grid.sheet.shape[1], max((FLAT if flat else MOST) / grid.longest, PIXELS[1])))


def _grid(figure: Figure, shown: Shown) -> Grid:
    """Lay the images of a panel out; raises InputError if its array is not what a panel can show."""
    images = _checked(figure, shown)
    scale = (shown.panel.scale or SCALES[0]) if images.ndim == 4 else None
    limits = _limits(images, scale)
    height, width = images.shape[2:4]
    times = math.ceil(FINE / max(height, width))
    stretch = math.ceil(width / STRIP) if height == 1 else 1
    images = images.repeat(times * stretch, axis=2).repeat(times, axis=3)
    height, width = images.shape[2:4]
    gap = math.ceil(GAP * min(height, width))
    rows, columns = (_labels(figure, shown, axis) for axis in (0, 1))
    return Grid(
        shown.panel.title, sheet(images, gap), (height + gap, width + gap), gap, scale, limits, rows, columns
    )  # fmt: skip


def _checked(figure: Figure, shown: Shown) -> npt.NDArray[Any]:
    """Return the images of a panel, bytes as shares if it shows shares."""
    images, scale = array_of(figure, shown), shown.panel.scale or SCALES[0]
    described = f"'{shown.panel.picture}' has the shape {list(images.shape)} and holds {images.dtype}"
    colour = images.ndim == 5 and images.shape[-1] == 3
    if images.ndim != 4 and not colour:
        wanted = "[row, column, height, width], or one more axis of 3 colours"
        raise _wrong(figure, shown, f"{described}; images have {wanted}")
    if images.size == 0:
        raise _wrong(figure, shown, f"{described}; there is nothing to show")
    if images.dtype != np.uint8 and (colour or images.dtype.kind != "f"):
        raise _wrong(figure, shown, f"{described}; images hold uint8{'' if colour else ' or floats'}")
    if colour and scale != "grey":
        raise _wrong(figure, shown, f"{described}; images in colour have no scale '{scale}'")
    if not np.isfinite(images).all():
        raise _wrong(figure, shown, f"{described}, some of it not finite")
    if scale == "share" and images.min() < 0:
        raise _wrong(figure, shown, f"{described}, some of it below 0, which is no share")
    return images / 255 if scale == "share" and images.dtype == np.uint8 else images


def _limits(images: npt.NDArray[Any], scale: str | None) -> tuple[float, float]:
    """Return the values of the first and the last colour of a scale."""
    low, high = float(images.min()), float(images.max())
    if scale == "diverging":
        most = max(abs(low), abs(high)) or 1.0
        return -most, most
    if images.dtype == np.uint8:
        return 0.0, 255.0
    if scale == "share" and 0 < high < 0.5:
        return 0.0, high  # shares that are all small are told apart, and the bar says how small they are
    return min(low, 0.0) if scale == "grey" else 0.0, max(high, 1.0)


def _labels(figure: Figure, shown: Shown, axis: int) -> list[str]:
    """Return the labels of the rows (axis 0) or columns (axis 1), none if there is no such array."""
    picture = str(shown.panel.picture)
    name = f"{picture}_{('rows', 'columns')[axis]}"
    if name not in shown.arrays:
        return []
    labels, count = shown.arrays[name], shown.arrays[picture].shape[axis]
    if labels.shape != (count,) or labels.dtype.kind != "U":
        described = f"'{name}' has the shape {list(labels.shape)} and holds {labels.dtype}"
        raise _wrong(figure, shown, f"{described}; {count} strings are needed, one for each of '{picture}'")
    return [str(label) for label in labels]


def _wrong(figure: Figure, shown: Shown, what: str) -> InputError:
    """Return the error about an array that a figure cannot show."""
    return InputError(f"studies.yaml: figure {figure.name}: {shown.panel.trials}/pictures.npz: {what}")
