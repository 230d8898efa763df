"""Laws of the verdicts: seldom wrong on nulls, found on planted effects, and open where the data are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.laws.judging import ONE, SETTINGS, N, claim, frame, noise, planted, verdict
from torchstone.core.rng import numpy_stream
from torchstone.stats import verdict as verdict_module
from torchstone.stats.intervals import Sample, detectable
from torchstone.stats.ledger import Verdict
from torchstone.stats.records import as_records
from torchstone.stats.verdict import Finding, decide, holm, judge

# ---------------------------------------------------------------- size and power


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the advice on power, which no verdict depends on and which costs most of the time."""
    monkeypatch.setattr(verdict_module, "detectable", lambda *_: None)
    monkeypatch.setattr(verdict_module, "replicates_needed", lambda *_: None)


@pytest.mark.parametrize("name", ["normal", "heavy"])
@pytest.mark.usefixtures("quick")
def test_on_nulls_a_direction_is_seldom_supported_and_seldom_refuted(name: str) -> None:
    found = [planted(claim("direction"), 0.01 * noise(name, k)).verdict for k in range(400)]
    assert found.count("supported") / 400 <= 0.05
    assert found.count("refuted") / 400 <= 0.05
    assert found.count("inconclusive") / 400 >= 0.92


@pytest.mark.usefixtures("quick")
def test_a_null_at_the_margin_is_as_rare_a_mistake_as_one_at_zero() -> None:
    margin = claim("direction", margin=0.5)
    found = [planted(margin, 0.5 + noise("margin", k)).verdict for k in range(200)]
    assert found.count("supported") / 200 <= 0.05


@pytest.mark.usefixtures("quick")
def test_a_planted_effect_is_found_as_often_as_the_detectable_effect_says() -> None:
    unit = np.tile([-1.0, 1.0], N // 2) * np.sqrt((N - 1) / N)  # of standard deviation 1
    effect = detectable(Sample(unit), 0.05, 0.8)
    assert effect is not None
    verdicts = [planted(claim("direction"), effect + noise("power", k)).verdict for k in range(400)]
    assert 0.73 <= verdicts.count("supported") / 400 <= 0.86
    assert verdicts.count("refuted") == 0


def test_with_five_replicates_no_sign_flip_can_support_anything() -> None:
    # 2 / 2^5 = 0.0625: six is the least number of fresh replicates that can be decided at all
    assert planted(claim("direction"), 1.0 + 0.01 * noise("few", 0, 5)).verdict == "inconclusive"
    assert planted(claim("direction"), 1.0 + 0.01 * noise("few", 0, 6)).verdict == "supported"


def test_a_verdict_does_not_depend_on_the_other_claims_or_on_the_hour() -> None:
    trials = frame({"more": 0.4 + 0.1 * noise("same", 0), "less": 0.35 + 0.1 * noise("same", 1)})
    alone = verdict(claim("direction"), trials)
    other = claim("direction", id="X2", family="two")
    both = judge([(other, trials, 0.0), (claim("direction"), trials, 0.0)], SETTINGS, 1)
    assert both[1] == alone


# ---------------------------------------------------------------- Holm


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
    assert holm([0.01, 0.01, 0.01, 0.01]) == pytest.approx([0.04] * 4)


def test_holm_keeps_the_order_lies_above_the_raw_and_below_bonferroni() -> None:
    raw = np.sort(numpy_stream(0, "holm").random(30) ** 4)
    adjusted = np.asarray(holm(raw.tolist()))
    assert (np.diff(adjusted) >= 0).all()
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(raw * 30, 1.0) + 1e-15).all()
    shuffled = numpy_stream(0, "shuffle").permutation(30)
    np.testing.assert_array_equal(np.asarray(holm(raw[shuffled].tolist())), adjusted[shuffled])


@pytest.mark.usefixtures("quick")
def test_a_family_of_nulls_makes_a_mistake_at_most_5_times_in_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_module, "effects", lambda table, _: (table.to_numpy().ravel(), 0))  # saves the tables
    claims = [claim("direction", id=f"X{k}", design="splits") for k in range(4)]
    wrong = alone = 0
    for k in range(800):
        values = numpy_stream(0, "families", k).normal(size=(4, N))
        findings = judge([(claims[c], pd.DataFrame(values[c]), 1e-9) for c in range(4)], SETTINGS, 1)
        wrong += any(finding.verdict in {"supported", "refuted"} for finding in findings)
        alone += any(not finding.low <= 0.0 <= finding.high for finding in findings)
    assert wrong / 800 <= 0.07
    assert alone / 800 > 0.14  # without Holm it would be 1 - 0.95^4


def test_a_family_makes_its_members_harder_to_support() -> None:
    trials = frame({"more": 0.55 + noise("family", 0), "less": np.zeros(N)})
    alone = verdict(claim("direction"), trials)
    assert alone.verdict == "supported"
    nulls = frame({"more": noise("family-null", 0), "less": np.zeros(N)})
    others = [(claim("direction", id=f"Y{k}"), nulls, 0.0) for k in range(9)]
    among = judge([(claim("direction"), trials, 0.0), *others], SETTINGS, 1)[0]
    assert alone.p_for is not None
    assert among.p_for is not None
    assert among.p_for > 0.05 > alone.p_for
    assert among.verdict == "inconclusive"
    elsewhere = [(claim("direction", id=f"Y{k}", family="two"), nulls, 0.0) for k in range(9)]
    assert judge([(claim("direction"), trials, 0.0), *elsewhere], SETTINGS, 1)[0] == alone


# ---------------------------------------------------------------- each kind, planted


@pytest.mark.parametrize(
    ("effect", "expected"), [(0.05, "supported"), (-0.05, "refuted"), (0.0, "inconclusive"), (0.02, "inconclusive")]
)
def test_a_direction(effect: float, expected: Verdict) -> None:
    which = claim("direction", margin=0.02 if effect == 0.02 else 0.0)
    assert planted(which, effect + 0.01 * noise("direction", 3)).verdict == expected


@pytest.mark.parametrize("overlap", [0.0, 0.4])
@pytest.mark.parametrize(("effect", "expected"), [(1.0, "supported"), (-1.0, "refuted"), (0.2, "inconclusive")])
def test_a_direction_of_a_value_is_that_of_its_difference_from_nothing(
    effect: float, expected: Verdict, overlap: float
) -> None:
    trials = frame({"more": effect + 0.3 * noise("value", 0), "less": np.zeros(N)})
    of_value, of_difference = claim("direction", margin=0.2, **ONE), claim("direction", margin=0.2)
    found = verdict(of_value, trials, overlap)
    assert replace(found, claim=of_difference) == verdict(of_difference, trials, overlap)
    assert found.verdict == expected


@pytest.mark.parametrize(
    ("effect", "sd", "expected"),
    [
        (0.0, 0.004, "supported"),
        (0.05, 0.004, "refuted"),
        (-0.05, 0.004, "refuted"),
        (0.0, 0.1, "inconclusive"),
        (0.01, 0.004, "inconclusive"),
    ],
)
def test_an_equivalence(effect: float, sd: float, expected: Verdict) -> None:
    assert planted(claim("equivalence"), effect + sd * noise("equivalence", 5)).verdict == expected


@pytest.mark.usefixtures("quick")
def test_an_equivalence_on_its_border_is_seldom_supported() -> None:
    found = [planted(claim("equivalence"), 0.01 + 0.005 * noise("border", k)).verdict for k in range(200)]
    assert found.count("supported") / 200 <= 0.05


@pytest.mark.parametrize(
    ("effect", "sd", "expected"),
    [
        (0.30, 0.02, "supported"),
        (0.15, 0.02, "direction only"),
        (0.60, 0.02, "direction only"),
        (0.30, 0.20, "direction only"),
        (-0.10, 0.02, "refuted"),
        (0.05, 0.30, "inconclusive"),
    ],
)
def test_a_magnitude(effect: float, sd: float, expected: Verdict) -> None:
    finding = planted(claim("magnitude"), effect + sd * noise("magnitude", 2))
    assert finding.verdict == expected


@pytest.mark.parametrize(("slope", "expected"), [(-0.05, "supported"), (0.05, "refuted"), (0.0, "inconclusive")])
@pytest.mark.parametrize("goes", ["down", "up"])
def test_a_trend_is_the_slope_per_doubling(slope: float, expected: Verdict, goes: str) -> None:
    signed = slope if goes == "down" else -slope
    tables = [frame({"more": 0.5 + signed * np.log2(x) + 0.02 * noise("trend", x)}, float(x)) for x in (1, 2, 3, 8, 50)]
    which = claim("trend", course={"arm": "more", "metric": "error", "goes": goes})
    finding = verdict(which, pd.concat(tables))
    assert finding.verdict == expected
    assert finding.estimate == pytest.approx(-slope, abs=0.01)


def test_a_trend_may_leave_small_x_out_and_then_zero_may_be_among_them() -> None:
    tables = [frame({"more": 0.5 - 0.05 * np.log2(x) + 0.02 * noise("least", x)}, float(x)) for x in (1, 2, 4)]
    away = [frame({"more": 9.0 + noise("least", 7)}, 0.0), frame({"more": 9.0 + noise("least", 8)}, 0.5)]
    which = claim("trend", course={"arm": "more", "metric": "error", "goes": "down", "least": 1})
    assert verdict(which, pd.concat(tables + away)) == verdict(which, pd.concat(tables))


def test_an_exact_mean_is_judged_by_its_interval() -> None:
    def found(shift: float, sd: float) -> Verdict:
        return verdict(claim("exact"), frame({"more": shift + sd * noise("exact", 1)}, None)).verdict

    assert found(0.0, 0.01) == "supported"
    assert found(0.05, 0.01) == "refuted"
    assert found(0.0, 0.1) == "inconclusive"


def test_what_holds_in_every_replicate_is_refuted_by_one_counterexample() -> None:
    which = claim("exact", estimator="every", bounds=[None, 0.0])
    values = -np.abs(noise("every", 0))
    assert verdict(which, frame({"more": values}, None)).verdict == "supported"
    values[7] = 1e-9
    assert verdict(which, frame({"more": values}, None)).verdict == "refuted"
    two_sided = claim("exact", estimator="every", bounds=[-1.0, 1.0])
    finding = verdict(two_sided, frame({"more": np.array([0.2, -0.9, 0.1])}, None))
    assert (finding.verdict, finding.estimate, finding.low, finding.high) == ("supported", -0.9, -0.9, 0.2)
    assert verdict(two_sided, frame({"more": np.array([0.2, -1.1])}, None)).verdict == "refuted"


# ---------------------------------------------------------------- controls, gaps and notes


@pytest.mark.parametrize("overlap", [0.0, 0.4])
def test_two_identical_arms_are_never_supported(overlap: float) -> None:
    same = noise("identical", 0)
    for kind, changes in (("direction", {}), ("magnitude", {}), ("direction", {"margin": 0.01})):
        for n in (1, 2, 20):
            trials = frame({"more": same[:n], "less": same[:n]})
            finding = verdict(claim(kind, control=True, **changes), trials, overlap)
            assert finding.verdict in {"inconclusive", "refuted"}
            assert finding.estimate == 0.0
    zero = verdict(claim("direction"), frame({"more": same, "less": same}), overlap)
    assert zero.verdict == "inconclusive"


def test_replicates_that_one_arm_lacks_are_left_out_counted_and_told() -> None:
    trials = frame({"more": 1.0 + 0.1 * noise("gap", 0), "less": 0.1 * noise("gap", 1)})
    gaps = ((trials["arm"] == "less") & trials["replicate"].isin([3, 4])) | (
        (trials["arm"] == "more") & (trials["replicate"] == 9)
    )
    finding = verdict(claim("direction"), trials[~gaps])
    assert (finding.n, finding.lost, finding.verdict) == (17, 3, "supported")
    (record,) = as_records([finding.claim], [finding], {}, SETTINGS)
    assert "3 replicates had to be left out" in record["note"]


def test_a_trend_leaves_out_replicates_that_lack_a_point() -> None:
    tables = pd.concat([frame({"more": noise("gap-trend", x)}, float(x)) for x in (1, 2, 4)])
    finding = verdict(claim("trend"), tables[~((tables["replicate"] == 5) & (tables["x"] == 2))])
    assert (finding.n, finding.lost) == (19, 1)


def test_a_value_that_is_undefined_in_some_replicates_is_left_out_and_counted() -> None:
    trials = frame({"more": np.ones(N)})
    others = trials.assign(metric="other")
    finding = verdict(claim("direction", **ONE), pd.concat([trials[~trials["replicate"].isin([1, 2, 3])], others]))
    assert (finding.n, finding.lost) == (17, 3)


@pytest.mark.parametrize("estimator", ["mean", "ratio of means"])
def test_arms_without_a_common_replicate_decide_nothing_and_that_is_told(estimator: str) -> None:
    more, less = frame({"more": np.ones(3)}), frame({"less": np.ones(2)})
    less["replicate"] += 3
    finding = verdict(claim("magnitude", estimator=estimator), pd.concat([more, less]))
    assert (finding.verdict, finding.n, finding.lost) == ("inconclusive", 0, 5)
    (record,) = as_records([finding.claim], [finding], {}, SETTINGS)
    assert record["estimate"] is record["low"] is record["mde"] is None
    assert record["note"].endswith("none is left to compare")


def test_one_replicate_decides_nothing_and_is_told() -> None:
    finding = verdict(claim("direction"), frame({"more": np.array([9.0]), "less": np.array([0.0])}))
    assert finding.verdict == "inconclusive"
    (record,) = as_records([finding.claim], [finding], {}, SETTINGS)
    assert "one replicate has no interval" in record["note"]
    assert record["low"] is record["high"] is None


def test_an_open_verdict_says_what_would_have_been_seen() -> None:
    finding = planted(claim("direction", unit="pp"), 0.001 + 0.01 * noise("open", 4))
    assert finding.verdict == "inconclusive"
    (record,) = as_records([finding.claim], [finding], {}, SETTINGS)
    assert "would have been found 80% of the time" in record["note"]
    assert record["mde"] == pytest.approx(finding.mde)


def test_a_verdict_follows_interval_and_p_together() -> None:
    which = claim("direction")
    base = Finding(which, 1.0, 0.5, 1.5, 20, 0, 0.1, 9, 0.01, 1.0, None)
    assert decide(base, 0.05) == "supported"
    assert decide(Finding(which, 1.0, 0.5, 1.5, 20, 0, 0.1, 9, 0.06, 1.0, None), 0.05) == "inconclusive"
    assert decide(Finding(which, 1.0, -0.1, 1.5, 20, 0, 0.1, 9, 0.01, 1.0, None), 0.05) == "inconclusive"
    assert decide(Finding(which, -1.0, -1.5, -0.5, 20, 0, 0.1, 9, 1.0, 0.01, None), 0.05) == "refuted"
