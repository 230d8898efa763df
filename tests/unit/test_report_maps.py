"""Laws of maps: the same bytes again, unknown roads grey, a legend for ways and positions, small files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from torchstone.core.errors import InputError
from torchstone.core.files import Arrays, write_svg
from torchstone.core.rng import numpy_stream
from torchstone.report import maps
from torchstone.report.pictures import Shown
from torchstone.report.plan import Figure, Panel


def figure(**more: object) -> Figure:
    panel = {"title": "a town", "trials": "match/city", "picture": "roads"}
    content = {"name": "f", "kind": "maps", "title": "T", "caption": "C", "panels": [panel], **more}
    return Figure.model_validate(content)


def arrays(count: int = 200) -> Arrays:
    generator = numpy_stream(1, "roads")
    ways = generator.uniform(0, 5000, (2, 30, 2))
    ways[1, 20:] = np.nan
    values = generator.random(count)
    values[:10] = np.nan
    return {
        "roads": generator.uniform(0, 5000, (count, 4)), "roads_values": values, "roads_ways": ways,
        "roads_labels": np.asarray(["driven", "matched"]), "roads_points": generator.uniform(0, 5000, (40, 2)),
    }  # fmt: skip


def shown(content: Arrays) -> list[Shown]:
    return [Shown(figure().panels[0], content)]


def test_a_map_is_the_same_again_and_small(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_svg(tmp_path / f"{name}.svg", maps.draw(figure(xlabel="speed"), shown(arrays())))
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    assert len(content) < 300_000


def test_roads_alone_need_neither_colours_nor_a_legend() -> None:
    canvas = maps.draw(figure(), shown({"roads": arrays()["roads"]}))
    assert len(canvas.axes) == 1
    assert not canvas.legends
    coloured = maps.draw(figure(), shown(arrays()))
    assert len(coloured.axes) == 2  # the colour bar
    assert [text.get_text() for text in coloured.legends[0].get_texts()] == ["driven", "matched", "positions received"]


def test_what_is_unknown_is_grey_and_not_slow() -> None:
    axes = maps.draw(figure(), shown(arrays())).axes[0]
    counts = sorted(len(collection.get_paths()) for collection in axes.collections)
    assert counts == [10, 190]


def test_an_array_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"match/city/pictures\.npz: no array 'roads'; did you mean 'road'\?"):
        maps.draw(figure(), shown({"road": np.zeros((1, 4))}))


def test_a_panel_of_a_map_takes_a_picture_and_nothing_of_a_curve() -> None:
    for wrong in ({"metric": "mae"}, {"picture": None}):
        panel = {"title": "a town", "trials": "match/city", "picture": "roads", **wrong}
        with pytest.raises(ValueError, match="maps"):
            figure(panels=[panel])
    assert Panel.model_validate({"title": "t", "trials": "a/b"}).labels() == []
