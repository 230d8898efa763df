"""What the batch-size study asks of figures: patterns of trials, two y axes, log scales, marks, a label for each x."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from pydantic import ValidationError
from scipy import stats

from torchstone.core.errors import InputError
from torchstone.core.files import write_svg
from torchstone.core.params import load_params
from torchstone.core.trials import Trial, write_trials
from torchstone.report.axes import log_ticks, plain
from torchstone.report.figures import by_x, draw, styles
from torchstone.report.plan import Figure, load_plan
from torchstone.report.tables import COLUMNS, Trials, figure_table

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "studies.yaml")
PARAMS = load_params(ROOT / "params.yaml")
SIZES = sorted(cell.batch for cell in PARAMS.sweep.cells.values() if cell.dataset == "mnist1d")
ACCURACY = {"trials": "sweep/mnist1d-*", "metric": "test_accuracy", "arms": {"plain": "accuracy"}}
SHARPNESS = {"trials": "minima/mnist1d", "metric": "phi", "arms": {"plain": "sharpness"}, "ylabel": "phi", "log": True}
CLOUD = {"x": {"arm": "plain", "metric": "phi"}, "y": {"arm": "plain", "metric": "gap"}}


def _figure(*panels: dict[str, Any], **changed: Any) -> Figure:
    whole = {"name": "f", "kind": "curves", "title": "t", "caption": "c", "xlabel": "batch size", "ylabel": "accuracy"}
    return Figure.model_validate(whole | {"panels": list(panels)} | changed)


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    """Write made-up trials whose accuracy falls and whose sharpness rises with the batch size."""
    minima = [Trial("line", x, r, "loss", x * x + 0.1 * r) for x in (-1.0, 0.0, 1.0, 2.0) for r in range(3)]
    for key, cell in PARAMS.sweep.cells.items():
        rows = [
            Trial("plain", float(cell.batch), r, "test_accuracy", 0.5 - cell.batch / 1e4 + 0.01 * r) for r in range(3)
        ]
        write_trials(tmp_path / f"sweep/{key}/trials.csv", "batch-size", rows)
    for batch in SIZES:
        for arm in ("plain", "linear rate"):
            minima += [Trial(arm, float(batch), r, "phi", batch / 10 * 10**r) for r in range(3)]
            minima += [Trial(arm, float(batch), r, "gap", batch / 1e4) for r in range(3)]
    write_trials(tmp_path / "minima/mnist1d/trials.csv", "batch-size", minima)
    return Trials(tmp_path, PARAMS)


def test_a_pattern_puts_the_keys_of_the_params_together_and_no_others(trials: Trials, tmp_path: Path) -> None:
    stray = tmp_path / "sweep/mnist1d-b9999"
    write_trials(stray / "trials.csv", "batch-size", [Trial("plain", 9999.0, 0, "test_accuracy", 0.0)])
    found = trials.of("sweep/mnist1d-*")
    assert found is not None
    assert sorted(set(found["x"])) == SIZES
    assert len(found) == 3 * len(SIZES)
    assert trials.of("sweep/fashion-*") is None
    one = trials.of("sweep/mnist1d-b0032")
    assert one is not None
    assert set(one["x"]) == {32.0}


def test_a_pattern_over_several_data_sets_is_an_error(trials: Trials) -> None:
    figure = _figure({"title": "all", **ACCURACY, "trials": "sweep/*"})
    with pytest.raises(
        InputError, match=r"studies\.yaml: figure f: .*several rows a replicate at one x; let its trials"
    ):
        figure_table(figure, trials)


def test_two_axes_are_told_apart_in_the_table_and_both_are_labelled(trials: Trials) -> None:
    figure = _figure({"title": "p", **ACCURACY, "right": SHARPNESS}, log=True)
    table = figure_table(figure, trials)
    assert list(table.columns) == [*COLUMNS, "axis"]
    assert dict(zip(table["arm"], table["axis"], strict=True)) == {"accuracy": "left", "sharpness": "right"}
    canvas = draw(figure, table, styles([figure]))
    left, right = canvas.axes
    assert left.get_ylabel() == "accuracy"
    assert right.get_ylabel() == "phi (dashed)"
    assert (left.get_yscale(), right.get_yscale()) == ("linear", "log")
    assert left.lines[0].get_linestyle() == "-"
    assert right.lines[0].is_dashed()
    assert left.lines[0].get_marker() != right.lines[0].get_marker()
    legend = canvas.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["accuracy", "sharpness"]


def test_the_second_axis_may_be_absent_and_without_one_the_table_has_no_more_columns(trials: Trials) -> None:
    figure = _figure({"title": "p", **ACCURACY, "right": SHARPNESS | {"trials": "minima/fashion"}})
    canvas = draw(figure, figure_table(figure, trials), styles([figure]))
    assert len(canvas.axes) == 1
    assert list(figure_table(_figure({"title": "p", **ACCURACY}), trials).columns) == COLUMNS


def test_on_a_log_axis_mean_and_interval_are_those_of_the_logarithm(trials: Trials) -> None:
    table = figure_table(_figure({"title": "p", **ACCURACY, "right": SHARPNESS}), trials)
    row = table[table["arm"] == "sharpness"].iloc[0]
    half = 10 ** (stats.t.ppf(0.975, 2) / np.sqrt(3))  # the logarithms are 0, 1, 2 apart from a constant
    assert [row["low"], row["y"], row["high"]] == pytest.approx([SIZES[0] / half, SIZES[0], SIZES[0] * half], rel=1e-6)
    assert (table["low"] > 0).all()


def test_batch_sizes_are_ticks_themselves_and_many_x_are_not() -> None:
    assert log_ticks(SIZES, 8) == SIZES
    assert log_ticks([2.0**power for power in range(14)], 8) == [2.0**power for power in range(0, 14, 2)]
    assert log_ticks([1, 2, 3, 5, 7, 10, 15, 20, 30, 50], 8) == [1, 2, 5, 10, 20, 50]
    assert log_ticks([1, 1.1, 60_000], 8)[-1] == 50_000
    assert log_ticks([10, 30, 100, 300, 1000, 2000, 3000], 4) == [20, 100, 500, 2000]
    assert [plain(value) for value in (0.05, 20, 5000, 1e4, 2e6, 1e9)] == ["0.05", "20", "5000", "10 k", "2 M", "1 G"]


def test_each_panel_may_have_its_own_scale(trials: Trials) -> None:
    figure = _figure({"title": "p", **ACCURACY}, {"title": "q", **ACCURACY, "ylog": False}, log=True, ylog=True)
    canvas = draw(figure, figure_table(figure, trials), styles([figure]))
    assert [axes.get_yscale() for axes in canvas.axes] == ["log", "linear"]
    assert all(axes.get_xscale() == "log" for axes in canvas.axes)


def test_the_interval_of_a_share_may_reach_beyond_one_but_its_axis_does_not(trials: Trials, tmp_path: Path) -> None:
    rows = [Trial("plain", 32.0, r, "reached", float(r > 0)) for r in range(3)]
    rows += [Trial("plain", 64.0, r, "reached", 1.0) for r in range(3)]
    write_trials(tmp_path / "sweep/mnist1d-b0032/trials.csv", "batch-size", rows)
    figure = _figure({"title": "p", **ACCURACY, "trials": "sweep/mnist1d-b0032", "metric": "reached"}, percent=True)
    table = figure_table(figure, trials)
    assert table["high"].max() > 1.5
    assert draw(figure, table, styles([figure])).axes[0].get_ylim() == (-0.05, 1.05)


def test_marks_stand_at_their_x_and_are_named(trials: Trials) -> None:
    line = {"title": "p", "trials": "minima/mnist1d", "arm": "line", "metrics": {"loss": "loss"}}
    figure = _figure(line, marks={0: "small batch", 1: "full set"})
    axes = draw(figure, figure_table(figure, trials), styles([figure])).axes[0]
    upright = [
        float(np.asarray(part.get_xdata())[0]) for part in axes.lines if len(set(np.asarray(part.get_xdata()))) == 1
    ]
    assert upright == [0.0, 1.0]
    names = [text.get_text() for child in axes.child_axes for text in child.get_xticklabels()]
    assert names == ["small batch", "full set"]
    assert axes.get_xscale() == "linear"


def test_by_x_makes_a_label_a_batch_size_in_the_order_of_the_numbers(trials: Trials) -> None:
    panel = {"title": "p", "trials": "minima/mnist1d", "points": {"batch": {**CLOUD, "by": "x"}}}
    figure = _figure(panel, kind="pairs", log=True, diagonal=False)
    table = figure_table(figure, trials)
    wanted = [f"batch {batch}" for batch in SIZES]
    assert list(dict.fromkeys(table["arm"])) == wanted
    looks = by_x(figure, table)
    assert list(looks) == wanted
    assert len(set(looks.values())) == len(wanted)
    canvas = draw(figure, table, styles([figure]))
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == wanted
    assert canvas.axes[0].get_xscale() == "log"
    greys = [sum(int(colour[place : place + 2], 16) for place in (1, 3, 5)) for colour, _ in looks.values()]
    assert greys == sorted(greys, reverse=True)  # the larger the darker, in print too


def test_further_arms_share_the_labels_and_an_absent_arm_is_left_out(trials: Trials) -> None:
    points = {"batch": {**CLOUD, "by": "x", "also": ["linear rate", "absent"]}}
    panel = {"title": "p", "trials": "minima/mnist1d", "points": points}
    figure = _figure(panel, kind="pairs", diagonal=False)
    table = figure_table(figure, trials)
    assert set(table.groupby("arm").size()) == {6}
    dots = [part for part in draw(figure, table, {}).axes[0].collections if isinstance(part, PathCollection)]
    assert sum(len(np.asarray(part.get_offsets())) for part in dots) == len(table)


def test_a_point_has_a_place_on_a_log_axis_only_above_zero(trials: Trials, tmp_path: Path) -> None:
    rows = [Trial("plain", 32.0, r, metric, float(r)) for r in range(3) for metric in ("phi", "gap")]
    write_trials(tmp_path / "minima/mnist1d/trials.csv", "batch-size", rows)
    panel = {"title": "p", "trials": "minima/mnist1d", "points": {"batch": {**CLOUD, "by": "x"}}}
    table = figure_table(_figure(panel, kind="pairs", log=True, diagonal=False), trials)
    assert list(table["x"]) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("panel", "changed", "complaint"),
    [
        ({**ACCURACY, "right": {"ylabel": "phi"}}, {}, "right goes with curves and needs metric and arms"),
        ({**ACCURACY, "right": SHARPNESS | {"arms": {"plain": "accuracy"}}}, {}, "gives the label 'accuracy' twice"),
        ({"trials": "minima/mnist1d", "points": {"a": CLOUD}}, {"kind": "pairs", "log": True}, "add diagonal: false"),
        (
            {"trials": "minima/mnist1d", "points": {"a": {"x": CLOUD["x"] | {"x": 8}, "y": CLOUD["y"], "by": "x"}}},
            {"kind": "pairs"},
            "by: x takes every x",
        ),
    ],
)
def test_a_panel_that_cannot_be_drawn_is_refused(
    panel: dict[str, Any], changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        _figure({"title": "p", **panel}, **changed)


def test_the_same_table_gives_the_same_bytes_with_two_axes_marks_and_labels_by_x(
    trials: Trials, tmp_path: Path
) -> None:
    twin = _figure({"title": "p", **ACCURACY, "right": SHARPNESS}, log=True, marks={32: "small"})
    cloud = {"title": "p", "trials": "minima/mnist1d", "points": {"batch": {**CLOUD, "by": "x"}}}
    for figure in (twin, _figure(cloud, kind="pairs", log=True, diagonal=False)):
        table = figure_table(figure, trials)
        for name in ("one", "two"):
            write_svg(tmp_path / f"{name}.svg", draw(figure, table, styles([figure])))
        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_names_that_are_long_get_fewer_columns_in_the_legend(trials: Trials, tmp_path: Path) -> None:
    names = [f"{'long ' * 8}{k}" for k in range(3)]
    rows = [Trial(f"a{k}", x, r, "test_accuracy", 0.1 * k) for k in range(3) for x in (1.0, 2.0) for r in range(2)]
    write_trials(tmp_path / "sweep/mnist1d-b0032/trials.csv", "batch-size", rows)
    arms = {f"a{k}": name for k, name in enumerate(names)}
    panel = {"title": "p", "trials": "sweep/mnist1d-b0032", "metric": "test_accuracy", "arms": arms}
    figure = _figure(panel, {**panel, "title": "q"})
    canvas = draw(figure, figure_table(figure, trials), styles([figure]))
    canvas.draw_without_rendering()
    box = canvas.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= canvas.bbox.x1


def test_figures_of_all_studies_leave_out_panels_without_rows_in_the_params(tmp_path: Path) -> None:
    nothing = PARAMS.model_copy(update={"sweep": PARAMS.sweep.model_copy(update={"tasks": {}, "cells": {}})})
    for figure in PLAN.studies["batch-size"].figures:
        assert figure_table(figure, Trials(tmp_path, nothing)).empty
