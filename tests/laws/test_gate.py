"""Laws of the gate: which replicates count, which do not, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.laws.judging import MORE, ONE, SETTINGS, N, Values, claim, frame, noise, verdict
from torchstone.core.errors import InputError
from torchstone.stats.compare import Passage, gated
from torchstone.stats.records import as_records
from torchstone.stats.verdict import Finding, judge

GATE = {"metric": "train_accuracy", "least": 0.99}


def learnt(arms: dict[str, Values], x: float | None = 5.0) -> pd.DataFrame:
    """Return the rows of the gate's metric."""
    return frame(arms, x).assign(metric="train_accuracy")


def failing(*replicates: int, n: int = N) -> Values:
    values = np.ones(n)
    values[list(replicates)] = 0.6
    return values


def contrast(differences: Values, more: Values, less: Values) -> pd.DataFrame:
    """Return two arms that differ so, with their training accuracies."""
    base = 0.3 + 0.05 * noise("gate-base", len(differences), len(differences))
    measured = frame({"more": base + differences, "less": base})
    return pd.concat([measured, learnt({"more": more, "less": less})], ignore_index=True)


def over(points: dict[float, Values], passing: dict[float, Values]) -> pd.DataFrame:
    """Return one arm over x, with its training accuracies."""
    tables = [frame({"more": values}, x) for x, values in points.items()]
    return pd.concat([*tables, *(learnt({"more": values}, x) for x, values in passing.items())], ignore_index=True)


def record_of(finding: Finding) -> dict[str, Any]:
    (record,) = as_records([finding.claim], [finding], {}, SETTINGS)
    return record


def as_if_ungated(finding: Finding) -> Finding:
    return replace(finding, claim=finding.claim.model_copy(update={"gate": None}), passage=None)


# ---------------------------------------------------------------- contrasts


def test_a_replicate_that_fails_in_either_arm_is_left_out_of_a_contrast_and_counted() -> None:
    differences = noise("either", 0)
    finding = verdict(claim("direction", gate=GATE), contrast(differences, failing(2, 7), failing(7, 11)))
    assert (finding.n, finding.lost) == (17, 0)
    assert finding.passage == Passage(17, 20, 0.6)
    assert finding.estimate == pytest.approx(np.delete(differences, [2, 7, 11]).mean())


def test_the_least_itself_passes() -> None:
    reached = np.array([0.99, 0.99, 0.99 - 1e-9])
    kept, passage = gated(contrast(np.zeros(3), reached, np.ones(3)), claim("direction", gate=GATE))
    assert passage == Passage(2, 3, 0.99 - 1e-9)
    assert set(kept["replicate"]) == {0, 1}


@pytest.mark.parametrize("overlap", [0.0, 0.4])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("direction", {}), ("equivalence", {}), ("magnitude", {"estimator": "ratio of means"}), ("direction", ONE)],
)
def test_a_gate_is_the_same_as_leaving_the_replicates_out_by_hand(
    kind: str, changes: dict[str, Any], overlap: float
) -> None:
    trials = contrast(0.02 + 0.02 * noise("by-hand", 0), failing(0, 4, 5), np.ones(N))
    found = verdict(claim(kind, gate=GATE, **changes), trials, overlap)
    without = trials[~trials["replicate"].isin([0, 4, 5])]
    assert as_if_ungated(found) == verdict(claim(kind, **changes), without, overlap)


def test_an_effect_carried_only_by_replicates_that_fail_the_gate_does_not_reach_the_verdict() -> None:
    out = tuple(range(10))
    differences = 0.01 * noise("carried", 0)
    differences[list(out)] += 1.0
    for more, less in ((failing(*out), np.ones(N)), (np.ones(N), failing(*out))):
        trials = contrast(differences, more, less)
        assert verdict(claim("direction"), trials).verdict == "supported"
        assert verdict(claim("direction", gate=GATE), trials).verdict == "inconclusive"


def test_a_replicate_that_is_measured_without_its_gate_has_not_passed() -> None:
    trials = contrast(np.zeros(N), np.ones(N), np.ones(N))
    unknown = (trials["metric"] == "train_accuracy") & (trials["replicate"] == 4) & (trials["arm"] == "less")
    finding = verdict(claim("direction", gate=GATE), trials[~unknown])
    assert finding.passage == Passage(19, 20, 1.0)
    assert finding.n == 19


def test_a_replicate_that_passes_and_lacks_the_effect_in_one_arm_is_counted_as_lost() -> None:
    trials = contrast(np.zeros(N), failing(9), np.ones(N))
    absent = (trials["metric"] == "error") & (trials["replicate"] == 4) & (trials["arm"] == "less")
    finding = verdict(claim("direction", gate=GATE), trials[~absent])
    assert (finding.n, finding.lost, finding.passage) == (18, 1, Passage(19, 20, 0.6))


def test_each_arm_is_gated_at_its_own_x() -> None:
    which = claim("direction", gate=GATE, less=MORE | {"x": "first"})
    trials = over(
        {1.0: np.zeros(N), 2.0: noise("between", 0), 4.0: np.ones(N)},
        {1.0: failing(3), 2.0: np.zeros(N), 4.0: failing(8)},
    )
    finding = verdict(which, trials)
    assert (finding.n, finding.passage) == (18, Passage(18, 20, 0.6))


def test_a_replicate_left_out_is_no_counterexample_to_what_holds_in_every_other() -> None:
    which = claim("exact", estimator="every", value=MORE, bounds=[None, 0.5], gate=GATE)
    values = np.zeros(N)
    values[6] = 1.0
    assert verdict(which, contrast(values, np.ones(N), np.ones(N))).verdict == "refuted"
    assert verdict(which, contrast(values, failing(6), np.ones(N))).verdict == "supported"


# ---------------------------------------------------------------- courses


def test_a_course_keeps_only_the_x_at_which_every_replicate_passes() -> None:
    points = {x: noise("course", int(x)) for x in (1.0, 2.0, 4.0, 8.0)}
    passing = {1.0: np.ones(N), 2.0: np.ones(N), 4.0: failing(13), 8.0: np.ones(N)}
    finding = verdict(claim("trend", gate=GATE), over(points, passing))
    assert (finding.n, finding.lost, finding.passage) == (N, 0, Passage(3, 4, 0.6))
    del points[4.0]
    assert as_if_ungated(finding) == verdict(claim("trend"), over(points, {}))


def test_a_trend_carried_only_by_an_x_that_fails_the_gate_does_not_reach_the_verdict() -> None:
    points = {x: 0.01 * noise("bend", int(x)) for x in (1.0, 2.0, 4.0)} | {8.0: -1.0 + 0.01 * noise("bend", 8)}
    trials = over(points, {x: failing(0) if x == 8.0 else np.ones(N) for x in points})
    assert verdict(claim("trend"), trials).verdict == "supported"
    assert verdict(claim("trend", gate=GATE), trials).verdict == "inconclusive"


def test_an_x_where_one_replicate_has_no_gate_is_not_kept() -> None:
    points = {x: noise("unknown-x", int(x)) for x in (1.0, 2.0, 4.0)}
    trials = over(points, dict.fromkeys(points, np.ones(N)))
    unknown = (trials["metric"] == "train_accuracy") & (trials["replicate"] == 4) & (trials["x"] == 2.0)
    _, passage = gated(trials[~unknown], claim("trend", gate=GATE))
    assert passage == Passage(2, 3, 1.0)


def test_the_gate_of_a_course_leaves_other_arms_alone() -> None:
    trials = pd.concat([over({1.0: np.zeros(N), 2.0: np.zeros(N)}, {1.0: np.ones(N), 2.0: failing(0)}),
                        frame({"other": np.zeros(N)}, 2.0)])  # fmt: skip
    kept, _ = gated(trials, claim("trend", gate=GATE))
    assert set(kept[kept["arm"] == "more"]["x"]) == {1.0}
    assert len(kept[kept["arm"] == "other"]) == N


# ---------------------------------------------------------------- too few


@pytest.mark.parametrize("passing", [0, 1])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("direction", {}),
        ("direction", ONE),
        ("equivalence", {}),
        ("magnitude", {"estimator": "ratio of means"}),
        ("exact", {"value": MORE}),
        ("exact", {"value": MORE, "estimator": "every", "bounds": [None, 100.0]}),
        ("exact", {"value": MORE, "estimator": "every", "bounds": [None, -100.0]}),
    ],
)
def test_with_fewer_than_two_passing_nothing_is_decided_and_that_is_told(
    kind: str, changes: dict[str, Any], passing: int
) -> None:
    trials = contrast(9.0 + noise("too-few", 0), failing(*range(passing, N)), np.ones(N))
    finding = verdict(claim(kind, gate=GATE, **changes), trials)
    assert (finding.verdict, finding.n, finding.p_for) == ("inconclusive", 0, None)
    record = record_of(finding)
    assert [record[name] for name in ("estimate", "low", "high", "p_adjusted", "mde")] == [None] * 5
    assert record["note"] == "too few reach the gate to compare"
    assert f"reached by {passing} of 20 replicates" in record["gate"]


@pytest.mark.parametrize("passing", [0, 1])
def test_a_course_of_fewer_than_two_x_is_not_decided_either(passing: int) -> None:
    points = {x: noise("one-x", int(x)) for x in (1.0, 2.0)}
    trials = over(points, {1.0: np.ones(N) if passing else failing(0), 2.0: failing(1)})
    finding = verdict(claim("trend", gate=GATE), trials)
    assert (finding.verdict, finding.passage) == ("inconclusive", Passage(passing, 2, 0.6))
    assert (record_of(finding)["estimate"], record_of(finding)["note"]) == (None, "too few reach the gate to compare")


def test_a_finding_that_stopped_at_its_gate_does_not_enter_its_family() -> None:
    trials = contrast(0.55 + noise("family-gate", 0), np.ones(N), np.ones(N))
    stopped = contrast(noise("family-gate", 1), failing(*range(N)), np.ones(N))
    which, other = claim("direction"), claim("direction", id="X2", gate=GATE)
    alone = verdict(which, trials)
    assert judge([(other, stopped, 0.0), (which, trials, 0.0)], SETTINGS, 1)[1] == alone
    assert alone.p_for is not None
    passing = contrast(noise("family-gate", 1), np.ones(N), np.ones(N))
    among = judge([(other, passing, 0.0), (which, trials, 0.0)], SETTINGS, 1)[1]
    assert among.p_for == pytest.approx(2 * alone.p_for)


# ---------------------------------------------------------------- what is said of it


def test_the_record_says_what_the_gate_is_and_who_reached_it() -> None:
    trials = contrast(np.zeros(N), failing(2, 7), failing(7, 11))
    assert record_of(verdict(claim("direction", gate=GATE), trials))["gate"] == (
        "train accuracy of at least 99.0% in every arm: reached by 17 of 20 replicates, the lowest is 60.0%"
    )
    points = {x: noise("told", int(x)) for x in (1.0, 2.0, 4.0)}
    course = over(points, {1.0: np.ones(N), 2.0: np.ones(N), 4.0: failing(5)})
    assert record_of(verdict(claim("trend", gate=GATE), course))["gate"] == (
        "train accuracy of at least 99.0% in every replicate: reached by 2 of 3 values of x, the lowest is 60.0%"
    )


def test_a_gate_measured_at_no_x_of_the_course_is_reached_at_none_and_has_no_lowest_value() -> None:
    trials = over({x: noise("elsewhere", int(x)) for x in (1.0, 2.0)}, {4.0: np.ones(N)})
    record = record_of(verdict(claim("trend", gate=GATE), trials))
    assert record["gate"] == "train accuracy of at least 99.0% in every replicate: reached by 0 of 2 values of x"
    assert (record["verdict"], record["estimate"]) == ("inconclusive", None)


def test_a_claim_without_a_gate_or_without_trials_says_nothing_of_one() -> None:
    trials = contrast(np.zeros(N), np.ones(N), np.ones(N))
    assert record_of(verdict(claim("direction"), trials))["gate"] is None
    (waiting,) = as_records([claim("direction", gate=GATE)], [], {"X1": "waits"}, SETTINGS)
    assert (waiting["gate"], waiting["verdict"]) == (None, "not run")


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(("kind", "changes"), [("direction", {}), ("direction", ONE), ("trend", {})])
def test_a_gate_on_a_metric_that_nobody_has_names_the_claim_and_the_metric(kind: str, changes: dict[str, Any]) -> None:
    trials = contrast(np.zeros(N), np.ones(N), np.ones(N))
    mistyped = claim(kind, gate=GATE | {"metric": "train_acuracy"}, **changes)
    with pytest.raises(InputError, match=r"claims\.yaml: claim X1: no trials of 'train_acuracy'"):
        verdict(mistyped, trials)


def test_a_gate_that_one_arm_lacks_names_the_claim_and_what_that_arm_has() -> None:
    trials = contrast(np.zeros(N), np.ones(N), np.ones(N))
    lacking = trials[(trials["arm"] == "more") | (trials["metric"] == "error")]
    with pytest.raises(InputError, match=r"claim X1: no trials of 'train_accuracy'; known: error"):
        verdict(claim("direction", gate=GATE), lacking)


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("direction", {"more": MORE | {"metric": "eror"}}, "no trials of 'eror'; did you mean 'error'"),
        ("direction", {"more": MORE | {"x": 7}}, "x = 7 is not among"),
        ("trend", {"course": {"arm": "more", "metric": "eror", "goes": "up"}}, "no trials of 'eror' of 'more' over x"),
    ],
)
def test_a_mistake_in_the_claim_is_named_though_nobody_reaches_its_gate(
    kind: str, changes: dict[str, Any], expected: str
) -> None:
    trials = contrast(np.zeros(N), np.zeros(N), np.zeros(N))
    with pytest.raises(InputError, match=f"claim X1: {expected}"):
        verdict(claim(kind, gate=GATE, **changes), trials)


# ---------------------------------------------------------------- no gate


@pytest.mark.parametrize("kind", ["direction", "equivalence", "magnitude", "trend"])
def test_a_gate_that_everyone_reaches_changes_nothing_and_neither_do_its_rows_without_one(kind: str) -> None:
    points = {x: 0.3 + 0.05 * noise("no-gate", int(x)) for x in (1.0, 5.0)}
    bare = pd.concat([over(points, {}), frame({"less": 0.1 + 0.05 * noise("no-gate", 9)})], ignore_index=True)
    rows = [learnt({"more": np.ones(N)}, 1.0), learnt({"more": np.ones(N), "less": np.ones(N)})]
    expected = verdict(claim(kind), bare)
    assert verdict(claim(kind), pd.concat([bare, *(table.assign(value=0.0) for table in rows)])) == expected
    found = verdict(claim(kind, gate=GATE), pd.concat([bare, *rows]))
    assert found.passage is not None
    assert as_if_ungated(found) == expected
