"""Laws of forecasts: the future is not seen, days are not split, history is a median, networks stay apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City, Forecast
from torchstone.studies.navigation import arriving, learners, week
from torchstone.studies.navigation.city import build
from torchstone.studies.navigation.features import FIRST, LAGS, features, history, live, median, usual_of_days, view
from torchstone.studies.navigation.forecasting import Observed, boosted_forecasts, compared, outlook, sample
from torchstone.studies.navigation.observing import KMH
from torchstone.studies.navigation.scores import advantages, persistence, scores
from torchstone.studies.navigation.together import network_trials, series_of, snapshots

CITY = City(
    replicates=2, rows=4, columns=4, spacing=1000.0, bridges=1, street_speed=14.0, ring_speed=22.0,
    street_capacity=300.0, ring_capacity=660.0,
)  # fmt: skip
SETTINGS = Forecast(
    horizons=[5, 15, 30], train=8, valid=2, congested=0.667, rows=400, leaf=5, trees=3, rounds=10, rate=0.1, hidden=16,
    embedding=4, steps=6, batch=100, learning_rate=0.003,
)  # fmt: skip
DAYS, BINS = 12, 30


def seen_by(replicate: int = 0) -> Observed:
    network = build(CITY, 1, replicate)
    generator = numpy_stream(replicate, "speeds")
    free = KMH * network.speeds[:, None]
    shape = (DAYS, len(network.speeds), BINS)
    truth = free * np.clip(0.8 + 0.2 * np.sin(np.arange(BINS) / 5) + generator.normal(0, 0.1, shape), 0.1, 1.0)
    seen = generator.random(shape) < 0.4
    return Observed(network, np.where(seen, truth, np.nan), np.where(seen, truth, np.nan), truth, replicate)


@pytest.fixture(scope="module")
def seen() -> Observed:
    return seen_by()


def network_inputs(one: Observed) -> np.ndarray:
    known = outlook(one, SETTINGS)
    series = series_of([one], [known.usual], SETTINGS, torch.device("cpu"))
    day, bins = snapshots(range(10, 11), BINS, torch.device("cpu"))
    return np.asarray(series.inputs(day[None], bins[None]).numpy()[0])


def tree_inputs(one: Observed) -> np.ndarray:
    known = outlook(one, SETTINGS)
    days = range(DAYS)
    return np.asarray(features(one.network, known.state, known.usual, days, 3)[10].transpose(1, 0, 2))


@pytest.mark.parametrize("inputs", [network_inputs, tree_inputs])
def test_the_future_may_be_shuffled_and_nothing_that_is_known_before_changes(
    seen: Observed, inputs: Callable[[Observed], np.ndarray]
) -> None:
    now = 17  # of a day that is not trained on
    known = seen.known.copy()
    order = numpy_stream(1, "shuffle").permutation(BINS - now - 1) + now + 1
    known[10:, :, now + 1 :] = known[10:, :, order]
    shuffled = Observed(seen.network, known, seen.entered, seen.truth, 0)
    before, after = inputs(seen), inputs(shuffled)
    until = now - FIRST + 1
    np.testing.assert_array_equal(before[:until], after[:until])
    assert (before[until : BINS - FIRST - 3] != after[until : BINS - FIRST - 3]).any()


def test_history_sees_training_days_alone_and_is_a_median(seen: Observed) -> None:
    other = seen.entered.copy()
    other[SETTINGS.train :] = 1.0
    days = range(SETTINGS.train)
    np.testing.assert_array_equal(history(seen.network, seen.entered, days), history(seen.network, other, days))
    spoilt = seen.entered.copy()
    spoilt[0, :, 10] = 0.001  # one jam moves a mean far and a median little
    shift = np.abs(history(seen.network, spoilt, days) - history(seen.network, seen.entered, days))
    assert np.median(shift[0, :, 10]) < 10.0


def test_the_median_leaves_missing_values_out() -> None:
    table = np.asarray([[1.0, np.nan, 3.0, 10.0], [np.nan] * 4, [2.0, 4.0, np.nan, np.nan]])
    np.testing.assert_array_equal(median(table), [3.0, np.nan, 3.0])


def test_a_forecast_is_trained_on_whole_days_and_on_nothing_of_the_others(seen: Observed) -> None:
    found = boosted_forecasts(seen, SETTINGS, 1, "0.05")["forecast"]
    spoilt = seen.entered.copy()
    spoilt[SETTINGS.train :] = 5.0
    again = boosted_forecasts(Observed(seen.network, seen.known, spoilt, seen.truth, 0), SETTINGS, 1, "0.05")[
        "forecast"
    ]
    np.testing.assert_array_equal(found, again)
    assert len(found) == DAYS - SETTINGS.train


def test_no_target_is_filled_with_truth(seen: Observed) -> None:
    known = outlook(seen, SETTINGS)
    some = SETTINGS.model_copy(update={"rows": 10**6})
    x, y, later, base = sample(seen, known, some, 15, 1)
    assert len(y) == (~np.isnan(seen.entered[: SETTINGS.train, :, FIRST + 3 :])).sum()
    assert np.isfinite(x).all()
    assert later.shape[:3] == base.shape


def test_the_live_picture_is_the_last_passage_and_grows_stale(seen: Observed) -> None:
    usual = usual_of_days(seen.network, seen.entered, range(SETTINGS.train))
    known = np.full_like(seen.known, np.nan)
    known[0, 0, 10] = 7.0
    now = live(view(known, usual), usual)
    np.testing.assert_allclose(now[0, 0, 10:16], 7.0)
    np.testing.assert_allclose(now[0, 0, 16:], usual[0, 0, 16:])
    np.testing.assert_allclose(now[0, 0, :10], usual[0, 0, :10])


def test_scores_leave_missing_truth_out_and_tell_congested_links_apart() -> None:
    true, free = np.asarray([10.0, 50.0, np.nan, 20.0]), np.full(4, 50.0)
    found = {t.metric: t.value for t in scores("a", 15, 0, np.asarray([20.0, 40.0, 1.0, 45.0]), true, free, 0.667)}
    assert found["mae"] == pytest.approx((10 + 10 + 25) / 3)
    assert found["mae_congested"] == pytest.approx(17.5)
    assert found["recall"] == 0.5
    assert found["precision"] == 1.0


def test_the_advantage_is_the_share_of_historys_error_that_is_saved(seen: Observed) -> None:
    trials = [t for arm, off in (("history", 10.0), ("tree", 4.0)) for t in scores(
        arm, 15, 0, np.full(5, 50.0 - off), np.full(5, 50.0), np.full(5, 60.0), 0.5)]  # fmt: skip
    assert [t.value for t in advantages(trials)] == pytest.approx([0.6])


def test_persistence_is_one_for_what_stays_nothing_for_noise_and_skips_gaps() -> None:
    generator = numpy_stream(2, "persistence")
    now, other = generator.normal(size=(2, 50, 40))
    later = 3.0 * now + 1.0
    later[0, :5] = np.nan
    assert persistence(15, 0, now, later).value == pytest.approx(1.0)
    assert abs(persistence(15, 0, now, other).value) < 0.1
    assert persistence(15, 0, now, -now).value == pytest.approx(-1.0)


def test_every_arm_is_scored_and_a_rerun_gives_the_same_numbers(seen: Observed) -> None:
    settings = SETTINGS
    boosted = boosted_forecasts(seen, settings, 1, "0.05")["forecast"]
    first, again = (compared(seen, settings, 1, boosted) for _ in range(2))
    assert set(first["arm"]) == {
        "free flow", "history", "last value", "tree", "bagged trees", "bagged trees control", "gradient boosting",
        "deviation from history",
    }  # fmt: skip
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


def test_a_leaf_says_the_median_of_its_rows() -> None:
    x = np.repeat([[0.0], [1.0]], 5, axis=0)
    y = np.asarray([1.0, 2.0, 3.0, 4.0, 100.0, 10.0, 11.0, 12.0, 13.0, 14.0])
    found = learners.tree(x, y, np.asarray([[0.0], [1.0]]), SETTINGS, 1, "t")
    np.testing.assert_array_equal(found, [3.0, 12.0])


@pytest.mark.parametrize("graph", [False, True])
def test_a_network_does_not_depend_on_its_neighbours(graph: bool) -> None:
    several = [seen_by(replicate) for replicate in range(3)]
    cpu = torch.device("cpu")
    both, alone = (network_trials(some, SETTINGS, 1, cpu, graph=graph) for some in (several, several[:1]))
    mine = [trial for trial in both if trial.replicate == 0]
    assert [trial[:4] for trial in mine] == [trial[:4] for trial in alone]
    np.testing.assert_allclose([t.value for t in mine], [t.value for t in alone], rtol=1e-4)


def recorded() -> week.Recorded:
    generator = numpy_stream(4, "week")
    speeds = np.clip(60 + 5 * np.sin(np.arange(7 * 96) / 15) + generator.normal(0, 4, (6, 7 * 96)), 1, 70)
    return week.Recorded(speeds, np.eye(6) + 0.5, 96, 3)


def test_a_training_day_of_a_city_is_left_out_of_its_own_history(seen: Observed) -> None:
    other = seen.entered.copy()
    other[1] = 1.0
    changed = Observed(seen.network, seen.known, other, seen.truth, 0)
    before, after = (outlook(one, SETTINGS).usual for one in (seen, changed))
    np.testing.assert_array_equal(before[1], after[1])
    assert (before[2] != after[2]).any()
    assert (before[SETTINGS.train :] != after[SETTINGS.train :]).any()


def test_all_learners_are_given_the_same_rows(seen: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[np.ndarray]] = {"boosted": [], "single": [], "bagged": []}
    for name, rows in given.items():
        real = getattr(learners, name)

        def spy(
            x: np.ndarray, y: np.ndarray, *rest: object, real: Callable[..., object] = real,
            rows: list[np.ndarray] = rows,
        ) -> object:  # fmt: skip
            rows.append(y)
            return real(x, y, *rest)

        monkeypatch.setattr(learners, name, spy)
    compared(seen, SETTINGS, 1, boosted_forecasts(seen, SETTINGS, 1, "0.05")["forecast"])
    for boosted, single in zip(given["boosted"][1:], given["single"], strict=True):
        np.testing.assert_array_equal(boosted, single)
    np.testing.assert_array_equal(given["bagged"][0], given["single"][0])


def test_late_origins_take_the_nearer_horizon(seen: Observed) -> None:
    found = boosted_forecasts(seen, SETTINGS, 1, "0.05")["forecast"]
    np.testing.assert_array_equal(found[:, :, BINS - 3 : BINS - 1, 1], found[:, :, BINS - 3 : BINS - 1, 0])
    np.testing.assert_array_equal(found[:, :, -6:, 2], found[:, :, -6:, 1])


def test_calibration_days_are_spread_over_the_week() -> None:
    np.testing.assert_array_equal(arriving.set_aside(7, 3), [1, 3, 5])


def test_a_training_day_is_left_out_of_its_own_history() -> None:
    one = recorded()
    other = one.speeds.copy()
    other[:, 96:192] = 1.0  # the second day
    changed = week.Recorded(other, one.near, 96, 3)
    np.testing.assert_array_equal(one.usual()[:, 96:192], changed.usual()[:, 96:192])
    other = one.speeds.copy()
    other[:, one.end :] = 1.0  # what is not trained on
    np.testing.assert_array_equal(one.usual(), week.Recorded(other, one.near, 96, 3).usual())


def test_features_of_the_real_week_do_not_see_the_future() -> None:
    one = recorded()
    usual, moments = one.usual(), np.arange(600, 640)
    later = one.speeds.copy()
    later[:, 621:] = numpy_stream(1, "shuffle").permutation(later[:, 621:], axis=1)
    changed = week.Recorded(later, one.near, 96, 3)
    before, after = (week.inputs(some, usual, moments, 3)[:, :21] for some in (one, changed))
    np.testing.assert_array_equal(before, after)


def test_the_last_hour_of_a_network_reaches_into_the_day_before() -> None:
    cut = week._days(np.arange(20.0)[None], 10, LAGS, 2)
    assert cut.shape == (2, 1, LAGS + 12)
    np.testing.assert_array_equal(cut[1, 0, LAGS - 3 : LAGS + 2], [7, 8, 9, 10, 11])
