"""What the figures promise a reader: one look a scheme, the arms that a claim speaks of, and the table's numbers."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.collections import PathCollection

from torchstone.core.errors import InputError
from torchstone.core.params import load_params
from torchstone.core.trials import Trial, write_trials
from torchstone.report.figures import MARKERS, PALETTE, draw, styles
from torchstone.report.plan import Figure, Plan, load_plan
from torchstone.report.summary import summary
from torchstone.report.tables import Trials, figure_table
from torchstone.stats.ledger import load_claims

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "studies.yaml")
PARAMS = load_params(ROOT / "params.yaml")
FIGURES = [(study, figure) for study in PLAN.studies.values() for figure in study.figures]


def test_no_two_labels_of_a_study_look_the_same() -> None:
    for study in PLAN.studies.values():
        style = styles(study.figures, study.colours)
        assert len(set(style.values())) == len(style)
        for label, colour in study.colours.items():
            assert style[label][0] == PALETTE[colour]


def test_curves_of_one_panel_differ_in_colour_unless_one_is_a_single_models_level_line() -> None:
    for study, figure in FIGURES:
        style = styles(study.figures, study.colours)
        for panel in figure.panels:
            points = [label for label, point in (panel.points or {}).items() if point.by is None]
            for side in (panel, panel.right):  # of two y axes one is dashed, so that a colour may stand on both
                lines = side.lines() if side else []
                curves = [label for arm, _, label in lines if not arm.endswith("-single")] + points
                assert len({style[label][0] for label in curves}) == len(curves), (figure.name, panel.title)


def test_labels_without_a_colour_get_what_is_used_least_and_never_look_the_same() -> None:
    panel = {
        "title": "p",
        "trials": "ensemble/digits",
        "metric": "error",
        "arms": {f"a{k}": f"l{k}" for k in range(40)},
    }
    figure = Figure.model_validate(
        {"name": "f", "kind": "curves", "title": "", "caption": "", "xlabel": "", "ylabel": "", "panels": [panel]}
    )
    style = styles([figure], {"l3": "blue"})
    assert len(set(style.values())) == 40
    assert len(PALETTE) * len(MARKERS) >= 40
    assert [colour for colour, _ in style.values()].count(PALETTE["blue"]) == 4


def covers(drawn: str, judged: str) -> bool:
    """Whether trials that are drawn hold all that a claim is judged from."""
    return all(any(fnmatchcase(row, part) for part in drawn.split(" + ")) for row in judged.split(" + "))


def test_a_claims_figure_draws_the_arms_that_the_claim_speaks_of() -> None:
    panels = {figure.name: figure.panels for _, figure in FIGURES}
    for claim in load_claims(ROOT / "claims.yaml"):
        if claim.figure is None or any(panel.picture for panel in panels[claim.figure]):  # a picture has no arms
            continue
        drawn = set()
        for panel in panels[claim.figure]:
            for side in (panel, panel.right):
                if side is not None and covers(side.trials or panel.trials, claim.trials):
                    drawn |= {name for arm, metric, _ in side.lines() for name in (arm, metric)}
            if covers(panel.trials, claim.trials):
                drawn |= {
                    part.arm for point in (panel.points or {}).values() for pair in point.pairs() for part in pair
                }
        assert drawn, claim.id
        if "all rungs" in drawn:  # arms side by side as the steps of one ladder
            continue
        # a value may be computed from several arms and bear a name of its own
        spoken = {part.arm for part in (claim.more, claim.less, claim.course) if part is not None}
        assert {arm.removesuffix("-voting") for arm in spoken} <= drawn, claim.id


def _plan(**figure: object) -> Plan:
    whole = {"name": "f", "title": "t", "caption": "c", "xlabel": "members", "ylabel": "error", **figure}
    study = {"title": "t", "question": "q", "method": "m", "figures": [whole]}
    return Plan.model_validate({"headlines": {}, "studies": {"ensembles": study}})


def _trials(folder: Path) -> Trials:
    rows = [Trial("one", 1.0, replicate, "error", 0.2 + 0.01 * replicate) for replicate in range(4)]
    rows += [Trial("many", x, r, "error", 0.3 / x + 0.01 * r * r) for x in (1.0, 2.0, 4.0) for r in range(4)]
    rows += [Trial("many", None, replicate, "spread", 0.1 * replicate) for replicate in range(3)]
    write_trials(folder / "ensemble/digits/trials.csv", "ensembles", rows)
    return Trials(folder, PARAMS)


PANEL = {"title": "digits", "trials": "ensemble/digits"}


def test_the_lines_and_bands_drawn_are_the_rows_of_the_table(tmp_path: Path) -> None:
    arms = {"one": "one model", "many": "ensemble", "absent": "left out"}
    figure = _plan(kind="curves", log=True, percent=True, panels=[{**PANEL, "metric": "error", "arms": arms}])
    study = figure.studies["ensembles"]
    table, style = figure_table(study.figures[0], _trials(tmp_path)), styles(study.figures)
    axes = draw(study.figures[0], table, style).axes[0]
    lines = {str(line.get_label()): line for line in axes.lines}
    assert set(lines) == {"one model", "ensemble"} == set(table["arm"])
    rows = table[table["arm"] == "ensemble"]
    assert np.array_equal(np.asarray(lines["ensemble"].get_xydata()), rows[["x", "y"]].to_numpy())
    band = axes.collections[0].get_paths()[0].vertices
    assert {(x, round(y, 9)) for x, y in np.asarray(band)} >= {
        (x, round(y, 9)) for x, y in zip(rows.x, rows.low, strict=True)
    }
    level = table[table["arm"] == "one model"]
    assert set(np.asarray(lines["one model"].get_ydata())) == set(level["y"])
    assert lines["ensemble"].get_color() == style["ensemble"][0]


def test_the_points_drawn_are_the_replicates_that_have_both_readings(tmp_path: Path) -> None:
    point = {"x": {"arm": "many", "metric": "error", "x": "last"}, "y": {"arm": "many", "metric": "spread"}}
    plan = _plan(kind="pairs", panels=[{**PANEL, "points": {"ensemble": point}}])
    study = plan.studies["ensembles"]
    table = figure_table(study.figures[0], _trials(tmp_path))
    assert len(table) == 3  # the fourth replicate has no spread
    axes = draw(study.figures[0], table, styles(study.figures)).axes[0]
    dots = next(part for part in axes.collections if isinstance(part, PathCollection))
    assert np.array_equal(np.asarray(dots.get_offsets()), table[["x", "y"]].to_numpy())
    assert axes.get_xlim() == axes.get_ylim()


def test_a_metric_that_an_arm_has_not_is_an_error_that_names_studies_yaml(tmp_path: Path) -> None:
    trials = _trials(tmp_path)
    curves = _plan(kind="curves", panels=[{**PANEL, "metric": "eror", "arms": {"many": "ensemble"}}])
    with pytest.raises(
        InputError, match=r"studies\.yaml: figure f: no 'eror' of 'many' over x; did you mean 'error'\?"
    ):
        figure_table(curves.studies["ensembles"].figures[0], trials)
    point = {"x": {"arm": "many", "metric": "error", "x": 3}, "y": {"arm": "many", "metric": "spread"}}
    pairs = _plan(kind="pairs", panels=[{**PANEL, "points": {"ensemble": point}}])
    with pytest.raises(InputError, match=r"studies\.yaml: figure f: x = 3 is not among"):
        figure_table(pairs.studies["ensembles"].figures[0], trials)


def test_a_headline_about_an_arm_that_the_params_leave_out_is_left_out(tmp_path: Path) -> None:
    reading = {"trials": "ensemble/digits", "metric": "error", "x": "last"}
    plan = Plan.model_validate(
        {"headlines": {"kept": {**reading, "arm": "one"}, "gone": {**reading, "arm": "absent"}}, "studies": {}}
    )
    numbers = summary([], plan, _trials(tmp_path))
    assert numbers["kept"] == 0.215
    assert "gone" not in numbers


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colours": {"one treee": "blue"}}, "no figure draws 'one treee'; did you mean 'one tree'?"),
        ({"colours": {"one tree": "bleu"}}, "colours.one tree = 'bleu'"),
        ({"figure": 1}, "studies.ensembles.figure: unknown key; did you mean 'figures'?"),
    ],
)
def test_a_mistake_in_studies_yaml_is_named(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    content = yaml.safe_load((ROOT / "studies.yaml").read_text())
    content["studies"]["ensembles"].update(change)
    path = tmp_path / "studies.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        load_plan(path)
    assert complaint in str(caught.value)
