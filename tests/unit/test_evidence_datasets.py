"""How a claim reads several trials tables, several x, and the one data set that a study takes at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.laws.judging import KINDS, LESS, MORE, ONE, SETTINGS, claim, frame, verdict
from tests.unit.params_text import TEXT
from torchstone.core.errors import InputError
from torchstone.core.params import apply_preset, load_params
from torchstone.core.schema import Params
from torchstone.core.trials import Trial, write_trials
from torchstone.stats.compare import column, effects
from torchstone.stats.evidence import gather
from torchstone.stats.ledger import Claim, Reading, load_claims
from torchstone.stats.records import as_records

ROOT = Path(__file__).parents[2]

# ---------------------------------------------------------------- several x


def rows_over(values: dict[float, list[float | None]], arm: str = "ticket") -> Any:
    found = [
        ("s", arm, x, k, "error", value)
        for x, row in values.items()
        for k, value in enumerate(row)
        if value is not None
    ]
    return frame({}).reindex(range(len(found))).assign(
        **{name: [row[place] for row in found] for place, name in enumerate(frame({}).columns)}
    )  # fmt: skip


def test_several_x_are_averaged_over_in_each_replicate_that_has_all_of_them() -> None:
    trials = rows_over({0.0: [9, 9, 9], 3.0: [1, 2, None], 4.0: [2, 4, 1], 5.0: [6, 3, 1]})
    found = column(trials, Reading(arm="ticket", metric="error", x=[3, 4, 5]), "X")
    assert found.to_dict() == {0: 3.0, 1: 3.0}
    assert column(trials, Reading(arm="ticket", metric="error", x=[4]), "X").to_dict() == {0: 2.0, 1: 4.0, 2: 1.0}
    assert column(trials, Reading(arm="ticket", metric="error", x=4), "X").to_dict() == {0: 2.0, 1: 4.0, 2: 1.0}


def test_a_replicate_that_lacks_one_of_several_x_is_counted_as_left_out() -> None:
    trials = rows_over({0.0: [9, 9, 9], 3.0: [1, 2, None], 4.0: [3, 4, 1]})
    more = {"arm": "ticket", "metric": "error", "x": 0}
    values, lost = effects(trials, claim("direction", more=more, less=more | {"x": [3, 4]}))
    assert (values.tolist(), lost) == ([7.0, 6.0], 1)
    values, lost = effects(trials, claim("direction", **ONE | {"value": more | {"x": [3, 4]}}))
    assert (values.tolist(), lost) == ([2.0, 3.0], 1)


def test_an_x_among_several_that_is_not_there_is_named() -> None:
    trials = rows_over({3.0: [1, 2], 4.0: [3, 4]})
    with pytest.raises(InputError, match=r"claim X: x = 5 is not among \[3\.0, 4\.0\] of 'ticket'"):
        column(trials, Reading(arm="ticket", metric="error", x=[3, 5]), "X")


def test_several_rows_a_replicate_at_one_of_several_x_are_refused() -> None:
    trials = rows_over({3.0: [1, 2], 4.0: [3, 4]})
    twice = trials.loc[[*trials.index, trials.index[-1]]]
    with pytest.raises(InputError, match="several rows a replicate"):
        column(twice, Reading(arm="ticket", metric="error", x=[3, 4]), "X")


# ---------------------------------------------------------------- margins and design by data set


def test_a_claim_takes_margin_and_design_of_the_data_set_that_it_is_asked_on() -> None:
    which = claim("direction", margin=None, margins={"waveform": 0.01, "digits": 0.003}, design="by data set")
    for dataset, design, margin in (("waveform", "fresh", 0.01), ("digits", "splits", 0.003)):
        found = which.on(dataset, design)  # type: ignore[arg-type]
        assert found is not None
        assert (found.margin, found.margins, found.design) == (margin, None, design)
        assert found.region == (margin, float("inf"))
    assert which.on("mnist", "splits") is None
    assert (which.margin, which.design) == (None, "by data set")


def test_a_claim_with_one_margin_and_one_design_is_the_same_on_every_data_set() -> None:
    which = claim("equivalence")
    assert which.on("waveform", "splits") == which
    by_data_set = claim("equivalence", design="by data set").on("waveform", "splits")
    assert by_data_set is not None
    assert (by_data_set.margin, by_data_set.design) == (which.margin, "splits")


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("direction", {"margins": {"waveform": 0.01}}, "give margin or margins, not both"),
        ("direction", {"margin": None, "margins": {}}, "needs margin"),
        ("equivalence", {"margin": None, "margins": {"waveform": 0.01, "digits": 0.0}}, "a margin above 0"),
        ("equivalence", {"margin": None, "margins": {"waveform": float("nan")}}, "finite number"),
        ("magnitude", {"margin": None}, "needs margin"),
        ("direction", {"design": "by dataset"}, "'by data set'"),
        ("direction", {"more": MORE | {"x": ["first"]}}, "x"),
        ("direction", {"trials": "prune/r00+control/r00"}, "pattern"),
        ("direction", {"trials": "prune/r00 + control"}, "pattern"),
        ("direction", {"trials": "prune/r00 + "}, "pattern"),
    ],
)
def test_a_claim_by_data_set_that_lacks_something_is_refused(kind: str, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        claim(kind, **changes)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "exact"])
def test_margins_stand_for_the_margin_that_a_kind_needs(kind: str) -> None:
    assert claim(kind, margin=None, margins={"waveform": 0.01}).margins == {"waveform": 0.01}


# ---------------------------------------------------------------- which trials


def params_of(tmp_path: Path, dataset: str = "waveform") -> Params:
    """Return params with rounds r00 to r02 and controls r00 and r02 of a data set, and write trials of all of them."""
    content = yaml.safe_load(TEXT)
    content["prune"]["tasks"]["digits"] = content["prune"]["tasks"]["waveform"]
    content["depth"]["margins"]["digits"] = 0.01
    content["prune"]["dataset"] = dataset
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    for stage, numbers in (("prune", (0, 1, 2)), ("control", (0, 2))):
        for number in numbers:
            arm = "more" if stage == "prune" else "less"
            trials = [Trial(arm, number, k, "error", 0.3 + 0.01 * number + 0.001 * k) for k in range(4)]
            write_trials(tmp_path / stage / f"r{number:02d}" / "trials.csv", "lottery", trials)
    return load_params(path)


def lottery(trials: str, **changes: Any) -> Claim:
    content: dict[str, Any] = {
        "trials": trials, "design": "by data set", "margin": None, "margins": {"waveform": 0.01},
        "more": MORE | {"x": 2}, "less": LESS | {"x": 2},
    }  # fmt: skip
    return claim("direction", **content | changes)


def test_tables_that_are_added_are_one_table(tmp_path: Path) -> None:
    params = params_of(tmp_path)
    ((found, trials, overlap),), waiting = gather([lottery("prune/r0* + control/r02")], params, tmp_path)
    assert waiting == {}
    assert {(arm, x) for arm, x in zip(trials["arm"], trials["x"], strict=True)} == {
        ("more", 0.0), ("more", 1.0), ("more", 2.0), ("less", 2.0),
    }  # fmt: skip
    assert trials.index.is_unique
    assert (found.margin, found.design, overlap) == (0.01, "fresh", 0.0)
    assert verdict(found, trials).n == 4


@pytest.mark.parametrize(
    ("trials", "missing"),
    [
        ("prune/r00 + prune/r07", "prune/r07"),
        ("prune/r07 + prune/r00", "prune/r07"),
        ("prune/* + control/r01", "control/r01"),
        ("prune/r02 + sweep/digits-*", "sweep/digits-*"),
    ],
)
def test_a_claim_waits_if_one_of_its_tables_is_missing(tmp_path: Path, trials: str, missing: str) -> None:
    params = params_of(tmp_path)
    assert gather([lottery(trials)], params, tmp_path) == ([], {"X1": f"waits for params with a row {missing}"})
    paper = lottery(trials, preset="paper")
    assert gather([paper], params, tmp_path) == ([], {"X1": "waits for the paper preset"})


def test_a_claim_without_a_margin_for_the_data_set_waits_for_those_that_have_one(tmp_path: Path) -> None:
    params = params_of(tmp_path, "digits")
    which = lottery("prune/r02 + control/r02")
    assert gather([which], params, tmp_path) == ([], {"X1": "waits for one of the data sets waveform, this is digits"})
    (record,) = as_records([which], [], {"X1": "waits"}, SETTINGS)
    assert (record["verdict"], record["margin"]) == ("not run", None)


def test_a_claim_by_data_set_has_the_design_and_the_overlap_of_the_data_set_of_the_params(tmp_path: Path) -> None:
    params = params_of(tmp_path, "digits")
    which = lottery("prune/r02 + control/r02", margins={"waveform": 0.01, "digits": 0.002})
    ((found, trials, overlap),), _ = gather([which], params, tmp_path)
    assert (found.margin, found.design) == (0.002, "splits")
    assert overlap == pytest.approx(0.25 / 0.65)
    (record,) = as_records([which], [verdict(found, trials, overlap)], {}, SETTINGS)
    assert (record["margin"], record["design"], record["region"]) == (0.002, "splits", [0.002, None])
    with pytest.raises(InputError, match=r"claim X1: design = fresh: digits has splits replicates"):
        gather([lottery("prune/r02 + control/r02", margins={"digits": 0.1}, design="fresh")], params, tmp_path)


def test_a_claim_about_an_arm_that_its_tables_lack_is_not_run(tmp_path: Path) -> None:
    params = params_of(tmp_path)
    which = lottery("prune/r02 + control/r02", less=LESS | {"arm": "lses"})
    found, waiting = gather([which], params, tmp_path)
    assert found == []
    assert waiting["X1"].startswith("these params have no arm 'lses' in prune/r02 + control/r02; did you mean 'less'?")


@pytest.mark.parametrize("dataset", ["mnist1d", "digits", "mnist"])
def test_every_claim_of_the_ledger_about_tickets_is_judged_or_waits_on_every_data_set(
    dataset: str, tmp_path: Path
) -> None:
    params = tmp_path / "params.yaml"
    params.write_bytes((ROOT / "params.yaml").read_bytes())
    if dataset == "mnist":
        apply_preset(params, ROOT / "presets/paper.yaml")
    read = load_params(params)
    chosen = read.model_copy(update={"prune": read.prune.model_copy(update={"dataset": dataset})})
    claims = [claim for claim in load_claims(ROOT / "claims.yaml") if claim.study == "lottery"]
    tables: dict[tuple[str, str], set[Trial]] = {}
    for claim_ in claims:
        for stage, key in chosen.matching(claim_.trials):
            rows = tables.setdefault((stage, key), set())
            number = None if key == "all" else float(key[1:])
            for part in claim_.parts:
                of_control = part.arm not in {"ticket", "rewound"}
                if stage not in {"prune", "control"} or of_control == (stage == "control"):
                    rows |= {Trial(part.arm, number, k, part.metric, 0.5) for k in (0, 1)}
    for (stage, key), rows in tables.items():
        write_trials(tmp_path / stage / key / "trials.csv", "lottery", rows)
    judged, waiting = gather(claims, chosen, tmp_path)
    assert len(judged) + len(waiting) == len(claims)
    assert {found.design for found, _, _ in judged} == {"fresh" if dataset == "mnist1d" else "splits"}
    assert set(waiting) == (set() if dataset == "mnist1d" else {"G1", "G2", "G3", "G3-inputs", "G3-both"})
