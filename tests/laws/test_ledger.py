"""Laws of the ledger: a claim says all that its judgement needs, and finds its trials or says what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.laws.judging import LESS, MORE, ONE, SETTINGS, claim, frame, noise, planted, verdict
from torchstone.core.errors import InputError
from torchstone.core.params import load_params
from torchstone.core.schema import Fixed
from torchstone.core.trials import Trial, write_trials
from torchstone.stats.evidence import gather, overlap_of
from torchstone.stats.ledger import load_claims
from torchstone.stats.records import as_records, shown

ROOT = Path(__file__).parents[2]


# ---------------------------------------------------------------- what the ledger may hold


def test_the_ledger_of_the_project_is_read_and_every_kind_has_a_region() -> None:
    claims = load_claims(ROOT / "claims.yaml")
    assert len({each.id for each in claims}) == len(claims) > 20
    assert any(each.control for each in claims)
    for each in claims:
        for about in [each.on(name, "fresh") for name in each.margins] if each.margins else [each]:
            assert about is not None
            low, high = about.region
            assert low < high
            assert np.isfinite(low) or np.isfinite(high)


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("direction", {"margin": None}, "needs margin"),
        ("magnitude", {"size": None, "tolerance": None}, "needs size, tolerance"),
        ("equivalence", {"margin": 0.0}, "a margin above 0"),
        ("equivalence", {"margin": float("nan")}, "finite number"),
        ("direction", {"estimator": "every"}, "'every' belongs to an exact claim"),
        ("exact", {"bounds": None}, "needs bounds"),
        ("trend", {"course": None}, "needs course"),
        ("direction", {"id": "x 1"}, "pattern"),
        ("direction", {"less": None}, "needs less"),
        ("direction", ONE | {"margin": None}, "needs margin"),
        ("direction", {"value": MORE}, "takes no more, less beside its value"),
        ("equivalence", {"value": MORE}, "'equivalence' takes no value"),
        ("trend", {"more": MORE, "less": LESS}, "'trend' takes no more, less"),
        ("direction", {"course": {"arm": "more", "metric": "error", "goes": "up"}}, "'direction' takes no course"),
        ("direction", {"gate": {"metric": "train_accuracy"}}, "least"),
        ("direction", {"gate": {"metric": "train_accuracy", "least": float("inf")}}, "finite number"),
        ("direction", {"unit": "octaves"}, "'decades'"),
    ],
)
def test_a_claim_that_lacks_what_its_kind_needs_is_refused(kind: str, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        claim(kind, **changes)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("family: one", "famliy: one", "unknown key; did you mean 'family'?"),
        ("arm: more", "amr: more", "unknown key; did you mean 'arm'?"),
        ("least: 0.9", "leest: 0.9", "unknown key; did you mean 'least'?"),
        ("id: X2", "id: X1", "claim id X1 is given twice"),
        ("corrects: X1", "corrects: X9", "claim X2: corrects 'X9', which is no claim"),
    ],
)
def test_a_mistake_in_the_ledger_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    row = """
  - id: X1
    study: s
    sentence: It is so.
    source: us
    grade: own
    published: so
    kind: direction
    trials: ensemble/waveform
    family: one
    more: {arm: more, metric: error}
    less: {arm: less, metric: error}
    gate: {metric: train_accuracy, least: 0.9}
    margin: 0.0
    design: fresh
"""
    text = "claims:" + row + row.replace("X1", "X2") + "    corrects: X1\n"
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    assert len(load_claims(path)) == 2
    path.write_text(text.replace(old, new, 1) if old not in {"corrects: X1"} else text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_claims(path)
    assert expected in str(caught.value)


def test_decades_are_a_unit_and_shown_with_two_digits() -> None:
    assert shown(0.3, "decades") == "0.3 decades"
    assert shown(-2.224, "decades") == "-2.2 decades"
    which = claim("magnitude", unit="decades", size=2.22, tolerance=0.5, margin=0.3)
    finding = planted(which, 1.0 + 0.1 * noise("decades", 0))
    assert finding.verdict == "direction only"
    (record,) = as_records([which], [finding], {}, SETTINGS)
    assert record["unit"] == "decades"
    assert record["note"] == "the effect is smaller than the published size (1.7 decades to 2.7 decades)"


# ---------------------------------------------------------------- what it asks of the trials


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"more": MORE | {"arm": "mroe"}}, r"claim X1: no trials of 'mroe'; did you mean 'more'\?"),
        ({"more": MORE | {"metric": "eror"}}, r"claim X1: no trials of 'eror'; did you mean 'error'\?"),
        ({"more": MORE | {"x": 7}}, r"claim X1: x = 7 is not among \[5\.0\] of 'more'"),
        ({"more": {"arm": "more", "metric": "error"}}, r"claim X1: 'error' of 'more' is measured at x = \[5\.0\]; say"),
    ],
)
def test_an_unknown_arm_metric_or_x_is_named_with_what_there_is(changes: dict[str, Any], expected: str) -> None:
    trials = frame({"more": noise("unknown", 0), "less": noise("unknown", 1)})
    with pytest.raises(InputError, match=rf"claims\.yaml: {expected}"):
        verdict(claim("direction", **changes), trials)


def test_several_rows_a_replicate_are_not_taken_for_more_replicates() -> None:
    trials = frame({"more": noise("twice", 0), "less": noise("twice", 1)})
    with pytest.raises(InputError, match="several rows a replicate"):
        verdict(claim("direction"), pd.concat([trials, trials]))
    later = frame({"more": noise("twice", 2)}, 10.0)
    with pytest.raises(InputError, match=r"claim X1: 'error' of 'more' has several rows a replicate and x"):
        verdict(claim("trend"), pd.concat([trials, trials, later]))


def test_a_trend_needs_two_points_and_an_arm() -> None:
    one = frame({"more": noise("point", 0)})
    with pytest.raises(InputError, match="two or more x above 0"):
        verdict(claim("trend"), one)
    with pytest.raises(InputError, match="two or more x above 0"):
        verdict(claim("trend"), pd.concat([one, frame({"more": noise("point", 1)}, 0.0)]))
    with pytest.raises(InputError, match="no trials of 'error' of 'none' over x"):
        verdict(claim("trend", course={"arm": "none", "metric": "error", "goes": "up"}), one)


# ---------------------------------------------------------------- evidence


def test_evidence_is_taken_from_the_rows_of_params_and_not_from_the_folder(tmp_path: Path) -> None:
    params = load_params(ROOT / "params.yaml")
    rows = params.rows("ensemble")
    for key in [*rows, "left-over"]:
        write_trials(
            tmp_path / "ensemble" / key / "trials.csv",
            "s",
            [Trial(arm, 5, 0, "error", 1.0) for arm in ("more", "less")],
        )
    known = [claim("direction", trials=f"ensemble/{rows[0]}", design=design_of(rows[0]))]
    unknown = [claim("direction", id="X2", trials="ensemble/left-over")]
    ((found, trials, overlap),), waiting = gather(known + unknown, params, tmp_path)
    assert found.id == "X1"
    assert waiting == {"X2": "waits for params with a row ensemble/left-over"}
    assert len(trials) == 2
    assert (overlap > 0) == (found.design == "splits")


def design_of(dataset: str) -> str:
    return "fresh" if dataset in {"waveform", "friedman1", "mnist1d"} else "splits"


def test_the_overlap_of_splits_is_test_over_train() -> None:
    params = load_params(ROOT / "params.yaml")
    for dataset, row in params.prepare:
        if row is None or dataset in {"mnist", "fashion_mnist"}:
            continue
        which = claim("direction", design=design_of(dataset))
        expected = row.test / (1 - row.test - row.valid) if design_of(dataset) == "splits" else 0.0
        assert overlap_of(which, dataset, params) == pytest.approx(expected)
        wrong = claim("direction", design="fresh" if design_of(dataset) == "splits" else "splits")
        with pytest.raises(
            InputError, match=rf"design = {wrong.design}: {dataset} has {design_of(dataset)} replicates"
        ):
            overlap_of(wrong, dataset, params)


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_the_overlap_of_a_published_test_set_is_its_rows_over_those_trained_on(dataset: str) -> None:
    params = load_params(ROOT / "params.yaml")
    row = Fixed(replicates=5, valid=5000)
    params = params.model_copy(update={"prepare": params.prepare.model_copy(update={dataset: row})})
    assert overlap_of(claim("direction", design="splits"), dataset, params) == pytest.approx(10_000 / 55_000)
    with pytest.raises(InputError, match=rf"claim X1: design = fresh: {dataset} has splits replicates"):
        overlap_of(claim("direction", design="fresh"), dataset, params)


def test_a_claim_without_trials_waits_and_is_not_judged() -> None:
    (record,) = as_records([claim("direction")], [], {"X1": "waits for the paper preset"}, SETTINGS)
    assert record["verdict"] == "not run"
    assert record["note"] == "waits for the paper preset"
    assert record["estimate"] is None
