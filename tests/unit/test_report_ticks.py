"""Ticks with names: curves over pruning rounds are read against the share of weights that each round leaves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from torchstone.core.errors import InputError
from torchstone.core.files import write_svg
from torchstone.core.params import load_params
from torchstone.core.trials import Trial, write_trials
from torchstone.report.axes import NAMED, spread
from torchstone.report.figures import styles
from torchstone.report.kinds import drawing
from torchstone.report.plan import Figure
from torchstone.report.tables import Trials, share

PARAMS = load_params(Path(__file__).resolve().parents[2] / "params.yaml")
ROUNDS = [float(k) for k in range(17)]
KEPT = {"arm": "ticket", "metric": "kept", "percent": True}
CURVES = {"trials": "minima/mnist1d", "metric": "accuracy", "arms": {"ticket": "winning ticket"}}


def _figure(panels: int = 1, **changed: Any) -> Figure:
    whole = {"name": "f", "kind": "curves", "title": "t", "caption": "c", "xlabel": "weights left, %", "ylabel": "y"}
    drawn = [{**CURVES, "title": f"p{k}"} for k in range(panels)]
    return Figure.model_validate(whole | {"ticks": KEPT, "panels": drawn} | changed)


def _trials(folder: Path, rate: float = 0.8, rounds: list[float] = ROUNDS, named: list[float] = ROUNDS) -> Trials:
    rows = [Trial("ticket", x, r, "accuracy", 0.9 - 0.01 * x + 0.001 * r) for x in rounds for r in range(3)]
    rows += [Trial("ticket", x, r, "kept", rate**x * (1 + 0.01 * (r - 1))) for x in named for r in range(3)]
    write_trials(folder / "minima/mnist1d/trials.csv", "lottery", rows)
    return Trials(folder, PARAMS)


def _ticks(figure: Figure, trials: Trials) -> list[tuple[float, str]]:
    canvas = drawing(figure, trials, styles([figure])).canvas
    assert canvas is not None
    axes = canvas.axes[0]
    names = [text.get_text() for text in axes.get_xticklabels()]
    return list(zip([float(place) for place in axes.get_xticks()], names, strict=True))


def test_a_tick_is_named_by_the_mean_over_replicates_in_the_trials(tmp_path: Path) -> None:
    few = ROUNDS[:6]
    names = [name for _, name in _ticks(_figure(), _trials(tmp_path, 0.5, few))]
    assert names == ["100", "50", "25", "12.5", "6.2", "3.1"]
    names = [name for _, name in _ticks(_figure(), _trials(tmp_path, 0.8, few))]
    assert names == ["100", "80", "64", "51.2", "41", "32.8"]
    plain = _figure(ticks=KEPT | {"percent": False})
    assert [name for _, name in _ticks(plain, _trials(tmp_path, 0.5, few))][:3] == ["1", "0.5", "0.25"]


def test_an_x_without_the_metric_has_no_tick_and_one_that_is_not_drawn_neither(tmp_path: Path) -> None:
    found = _ticks(_figure(), _trials(tmp_path, rounds=ROUNDS[1:6], named=[0.0, 1.0, 2.0, 4.0, 9.0]))
    assert [place for place, _ in found] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_many_ticks_are_thinned_evenly_the_ends_stay_and_no_labels_touch(panels: int, tmp_path: Path) -> None:
    figure = _figure(panels)
    canvas = drawing(figure, _trials(tmp_path), styles([figure])).canvas
    assert canvas is not None
    canvas.draw_without_rendering()
    for axes in canvas.axes:
        places = [float(place) for place in axes.get_xticks()]
        assert (places[0], places[-1]) == (0.0, 16.0)
        assert len(places) <= NAMED[panels]
        assert len({after - before for before, after in pairwise(places[:-1])}) == 1
        boxes = [text.get_window_extent() for text in axes.get_xticklabels()]
        assert all(left.x1 + 3 < right.x0 for left, right in pairwise(boxes))


def test_ends_are_kept_and_what_is_close_to_them_is_not() -> None:
    assert spread([], 5) == []
    assert spread([1.0], 5) == [1.0]
    assert spread([1.0, 1.1], 5) == [1.0, 1.1]
    assert spread(ROUNDS[:10], 10) == ROUNDS[:10]
    assert spread(ROUNDS[:14], 10) == [0, 2, 4, 6, 8, 10, 13]
    assert spread([0.0, 1.0, 2.0, 10.0, 19.0, 20.0], 10) == [0.0, 10.0, 20.0]


def test_shares_are_shown_times_100_and_small_ones_keep_a_digit() -> None:
    assert [share(value) for value in (1.0, 0.5168, 0.2159, 0.0394, 0.0083, 0.00042, 0.0)] == [
        "100", "51.7", "21.6", "3.9", "0.8", "0.04", "0",
    ]  # fmt: skip


def test_names_change_nothing_in_the_table_and_two_draws_are_the_same_bytes(tmp_path: Path) -> None:
    trials = _trials(tmp_path)
    named, bare = _figure(), _figure(ticks=None)
    one, other = (drawing(figure, trials, styles([figure])).table for figure in (named, bare))
    assert one is not None
    assert other is not None
    assert one.equals(other)
    for name in ("one", "two"):
        canvas = drawing(named, trials, styles([named])).canvas
        assert canvas is not None
        write_svg(tmp_path / f"{name}.svg", canvas)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_metric_that_the_arm_has_not_is_named_with_a_hint(tmp_path: Path) -> None:
    figure = _figure(ticks=KEPT | {"metric": "kep"})
    with pytest.raises(
        InputError, match=r"studies\.yaml: figure f: ticks: no 'kep' of 'ticket' over x; did you mean 'kept'\?"
    ):
        drawing(figure, _trials(tmp_path), {})


def test_names_need_curves_over_a_linear_axis() -> None:
    with pytest.raises(ValidationError, match="ticks with names need a linear x axis; leave log out"):
        _figure(log=True)
    point = {"x": {"arm": "a", "metric": "m"}, "y": {"arm": "a", "metric": "n"}}
    whole = _figure().model_dump(exclude_unset=True) | {"kind": "pairs"}
    whole["panels"] = [{"title": "p", "trials": "minima/mnist1d", "points": {"b": point}}]
    with pytest.raises(ValidationError, match="ticks go with curves"):
        Figure.model_validate(whole)
