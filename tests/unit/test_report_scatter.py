"""Laws of scatter figures: every point on the picture, one scale for all plots, plain words about a wrong array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from torchstone.core.errors import InputError
from torchstone.core.files import Arrays, write_svg
from torchstone.core.rng import numpy_stream
from torchstone.report.pictures import Shown
from torchstone.report.plan import Figure, Panel
from torchstone.report.scatter import draw

CENTRES = np.array([[-1.0, 0.0], [1.0, 2.0]])


def arrays(points: int = 40) -> Arrays:
    cloud = numpy_stream(0, "cloud").normal(size=(3, points, 2))
    return {"ring": cloud, "ring_columns": np.asarray(["10", "20", "30"]), "ring_centres": CENTRES}


def figure(*titles: str) -> Figure:
    panels = [Panel(title=title, trials="gan/minimax", picture="ring") for title in titles]
    return Figure(name="f", kind="scatter", title="t", caption="c", panels=panels)


def shown(one: Figure, *each: Arrays) -> list[Shown]:
    return [Shown(panel, found) for panel, found in zip(one.panels, each, strict=True)]


def test_each_column_is_a_plot_with_its_label_and_the_truth() -> None:
    one = figure("a game")
    canvas = draw(one, shown(one, arrays()))
    assert [axes.get_title() for axes in canvas.axes] == ["10", "20", "30"]
    assert canvas.axes[0].get_ylabel() == "a game"
    for axes in canvas.axes:
        crosses, dots = axes.lines
        np.testing.assert_array_equal(crosses.get_xydata(), CENTRES)
        assert np.asarray(dots.get_xydata()).shape == (40, 2)
        assert axes.get_xlim() == canvas.axes[0].get_xlim()


def test_points_outside_are_drawn_on_the_edge_also_where_they_are_not_finite() -> None:
    found = arrays()
    found["ring"][0, :3] = [[1e6, 0], [np.nan, np.nan], [-np.inf, 1]]
    one = figure("a game")
    axes = draw(one, shown(one, found)).axes[0]
    dots = np.asarray(axes.lines[1].get_xydata())
    low, high = axes.get_xlim()
    assert ((dots[:, 0] >= low) & (dots[:, 0] <= high)).all()
    assert dots[0, 0] == pytest.approx(high, abs=1e-3)
    assert dots[2, 0] == pytest.approx(low, abs=1e-3)


def test_a_row_with_fewer_plots_leaves_the_others_empty() -> None:
    perfect = {**arrays(), "ring": arrays()["ring"][:1], "ring_columns": np.asarray(["the truth"])}
    one = figure("a game", "perfect")
    canvas = draw(one, shown(one, arrays(), perfect))
    assert [axes.axison for axes in canvas.axes] == [True] * 4 + [False] * 2


def test_the_same_points_give_the_same_small_file(tmp_path: Path) -> None:
    one = figure(*"abcdef")
    for name in ("one", "two"):
        write_svg(tmp_path / f"{name}.svg", draw(one, shown(one, *[arrays(600)] * 6)))
    content = (tmp_path / "one.svg").read_bytes()
    assert content == (tmp_path / "two.svg").read_bytes()
    assert len(content) < 300_000


@pytest.mark.parametrize("broken", [{"ring": np.zeros((4, 2))}, {"ring": np.zeros((1, 4, 3))}, {"ring_centres": None}])
def test_a_wrong_array_is_named(broken: Arrays) -> None:
    found = {name: value for name, value in {**arrays(), **broken}.items() if value is not None}
    one = figure("a game")
    with pytest.raises(InputError, match=r"studies.yaml: figure f: gan/minimax/pictures.npz: 'ring' has the shape"):
        draw(one, shown(one, found))
