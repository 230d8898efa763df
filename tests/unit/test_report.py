"""The page, the tables and the README's copy of the verdicts, on trials made up here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.pages import leads_out, page
from torchstone.core.errors import InputError
from torchstone.core.files import write_svg
from torchstone.core.params import load_params
from torchstone.core.trials import Trial, write_trials
from torchstone.report.figures import PALETTE, draw, styles
from torchstone.report.plan import Plan, load_plan
from torchstone.report.readme import BEGIN, END, embedded, verdict_table
from torchstone.report.strips import strip
from torchstone.report.summary import summary
from torchstone.report.tables import Trials, figure_table
from torchstone.report.terminal import verdict_lines
from torchstone.report.wording import region_text
from torchstone.stats.evidence import gather
from torchstone.stats.ledger import load_claims
from torchstone.stats.records import as_records
from torchstone.stats.verdict import judge

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "studies.yaml")
PARAMS = load_params(ROOT / "params.yaml")


def _trials(folder: Path) -> Trials:
    """Write made-up trials of one data set: two arms whose errors fall with x."""
    rows = [
        Trial(arm, x, replicate, "error", level / x + 0.01 * replicate)
        for arm, level in (("tree-bagging", 0.3), ("stump-adaboost", 0.4))
        for x in (1.0, 2.0, 10.0)
        for replicate in range(3)
    ]
    rows += [Trial("tree-single", 1.0, replicate, "error", 0.3 + 0.01 * replicate) for replicate in range(3)]
    write_trials(folder / "ensemble/digits/trials.csv", "ensembles", rows)
    only = PARAMS.ensemble.model_copy(update={"cells": {"digits": PARAMS.ensemble.cells["digits"]}})
    none = PARAMS.sweep.model_copy(update={"tasks": {}, "cells": {}})
    prune, control = PARAMS.prune.model_copy(update={"rounds": {}}), PARAMS.control.model_copy(update={"rounds": []})
    gan, network = PARAMS.gan.model_copy(update={"games": {}}), PARAMS.network.model_copy(update={"cities": {}})
    changes = {"ensemble": only, "sweep": none, "prune": prune, "control": control, "gan": gan, "network": network}
    return Trials(folder, PARAMS.model_copy(update=changes))


@pytest.fixture
def records() -> list[dict[str, Any]]:
    claims = load_claims(ROOT / "claims.yaml")
    return as_records(claims, [], {}, PARAMS.judge)


def test_a_figure_draws_only_what_its_params_have(tmp_path: Path) -> None:
    figure = next(figure for figure in PLAN.studies["ensembles"].figures if figure.name == "error-by-members")
    table = figure_table(figure, _trials(tmp_path))
    assert set(table["panel"]) == {"digits"}
    assert set(table["arm"]) == {"one tree", "bagged trees"}
    bagged = table[table["arm"] == "bagged trees"].set_index("x")
    assert float(bagged["y"].loc[10.0]) == pytest.approx(0.04)
    assert float(bagged["low"].loc[10.0]) == pytest.approx(0.04 - 4.302653 * 0.01 / 3**0.5, rel=1e-6)
    assert float(bagged["n"].loc[10.0]) == 3


def test_a_figure_without_trials_is_empty_and_not_an_error(tmp_path: Path) -> None:
    figure = next(figure for figure in PLAN.studies["ensembles"].figures if figure.name == "adaboost-bound")
    assert figure_table(figure, _trials(tmp_path)).empty


def test_the_same_table_gives_the_same_svg_bytes_and_a_line_an_arm(tmp_path: Path) -> None:
    figures = PLAN.studies["ensembles"].figures
    figure = figures[0]
    table = figure_table(figure, _trials(tmp_path))
    for name in ("one", "two"):
        write_svg(tmp_path / f"{name}.svg", draw(figure, table, styles(figures)))
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    canvas = draw(figure, table, styles(figures))
    drawn = {line.get_label() for axes in canvas.axes for line in axes.lines}
    assert drawn == set(table["arm"])


def test_a_label_has_one_colour_in_all_figures_of_a_study() -> None:
    style = styles(PLAN.studies["ensembles"].figures)
    assert len(set(PALETTE)) == len(PALETTE)
    assert len({*style.values()}) >= min(len(style), len(PALETTE))


def test_every_claim_is_on_the_page_with_its_verdict_and_nothing_is_loaded(records: list[dict[str, Any]]) -> None:
    html = page(PLAN, records, {}, {})
    for record in records:
        assert f'id="claim-{record["id"]}"' in html
    assert html.count("not run</span>") >= len(records)
    assert leads_out(html) == []
    assert "@import" not in html
    assert page(PLAN, records, {}, {}) == html


def test_a_correction_follows_the_claim_it_corrects(records: list[dict[str, Any]]) -> None:
    html = page(PLAN, records, {}, {})
    places = [html.index(f'href="#claim-{name}"') for name in ("E2", "E2-votes", "E2-digits")]
    assert places == sorted(places)


def test_the_interval_picture_shades_the_region_and_marks_the_estimate() -> None:
    record = {"estimate": 0.5, "low": 0.0, "high": 1.0, "region": [0.25, None], "unit": "pp"}
    picture = str(strip(record))
    left, width = re.search(r'class="region" x="([\d.]+)" y="2" width="([\d.]+)"', picture).groups()  # type: ignore[union-attr]
    assert float(left) + float(width) == pytest.approx(170, abs=0.2)
    assert float(re.search(r'cx="([\d.]+)"', picture)[1]) == pytest.approx(85, abs=0.2)  # type: ignore[index]
    assert region_text(record) == "above 25.0 pp"
    assert str(strip({"estimate": None})) == ""


def test_the_readme_table_has_a_row_a_claim_and_goes_between_its_marks(records: list[dict[str, Any]]) -> None:
    table = verdict_table(records)
    assert table.count("\n") == len(records) + 2
    assert embedded(f"head\n{BEGIN}\nold\n{END}\ntail\n", table) == f"head\n{BEGIN}\n{table}{END}\ntail\n"
    with pytest.raises(InputError, match=r"README\.md: the lines .* are missing"):
        embedded("no marks", table)


def test_the_terminal_table_fits_its_width(records: list[dict[str, Any]]) -> None:
    lines = verdict_lines(records, 120)
    assert len(lines) == len(records)
    assert max(len(line) for line in lines) <= 120


def test_the_summary_is_short_and_leaves_out_what_was_not_run(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    numbers = summary(records, PLAN, _trials(tmp_path))
    assert set(numbers) == {"supported", "refuted", "inconclusive", "direction_only"}
    assert len(PLAN.headlines) + 4 <= 12


def test_a_mistyped_key_in_studies_yaml_is_named_with_a_hint(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "studies.yaml").read_text())
    content["studies"]["ensembles"]["figures"][0]["caption_"] = "x"
    path = tmp_path / "studies.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"studies\.ensembles\.figures\.0\.caption_: unknown key"):
        load_plan(path)


def test_no_result_stands_in_the_prose() -> None:
    assert isinstance(PLAN, Plan)
    for study in PLAN.studies.values():
        for text in [study.question, study.method, *(figure.caption for figure in study.figures)]:
            assert not re.search(r"\d+\.\d+|\d+ ?(%|percent|points)", text), text


def test_every_figure_that_a_claim_names_is_planned() -> None:
    figures = {figure.name for study in PLAN.studies.values() for figure in study.figures}
    claims = load_claims(ROOT / "claims.yaml")
    assert {claim.figure for claim in claims} - {None} <= figures
    assert {claim.study for claim in claims} == set(PLAN.studies)


def test_claims_without_rows_in_the_params_are_not_judged(tmp_path: Path) -> None:
    trials = _trials(tmp_path)
    params = trials._params  # the cut-down params made above
    kept = [claim for claim in load_claims(ROOT / "claims.yaml") if claim.id == "E3"]
    assert gather(kept, params, tmp_path) == ([], {"E3": "waits for params with a row ensemble/waveform"})
    assert judge([], params.judge, 1) == []


def test_a_claim_about_an_arm_that_the_params_leave_out_waits_with_a_hint(tmp_path: Path) -> None:
    trials = _trials(tmp_path)
    claim = next(claim for claim in load_claims(ROOT / "claims.yaml") if claim.id == "E5-nets-digits")
    evidence, waiting = gather([claim], trials._params, tmp_path)
    assert evidence == []
    assert waiting["E5-nets-digits"].startswith("these params have no arm 'mlp-single' in ensemble/digits; ")
