"""Laws of the simulated weeks: the same bytes for the same seed, no global generator, what a day is made of."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from torchstone.core.rng import library_seed
from torchstone.core.schema import City, Probes, Traffic
from torchstone.studies.navigation.city import Network, build
from torchstone.studies.navigation.demand import Incidents, incidents_of, is_weekend, trips_of
from torchstone.studies.navigation.simulate import drive, no_overtaking, overtakings, simulated_day
from torchstone.studies.navigation.watching import day_traces, observed, reports

CITY = City(
    replicates=2, rows=4, columns=4, spacing=1000.0, bridges=1, street_speed=14.0, ring_speed=22.0,
    street_capacity=300.0, ring_capacity=660.0,
)  # fmt: skip
TRAFFIC = Traffic(
    days=8, minutes=120, cars=2000, platoon=5, weekend=0.6, spread=0.1, incidents=3.0, habit=10.0
)  # fmt: skip
PROBES = Probes(shares=[0.05, 0.2], main=0.2, interval=30.0, sigma=10.0, memory=60.0, window=20, tastes=2, whim=0.2)


@pytest.fixture(scope="module")
def network() -> Network:
    return build(CITY, 1, 0)


def test_a_day_is_the_same_again_and_another_seed_another(network: Network) -> None:
    first, again, other = (simulated_day(network, TRAFFIC, seed, 0, 2) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert (first != other).any()


def test_a_day_does_not_depend_on_the_days_before_it(network: Network) -> None:
    later = simulated_day(network, TRAFFIC, 1, 0, 3)
    simulated_day(network, TRAFFIC, 1, 0, 1)
    assert later.tobytes() == simulated_day(network, TRAFFIC, 1, 0, 3).tobytes()


def test_the_simulator_moves_no_global_generator(network: Network) -> None:
    def state() -> tuple[object, ...]:
        legacy = np.random.get_state(legacy=False)  # noqa: NPY002  the state that must stay
        return random.getstate(), repr(legacy), torch.get_rng_state().tolist()

    before = state()
    seconds = no_overtaking(simulated_day(network, TRAFFIC, 1, 0, 0))
    reports(network, seconds[None].repeat(TRAFFIC.days, axis=0), TRAFFIC, PROBES, 1, 0)
    assert state() == before


def test_no_link_is_faster_than_free_and_the_repair_holds(network: Network) -> None:
    raw = simulated_day(network, TRAFFIC, 1, 0, 0)
    assert (raw >= network.free[:, None] - 0.01).all()
    assert raw.max() > 2 * network.free.min()  # there is congestion
    assert overtakings(no_overtaking(raw)) == 0


def test_an_incident_slows_its_link_and_only_while_it_lasts(network: Network) -> None:
    trips = trips_of(network, TRAFFIC, 1, 0, 0)
    none = Incidents(np.empty(0, dtype=int), np.empty(0), np.empty(0), np.empty(0))
    calm = drive(network, TRAFFIC, trips, none, 5)
    link = int(np.argmax((calm > network.free[:, None]).sum(axis=1)))  # one that is used
    one = Incidents(np.asarray([link]), np.asarray([2400.0]), np.asarray([4800.0]), np.asarray([0.1]))
    hit = drive(network, TRAFFIC, trips, one, 5)
    assert hit[link, 40:80].mean() > 1.2 * calm[link, 40:80].mean()
    assert calm[:, :30].tobytes() == hit[:, :30].tobytes()


def test_two_incidents_in_one_step_of_the_simulator_are_both_taken(network: Network) -> None:
    trips = trips_of(network, TRAFFIC, 1, 0, 0)
    both = Incidents(np.asarray([0, 1]), np.asarray([2400.0, 2401.0]), np.asarray([4800.0, 4801.0]), np.full(2, 0.1))
    assert np.isfinite(drive(network, TRAFFIC, trips, both, 5)).all()


def test_drivers_who_are_given_a_route_follow_it(network: Network) -> None:
    trips = trips_of(network, TRAFFIC, 1, 0, 0)
    none = incidents_of(network, TRAFFIC.model_copy(update={"incidents": 1e-9}), 1, 0, 0)
    out = int(network.heads[0])
    only = int(network.tails[0])
    given = type(trips)(np.full(40, only), np.full(40, out), np.linspace(0, 600, 40))
    seconds = drive(network, TRAFFIC, given, none, library_seed(1, "x"), [[0]] * 40)
    assert seconds[0, :30].max() > network.free[0]  # forty platoons wait for one another there
    assert (seconds[1:] <= network.free[1:, None] + 0.01).all()


def test_weekends_have_fewer_cars_and_days_differ(network: Network) -> None:
    counts = [len(trips_of(network, TRAFFIC, 1, 0, day).departures) for day in range(14)]
    free = [count for day, count in enumerate(counts) if is_weekend(day)]
    assert max(free) < min(set(counts) - set(free))
    assert len(set(counts)) > 10


def test_traces_are_kept_as_they_were_to_a_metre_and_a_smaller_share_is_the_begin_of_a_larger(network: Network) -> None:
    seconds = np.stack([no_overtaking(simulated_day(network, TRAFFIC, 1, 0, day)) for day in range(TRAFFIC.days)])
    kept = reports(network, seconds, TRAFFIC, PROBES, 1, 0)
    assert kept["places"].dtype == np.int16
    days = day_traces(kept)
    assert len(days) == TRAFFIC.days
    ends = network.ends[days[0].links]
    way = (ends[:, 2:] - ends[:, :2]) / np.hypot(*(ends[:, 2:] - ends[:, :2]).T)[:, None]
    side = (days[0].places - ends[:, :2]) @ np.eye(2)
    gap = np.abs(side[:, 0] * way[:, 1] - side[:, 1] * way[:, 0])
    assert np.median(gap) == pytest.approx(0.6745 * PROBES.sigma, rel=0.15)
    found = observed(network, kept, PROBES, TRAFFIC.minutes)
    few, many = (~np.isnan(found["known"][place]) for place in (0, 1))
    assert not (few & ~many).any()
    assert few.sum() < many.sum()
    assert float(found["right"]) > 0.85
