"""Laws of graphs: the same bytes again, every number shown, columns by the longest way, and no box on an other."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from torchstone.core.errors import InputError
from torchstone.core.files import Arrays, write_svg
from torchstone.report import graphs
from torchstone.report.pictures import Shown
from torchstone.report.plan import Figure


def figure(**more: object) -> Figure:
    panel = {"title": "a function", "trials": "primer/all", "picture": "graph", **more}
    content = {"name": "f", "kind": "graphs", "title": "T", "caption": "C", "panels": [panel]}
    return Figure.model_validate(content)


def arrays() -> Arrays:
    """Make a graph of two inputs, a step of each, a sum of these, and a long way round it."""
    return {
        "graph": np.asarray([[2.0, 5.5], [5.0, 1.25], [0.5, 1.0], [7.0, -1.0], [7.5, 1.0], [123456.0, 1.0]]),
        "graph_labels": np.asarray(["x1", "x2", "log", "sin", "+", "-"]),
        "graph_edges": np.asarray([[0, 2], [1, 3], [2, 4], [3, 4], [4, 5], [1, 5]]),
    }


def drawn(content: Arrays, count: int = 1) -> Canvas:
    plan = figure()
    return graphs.draw(plan, [Shown(plan.panels[0], content)] * count)


def test_a_graph_is_the_same_again_and_small(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_svg(tmp_path / f"{name}.svg", drawn(arrays()))
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    assert len(content) < 100_000


def test_every_label_value_and_gradient_is_shown_with_an_arrow_an_edge() -> None:
    (axes,) = drawn(arrays()).axes
    texts = [text.get_text() for text in axes.texts if text.get_text()]
    assert texts[:3] == ["x1", "2", "5.5"]
    assert texts[-3:] == ["-", "1.235e+05", "1"]
    assert len(texts) == 3 * 6
    assert sum(not text.get_text() for text in axes.texts) == 6  # the arrows
    assert len(axes.patches) == 6


def test_a_node_stands_after_all_that_it_is_made_of_and_on_no_other() -> None:
    edges = arrays()["graph_edges"]
    spots = graphs.places(6, edges)
    assert spots[:, 0].tolist() == [0, 0, 1, 1, 2, 3]
    for one, two in combinations(spots, 2):
        assert abs(one - two).max() >= 1, "two boxes overlap"
    assert spots[0, 1] > spots[1, 1]
    assert spots[2, 1] > spots[3, 1], "arrows cross in vain"


def test_a_single_node_and_a_chain_are_graphs_too() -> None:
    assert graphs.places(1, np.empty((0, 2), dtype=int)).tolist() == [[0.0, 0.0]]
    chain = graphs.places(4, np.asarray([[0, 1], [1, 2], [2, 3]]))
    assert chain.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0]]


def test_several_panels_stand_below_each_other() -> None:
    one, two = drawn(arrays()), drawn(arrays(), count=2)
    assert len(two.axes) == 2
    assert two.get_figheight() > 1.5 * one.get_figheight()
    assert two.get_figwidth() == one.get_figwidth()


@pytest.mark.parametrize(
    "wrong",
    [
        {"graph": np.zeros((6, 3))},
        {"graph_labels": np.asarray(["x1"])},
        {"graph_edges": np.asarray([[2, 0]])},
        {"graph_edges": np.asarray([0, 1])},
    ],
    ids=["three numbers a node", "labels missing", "an edge backwards", "edges in one row"],
)
def test_what_is_no_graph_is_named(wrong: Arrays) -> None:
    with pytest.raises(InputError, match=r"primer/all/pictures\.npz: a graph needs 'graph' \[node, 2\]"):
        drawn(arrays() | wrong)


def test_a_panel_of_a_graph_takes_a_picture_and_nothing_of_a_curve() -> None:
    for wrong in ({"metric": "mae"}, {"picture": None}, {"scale": "grey"}):
        with pytest.raises(ValueError, match="graphs"):
            figure(**wrong)
