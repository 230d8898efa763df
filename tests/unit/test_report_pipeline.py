"""The picture of the pipeline and the way from a claim to its params follow from dvc.yaml and params.yaml alone."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.unit.pages import PIPELINE, ROOT, SOURCES
from torchstone.core.params import read_yaml
from torchstone.report.diagram import diagram
from torchstone.report.layout import belongs, lay_out, needed
from torchstone.report.origins import Origins
from torchstone.report.pipeline import Pipeline
from torchstone.report.plan import load_plan
from torchstone.report.sources import citing

PLAN = load_plan(ROOT / "studies.yaml")
PARAMS: dict[str, Any] = {
    "seed": 1,
    "sets": {"a": {"size": 3}, "b": {"size": 4}},
    "chosen": "a",
    "rounds": ["r0", "r1"],
}
DECLARED: dict[str, Any] = {
    "print": {"cmd": "x", "outs": [{"metrics/fingerprint/draw.json": {"cache": False}}]},
    "draw": {
        "foreach": "${sets}",
        "do": {"desc": "Draw ${key}.", "cmd": "x ${key}", "deps": ["metrics/fingerprint/draw.json"],
               "params": ["seed", "sets.${key}"], "outs": ["data/draw/${key}"]},
    },
    "round": {
        "foreach": "${rounds}",
        "do": {"cmd": "x", "deps": ["data/draw/${chosen}/train.npz", "data/weights/r0.npz"],
               "outs": ["data/round/${item}", "data/weights/${item}.npz"]},
    },
    "look": {"cmd": "x", "deps": ["data/round", "data/draw/b"], "params": ["sets"], "outs": ["data/look"]},
    "judge": {"cmd": "x", "deps": ["data/look", "data/round", "data/draw"], "outs": ["claims.json"]},
}  # fmt: skip
SMALL = Pipeline(DECLARED, PARAMS)


def test_rows_become_runs_and_blanks_are_filled_as_dvc_does() -> None:
    assert [run.key for run in SMALL.steps["draw"].runs] == ["a", "b"]
    assert SMALL.steps["round"].runs[1].reads == ("data/draw/a/train.npz", "data/weights/r0.npz")
    assert SMALL.steps["look"].rows is None
    assert "print" not in SMALL.steps


def test_a_stage_waits_for_those_whose_files_it_reads() -> None:
    assert SMALL.before == {
        "draw": set(), "round": {"draw"}, "look": {"round", "draw"}, "judge": {"look", "round", "draw"},
    }  # fmt: skip
    assert SMALL.loops == {"round"}
    assert SMALL.ancestors(["look"]) == ["draw", "round", "look"]


def test_an_arrow_is_drawn_where_no_longer_way_leads_to_the_stage() -> None:
    assert needed(SMALL.before) == [("draw", "round"), ("round", "look"), ("look", "judge")]


def test_the_params_of_a_claim_are_those_of_its_runs_with_their_values() -> None:
    assert SMALL.settings("draw/a") == ["seed = 1", "sets.a = {size: 3}"]
    assert SMALL.settings("draw/*") == ["seed = 1", "sets.a = {size: 3}", "sets.b = {size: 4}"]
    assert SMALL.settings("look/anything") == ["sets = {a: {size: 3}, b: {size: 4}}"]
    assert SMALL.settings("draw/none") == SMALL.settings("nobody/a") == []


def test_a_stage_belongs_to_the_studies_that_use_it_or_else_to_those_of_its_readers() -> None:
    assert belongs(SMALL.before, {"look": {"s"}, "round": {"s", "t"}}) == {
        "draw": {"s", "t"}, "round": {"s", "t"}, "look": {"s"}, "judge": set(),
    }  # fmt: skip


def test_no_two_stages_of_the_pipeline_overlap_and_every_arrow_goes_right() -> None:
    homes = Origins(PIPELINE, PLAN, []).homes
    laid = lay_out(PIPELINE.before, belongs(PIPELINE.before, homes))
    assert set(laid.boxes) == set(PIPELINE.steps)
    boxes = list(laid.boxes.items())
    for place, (name, a) in enumerate(boxes):
        assert a.x + a.width <= laid.width
        assert a.y + a.height <= laid.height
        for other, b in boxes[place + 1 :]:
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart, f"{name} lies on {other}"
    assert all(laid.boxes[a].x + laid.boxes[a].width < laid.boxes[b].x for a, b in laid.arrows)


def test_the_arrows_and_runs_are_those_that_dvc_yaml_declares() -> None:
    declared = read_yaml(ROOT / "dvc.yaml")["stages"]
    assert list(PIPELINE.steps) == [name for name in declared if name != "fingerprint"]
    drawn = needed(PIPELINE.before)
    assert ("judge", "report") in drawn
    assert "ensemble" in PIPELINE.before["judge"]
    assert "prepare" in PIPELINE.before["sweep"]
    assert "prune" not in PIPELINE.before["minima"]  # whose weights lie beside those that it reads
    assert PIPELINE.loops == {"prune"}


def test_the_report_reads_every_section_of_the_params_that_it_shows() -> None:
    shown = {template.split(".")[0] for step in PIPELINE.steps.values() for template in step.params}
    assert set(PIPELINE.steps["report"].params) >= shown


def test_the_committed_page_shows_the_pipeline_of_dvc_yaml() -> None:
    """DVC allows no dependency on dvc.yaml; if this fails, run `dvc repro --single-item --force report`."""
    html = (ROOT / "reports/index.html").read_text(encoding="utf-8")
    shown = re.findall(r'<details class="step" id="stage-([a-z]+)">', html)
    assert shown == list(PIPELINE.steps)
    for step in PIPELINE.steps.values():
        assert step.command.replace("${key}", "KEY").replace("${item}", "KEY") in html
        assert f"{step.question.replace('${key}', 'KEY').replace('${item.', '{')[:60]}" in html
    picture = html[html.index('<svg class="pipeline"') :].split("</svg>")[0] + "</svg>"
    records = json.loads((ROOT / "reports/claims.json").read_text())["claims"]
    homes = Origins(PIPELINE, PLAN, records).homes
    assert picture == str(diagram(PIPELINE, homes, {name: study.title for name, study in PLAN.studies.items()}))


def test_a_command_names_a_key_only_where_dvc_has_one() -> None:
    origins = Origins(PIPELINE, PLAN, [])
    assert origins.targets("ensemble/waveform") == ["ensemble@waveform"]
    assert origins.targets("ensemble/*") == ["ensemble"]
    assert origins.targets("recommend/mnist1d") == ["recommend"]
    assert origins.targets("prune/* + control/r03") == ["prune", "control@r03"]


def test_a_source_is_the_one_that_is_cited_and_no_other() -> None:
    claims = [{"id": "A", "source": "Efron 1979; Breiman 1996"}, {"id": "B", "source": "Breiman 1996b, section 2"}]
    assert [(source.cited, names) for source, names in citing(SOURCES, claims)] == [
        ("Breiman 1996", ["A"]), ("Breiman 1996b", ["B"]), ("Efron 1979", ["A"]),
    ]  # fmt: skip
    anchors = [source.anchor for source in SOURCES]
    assert len(set(anchors)) == len(anchors)
