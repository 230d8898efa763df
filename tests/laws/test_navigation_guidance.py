"""Laws of the rungs, of the fan of arrival times, and of days in which many follow the same forecast."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City, Traffic
from torchstone.studies.navigation import feedback
from torchstone.studies.navigation.arriving import calibrated
from torchstone.studies.navigation.city import Network, build
from torchstone.studies.navigation.demand import Incidents, Trips
from torchstone.studies.navigation.fan import departures, fanned
from torchstone.studies.navigation.guidance import AHEAD, RUNGS, Guide
from torchstone.studies.navigation.observing import KMH
from torchstone.studies.navigation.simulate import no_overtaking, overtakings, simulated_day

CITY = City(
    replicates=2, rows=4, columns=4, spacing=1000.0, bridges=1, street_speed=14.0, ring_speed=22.0,
    street_capacity=300.0, ring_capacity=660.0,
)  # fmt: skip
TRAFFIC = Traffic(days=7, minutes=120, cars=2000, platoon=5, weekend=0.6, spread=0.1, incidents=3.0, habit=10.0)
DAYS, BINS, TRAIN = 2, 24, 1
DAY = """
import hashlib
from torchstone.core.params import load_params
from torchstone.studies.navigation.city import build
from torchstone.studies.navigation.simulate import simulated_day
from pathlib import Path
params = load_params(Path("params.yaml"))
day = simulated_day(build(next(iter(params.network.cities.values())), 1, 0), params.traffic, 1, 0, 2)
print(hashlib.sha256(day.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def guide() -> Guide:
    network = build(CITY, 1, 0)
    seconds = np.stack([no_overtaking(simulated_day(network, TRAFFIC, 1, 0, TRAIN + day)) for day in range(DAYS)])
    free = KMH * network.speeds[:, None] * np.ones((DAYS, 1, BINS))
    noise = numpy_stream(1, "beliefs").uniform(0.3, 1.0, (DAYS, len(network.speeds), BINS))
    history = free * noise
    forecast = np.repeat((0.9 * history)[..., None], 3, axis=3)
    return Guide(network, seconds, history, history[..., ::-1].copy(), np.zeros_like(history), forecast, [5, 15, 30])


def test_no_rung_lets_anyone_overtake_or_be_faster_than_free(guide: Guide) -> None:
    for rung in RUNGS:
        table = guide.belief(rung, 0, 10)
        assert table.shape == (len(guide.network.free), AHEAD + 1)
        assert overtakings(table) == 0
        assert (table >= guide.network.free[:, None] - 0.01).all()


def test_live_and_history_is_history_where_today_is_as_usual_and_follows_today_where_it_is_not(guide: Guide) -> None:
    usual = guide.belief("history", 0, 10)
    np.testing.assert_array_equal(guide.belief("live and history", 0, 10), usual)
    running = guide.running.copy()
    running[0, 3, 10] = -5.0
    running[0, 4, 10] = 500.0
    running[0, :, 11:] = -20.0  # what comes later is not known yet
    moved = replace(guide, running=running).belief("live and history", 0, 10)
    assert (moved[3] > usual[3]).all()
    np.testing.assert_allclose(moved[4], guide.network.free[4])
    np.testing.assert_array_equal(np.delete(moved, [3, 4], axis=0), np.delete(usual, [3, 4], axis=0))


def test_a_day_that_nobody_follows_is_the_day_as_it_was(guide: Guide) -> None:
    alone, everybody = feedback.followed(guide, 0, TRAFFIC, [0.0, 1.0], 1, (0, TRAIN))
    np.testing.assert_array_equal(alone, guide.seconds[0])
    assert (everybody != alone).any()


def test_who_follows_at_a_smaller_share_follows_at_a_larger_one(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Sequence[Sequence[int] | None]] = []

    def spied(
        network: Network, _traffic: Traffic, _trips: Trips, _incidents: Incidents, _seed: int,
        routes: Sequence[Sequence[int] | None],
    ) -> np.ndarray:  # fmt: skip
        given.append(routes)
        return np.ones((len(network.free), TRAFFIC.minutes))

    monkeypatch.setattr(feedback, "drive", spied)
    feedback.followed(guide, 0, TRAFFIC, [0.2, 0.7, 1.0], 1, (0, TRAIN))
    advised = [{place for place, way in enumerate(routes) if way is not None} for routes in given]
    assert advised[0] < advised[1] < advised[2]
    assert len(advised[0]) / len(advised[2]) == pytest.approx(0.2, abs=0.05)


def test_a_driver_is_advised_by_the_latest_forecast_and_not_before_the_first(guide: Guide) -> None:
    trips = Trips(np.asarray([0, 0]), np.asarray([15, 15]), np.asarray([100.0, 4000.0]))
    early, late = feedback.advised(guide, 0, trips)
    assert early is None
    assert late is not None
    assert guide.network.tails[late[0]] == 0
    assert guide.network.heads[late[-1]] == 15


def test_the_fan_is_one_trip_at_every_departure_of_one_day(guide: Guide) -> None:
    trip = departures(guide, range(DAYS))
    assert len({*zip(trip.days.tolist(), trip.sources.tolist(), trip.goals.tolist(), strict=True)}) == 1
    assert trip.sources[0] != trip.goals[0]
    np.testing.assert_array_equal(np.diff(trip.origins), 1)
    real = np.full(len(trip.origins), 600.0)
    trials = fanned(guide, trip, real[:, None] * np.asarray([0.5, 1.0, 2.0]), real, [0.1, 0.5, 0.9], 0)
    first = {trial.arm: trial.value for trial in trials[:4]}
    assert first == {"P10": 5.0, "P50": 10.0, "P90": 20.0, "came": 10.0}
    assert trials[0].x == pytest.approx(6 + guide.leaves(int(trip.origins[0])) / 3600)


def test_calibration_makes_the_promised_share_of_its_own_trips_lie_inside() -> None:
    generator = numpy_stream(1, "calibrate")
    y = generator.normal(0.0, 1.0, 2000)
    narrow = np.tile([-0.1, 0.0, 0.1], (2000, 1))
    found = calibrated(narrow, y, [0.1, 0.5, 0.9], np.arange(1000))
    inside = (found[:, 0] <= y) & (y <= found[:, 2])
    assert inside[:1000].mean() == pytest.approx(0.8, abs=0.002)
    assert inside[1000:].mean() == pytest.approx(0.8, abs=0.04)


def test_a_day_of_the_default_size_is_the_same_in_another_process_with_other_hashes() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", DAY], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
