"""Laws of the inference: what intervals cover, what p-values count, and how trials become effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.laws.judging import MORE, SETTINGS, N, claim, frame, noise
from torchstone.core.rng import numpy_stream
from torchstone.stats.compare import effects
from torchstone.stats.intervals import (
    Sample,
    detectable,
    interval,
    p_above,
    p_below,
    power_of,
    replicates_needed,
)
from torchstone.stats.verdict import measure

# ---------------------------------------------------------------- intervals and power


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


def test_the_interval_and_the_p_of_a_finding_are_those_of_the_raw_claim_before_the_family() -> None:
    trials = frame({"more": 0.5 + noise("raw", 0), "less": np.zeros(N)})
    raw = measure(claim("direction"), trials, 0.0, SETTINGS, 1)
    assert raw.p_for == pytest.approx(
        2 * p_above(Sample(0.5 + noise("raw", 0)), 0.0, 999, numpy_stream(1, "judge", "X1"))
    )
    assert (raw.low, raw.high) == pytest.approx(interval(Sample(0.5 + noise("raw", 0)), 0.05))


# ---------------------------------------------------------------- from trials to effects


def test_arms_are_paired_by_replicate_and_not_by_their_order() -> None:
    trials = frame({"more": np.array([5.0, 6.0, 7.0]), "less": np.array([4.0, 5.0, 6.0])})
    shuffled = trials.sample(frac=1.0, random_state=0)
    values, lost = effects(shuffled, claim("direction"))
    np.testing.assert_array_equal(values, [1.0, 1.0, 1.0])
    assert lost == 0


def test_the_first_the_last_and_a_given_x_are_read() -> None:
    trials = pd.concat([frame({"more": np.full(3, x), "less": np.zeros(3)}, x) for x in (1.0, 10.0, 100.0)])
    for x, expected in (("first", 1.0), ("last", 100.0), (10, 10.0)):
        values, _ = effects(trials, claim("direction", more=MORE | {"x": x}))
        np.testing.assert_array_equal(values, expected)


def test_the_slope_of_each_replicate_is_that_of_least_squares() -> None:
    x = [1.0, 2.0, 5.0, 20.0]
    tables = [frame({"more": noise("slope", int(at))}, at) for at in x]
    values, lost = effects(pd.concat(tables), claim("trend"))
    expected = np.polyfit(np.log2(x), np.stack([table["value"].to_numpy() for table in tables]), 1)[0]
    np.testing.assert_allclose(values, -expected)
    assert lost == 0


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
