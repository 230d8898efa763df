"""Laws of the verdicts: seldom wrong on nulls, found on planted effects, and open where the data are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

from torchstone.core.errors import InputError
from torchstone.core.params import load_params
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Judge
from torchstone.core.trials import Trial, write_trials
from torchstone.stats import verdict as verdict_module
from torchstone.stats.compare import effects
from torchstone.stats.evidence import gather, overlap_of
from torchstone.stats.intervals import (
    Sample,
    detectable,
    interval,
    p_above,
    p_below,
    power_of,
    replicates_needed,
)
from torchstone.stats.ledger import Claim, Verdict, load_claims
from torchstone.stats.records import as_records
from torchstone.stats.verdict import Finding, decide, holm, judge, measure

ROOT = Path(__file__).parents[2]
SETTINGS = Judge(alpha=0.05, power=0.8, draws=999)
N = 20
Values = npt.NDArray[np.float64]
MORE = {"arm": "more", "metric": "error", "x": "last"}
LESS = {"arm": "less", "metric": "error", "x": "last"}
KINDS: dict[str, dict[str, Any]] = {
    "direction": {"more": MORE, "less": LESS, "margin": 0.0},
    "equivalence": {"more": MORE, "less": LESS, "margin": 0.01},
    "magnitude": {"more": MORE, "less": LESS, "margin": 0.05, "size": 0.3, "tolerance": 0.05},
    "trend": {"course": {"arm": "more", "metric": "error", "goes": "down"}, "margin": 0.0},
    "exact": {"value": {"arm": "more", "metric": "error"}, "bounds": [-0.01, 0.01]},
}


def claim(kind: str, **changes: Any) -> Claim:
    content: dict[str, Any] = {
        "id": "X1", "study": "s", "sentence": "It is so.", "source": "us", "grade": "own", "published": "so",
        "kind": kind, "trials": "ensemble/waveform", "family": "one", "design": "fresh",
    }  # fmt: skip
    return Claim.model_validate(content | KINDS[kind] | changes)


def frame(arms: dict[str, Values], x: float | None = 5.0) -> pd.DataFrame:
    rows = [("s", arm, x, k, "error", value) for arm, values in arms.items() for k, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["study", "arm", "x", "replicate", "metric", "value"]).astype({"x": "float64"})


def verdict(which: Claim, trials: pd.DataFrame, overlap: float = 0.0, seed: int = 1) -> Finding:
    (finding,) = judge([(which, trials, overlap)], SETTINGS, seed)
    return finding


def planted(which: Claim, differences: Values, overlap: float = 0.0) -> Finding:
    base = numpy_stream(0, "base", len(differences)).normal(0.3, 0.05, len(differences))
    return verdict(which, frame({"more": base + differences, "less": base}), overlap)


def noise(name: str, k: int, n: int = N) -> Values:
    generator = numpy_stream(0, "judge-law", name, k)
    if name == "skewed":
        return generator.exponential(size=n) - 1.0
    if name == "heavy":
        return np.asarray(generator.standard_t(3, size=n))
    return generator.normal(size=n)


# ---------------------------------------------------------------- size, coverage, power


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


@pytest.mark.parametrize("n", [5, 20])
def test_the_interval_covers_the_truth_95_times_in_100(n: int) -> None:
    inside = 0
    for k in range(2000):
        low, high = interval(Sample(3.0 + noise("coverage", k, n)), 0.05)
        inside += low <= 3.0 <= high
    assert 0.93 <= inside / 2000 <= 0.97


def test_for_overlapping_splits_the_corrected_interval_covers_and_the_plain_one_does_not() -> None:
    overlap = 0.25 / 0.65
    shared = overlap / (1 + overlap)  # the correlation of splits that Nadeau & Bengio correct for
    covered = {0.0: 0, overlap: 0}
    for k in range(2000):
        common = numpy_stream(0, "common", k).normal()
        values = np.sqrt(shared) * common + np.sqrt(1 - shared) * noise("splits", k)
        for correction in covered:
            low, high = interval(Sample(values, correction), 0.05)
            covered[correction] += low <= 0.0 <= high
    assert 0.93 <= covered[overlap] / 2000 <= 0.97
    assert covered[0.0] / 2000 < 0.7


def test_the_overlap_of_splits_widens_the_interval_and_never_shrinks_to_nothing() -> None:
    values = noise("widen", 0)
    widths = [np.diff(interval(Sample(values, overlap), 0.05))[0] for overlap in (0.0, 0.1, 0.4)]
    assert widths[0] < widths[1] < widths[2]
    assert widths[2] == pytest.approx(widths[0] * np.sqrt((1 / N + 0.4) * N))
    many = Sample(noise("widen", 0, 4000), 0.4)
    assert many.standard_error > np.sqrt(0.4) * 0.9


def test_fresh_data_have_student_s_interval() -> None:
    values = noise("student", 0)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval(Sample(values), 0.05) == pytest.approx((expected.low, expected.high))


@pytest.mark.usefixtures("quick")
def test_a_planted_effect_is_found_as_often_as_the_detectable_effect_says() -> None:
    unit = np.tile([-1.0, 1.0], N // 2) * np.sqrt((N - 1) / N)  # of standard deviation 1
    effect = detectable(Sample(unit), 0.05, 0.8)
    assert effect is not None
    verdicts = [planted(claim("direction"), effect + noise("power", k)).verdict for k in range(400)]
    assert 0.73 <= verdicts.count("supported") / 400 <= 0.86
    assert verdicts.count("refuted") == 0


def test_the_power_formula_agrees_with_a_simulation_of_the_t_test() -> None:
    for n, effect in ((10, 0.8), (20, 0.5)):
        values = effect + numpy_stream(0, "t-power", n).normal(size=(20_000, n))
        low = values.mean(axis=1) - stats.t.ppf(0.975, n - 1) * values.std(axis=1, ddof=1) / np.sqrt(n)
        assert (low > 0).mean() == pytest.approx(power_of(effect, 1 / np.sqrt(n), n, 0.05), abs=0.012)


def test_the_detectable_effect_exists_for_two_replicates_and_a_strict_alpha() -> None:
    sample = Sample(np.array([0.9, 1.1]))
    for alpha in (0.2, 0.05, 0.001):
        found = detectable(sample, alpha, 0.8)
        assert found is not None
        assert power_of(found, sample.standard_error, 2, alpha) == pytest.approx(0.8, abs=1e-6)
    assert detectable(Sample(np.array([1.0])), 0.05, 0.8) is None
    assert detectable(Sample(np.array([1.0, 1.0])), 0.05, 0.8) == 0.0


def test_the_number_of_replicates_needed_is_the_smallest_with_that_power() -> None:
    sample = Sample(np.tile([-1.0, 1.0], 5))
    spread = float(sample.values.std(ddof=1))
    for distance in (0.3, 1.0, 2.0):
        needed = replicates_needed(sample, distance, 0.05, 0.8)
        assert needed is not None
        assert power_of(distance, spread / np.sqrt(needed), needed, 0.05) >= 0.8
        assert needed == 2 or power_of(distance, spread / np.sqrt(needed - 1), needed - 1, 0.05) < 0.8
    assert replicates_needed(sample, 0.0, 0.05, 0.8) is None
    assert replicates_needed(Sample(sample.values, 0.4), 0.3, 0.05, 0.8) is None  # more splits would not settle it


# ---------------------------------------------------------------- p-values


def test_a_sign_flip_p_is_the_exact_count_for_few_replicates() -> None:
    generator = numpy_stream(0, "flip")
    values = np.array([0.3, 0.1, 0.5, -0.2, 0.4, 0.25])
    signs = np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1)
    flipped = (values[:, None] * signs).mean(axis=0)
    expected = (flipped >= values.mean() - 1e-12).mean()
    assert p_above(Sample(values), 0.0, 999, generator) == pytest.approx(expected)
    assert p_below(Sample(-values), 0.0, 999, generator) == pytest.approx(expected)
    shifted = p_above(Sample(values + 7.0), 7.0, 999, generator)
    assert shifted == pytest.approx(expected)


def test_the_p_of_splits_is_that_of_the_corrected_t() -> None:
    sample = Sample(0.3 + noise("t", 0), 0.3)
    expected = stats.t.sf((sample.mean - 0.1) / sample.standard_error, N - 1)
    generator = numpy_stream(0, "unused")
    assert p_above(sample, 0.1, 999, generator) == pytest.approx(expected)
    assert p_above(sample, 0.1, 999, generator) + p_below(sample, 0.1, 999, generator) == pytest.approx(1.0)


def test_a_p_is_never_0_by_permutation_and_1_for_a_single_replicate() -> None:
    generator = numpy_stream(0, "p")
    assert p_above(Sample(5.0 + 0.01 * noise("p", 0)), 0.0, 999, generator) == pytest.approx(1 / 1000)
    assert p_above(Sample(np.array([5.0])), 0.0, 999, generator) == 1.0


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


def test_the_slope_of_each_replicate_is_that_of_least_squares() -> None:
    x = [1.0, 2.0, 5.0, 20.0]
    tables = [frame({"more": noise("slope", int(at))}, at) for at in x]
    values, lost = effects(pd.concat(tables), claim("trend"))
    expected = np.polyfit(np.log2(x), np.stack([table["value"].to_numpy() for table in tables]), 1)[0]
    np.testing.assert_allclose(values, -expected)
    assert lost == 0


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
    assert (finding.verdict, finding.estimate, finding.low, finding.high) == ("supported", 0.9, -0.9, 0.2)
    assert verdict(two_sided, frame({"more": np.array([0.2, -1.1])}, None)).verdict == "refuted"


# ---------------------------------------------------------------- ratio of means


def test_the_interval_of_a_ratio_of_means_covers_the_truth() -> None:
    inside = 0
    which = claim("magnitude", estimator="ratio of means")
    for k in range(500):
        generator = numpy_stream(0, "ratio", k)
        base = generator.normal(0.3, 0.03, N)
        trials = frame({"more": base, "less": 0.7 * base + generator.normal(0, 0.02, N)})
        values, _ = effects(trials, which)
        low, high = interval(Sample(values), 0.05)
        inside += low <= 0.3 <= high
    assert 0.93 <= inside / 500 <= 0.97


def test_the_estimate_of_a_ratio_is_that_of_the_means() -> None:
    more, less = np.array([0.2, 0.4, 0.3]), np.array([0.1, 0.3, 0.2])
    values, _ = effects(frame({"more": more, "less": less}), claim("magnitude", estimator="ratio of means"))
    assert values.mean() == pytest.approx(1 - 0.2 / 0.3)
    ratio = 0.2 / 0.3
    by_delta = np.sqrt(np.var(less - ratio * more, ddof=1) / 3) / 0.3
    assert Sample(values).standard_error == pytest.approx(by_delta)


# ---------------------------------------------------------------- controls, gaps and mistakes


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


def test_arms_are_paired_by_replicate_and_not_by_their_order() -> None:
    trials = frame({"more": np.array([5.0, 6.0, 7.0]), "less": np.array([4.0, 5.0, 6.0])})
    shuffled = trials.sample(frac=1.0, random_state=0)
    values, lost = effects(shuffled, claim("direction"))
    np.testing.assert_array_equal(values, [1.0, 1.0, 1.0])
    assert lost == 0


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


def test_the_first_the_last_and_a_given_x_are_read() -> None:
    trials = pd.concat([frame({"more": np.full(3, x), "less": np.zeros(3)}, x) for x in (1.0, 10.0, 100.0)])
    for x, expected in (("first", 1.0), ("last", 100.0), (10, 10.0)):
        values, _ = effects(trials, claim("direction", more=MORE | {"x": x}))
        np.testing.assert_array_equal(values, expected)


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


def test_a_trend_needs_two_points_and_an_arm() -> None:
    one = frame({"more": noise("point", 0)})
    with pytest.raises(InputError, match="two or more x above 0"):
        verdict(claim("trend"), one)
    with pytest.raises(InputError, match="two or more x above 0"):
        verdict(claim("trend"), pd.concat([one, frame({"more": noise("point", 1)}, 0.0)]))
    with pytest.raises(InputError, match="no trials of 'error' of 'none' over x"):
        verdict(claim("trend", course={"arm": "none", "metric": "error", "goes": "up"}), one)


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


def test_a_claim_without_trials_waits_and_is_not_judged() -> None:
    (record,) = as_records([claim("direction")], [], {"X1": "waits for the paper preset"}, SETTINGS)
    assert record["verdict"] == "not run"
    assert record["note"] == "waits for the paper preset"
    assert record["estimate"] is None


def test_a_verdict_follows_interval_and_p_together() -> None:
    which = claim("direction")
    base = Finding(which, 1.0, 0.5, 1.5, 20, 0, 0.1, 9, 0.01, 1.0, None)
    assert decide(base, 0.05) == "supported"
    assert decide(Finding(which, 1.0, 0.5, 1.5, 20, 0, 0.1, 9, 0.06, 1.0, None), 0.05) == "inconclusive"
    assert decide(Finding(which, 1.0, -0.1, 1.5, 20, 0, 0.1, 9, 0.01, 1.0, None), 0.05) == "inconclusive"
    assert decide(Finding(which, -1.0, -1.5, -0.5, 20, 0, 0.1, 9, 1.0, 0.01, None), 0.05) == "refuted"


# ---------------------------------------------------------------- evidence and ledger


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


def test_the_ledger_of_the_project_is_read_and_every_kind_has_a_region() -> None:
    claims = load_claims(ROOT / "claims.yaml")
    assert len({each.id for each in claims}) == len(claims) > 20
    assert any(each.control for each in claims)
    for each in claims:
        low, high = each.region
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


def test_the_interval_and_the_p_of_a_finding_are_those_of_the_raw_claim_before_the_family() -> None:
    trials = frame({"more": 0.5 + noise("raw", 0), "less": np.zeros(N)})
    raw = measure(claim("direction"), trials, 0.0, SETTINGS, 1)
    assert raw.p_for == pytest.approx(
        2 * p_above(Sample(0.5 + noise("raw", 0)), 0.0, 999, numpy_stream(1, "judge", "X1"))
    )
    assert (raw.low, raw.high) == pytest.approx(interval(Sample(0.5 + noise("raw", 0)), 0.05))
