"""Who drives where and when, and what goes wrong: the part of the traffic that no forecaster is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Traffic
from torchstone.studies.navigation.city import BRIDGE, Floats, Integers, Network

WEEK = 7
WEEKEND = (5, 6)  # a run begins on a Monday
PEAK, WEEKEND_PEAK, WIDTH = 110.0, 200.0, 50.0  # minutes after the day's begin
LEAST = 3.0  # a trip is at least so many blocks long


@dataclass(frozen=True)
class Trips:
    """Platoons of cars: from, to, departure in seconds after the day's begin."""

    origins: Integers
    destinations: Integers
    departures: Floats


@dataclass(frozen=True)
class Incidents:
    """Links that lose capacity for a while: which, from, until (seconds), and the share that stays."""

    links: Integers
    begins: Floats
    ends: Floats
    share: Floats


def is_weekend(day: int) -> bool:
    """Tell whether a day of the run is a Saturday or a Sunday."""
    return day % WEEK in WEEKEND


def attraction(network: Network, seed: int, replicate: int) -> tuple[Floats, Floats]:
    """Return how much each junction sends and draws; the far bank of the river draws more, as a centre does."""
    generator = numpy_stream(seed, "traffic", "attraction", replicate)
    count = len(network.places)
    sends, draws = (np.exp(generator.normal(0.0, 0.5, count)) for _ in range(2))
    middle = np.median(network.places, axis=0)
    scale = np.ptp(network.places[:, 0]) / 3
    draws = draws * (1 + 3 * np.exp(-(((network.places - middle) / scale) ** 2).sum(axis=1)))
    return sends, draws


def trips_of(network: Network, settings: Traffic, seed: int, replicate: int, day: int) -> Trips:
    """Draw the day's trips: their number, the time of the peak and the towns that send them vary from day to day."""
    generator = numpy_stream(seed, "traffic", "demand", replicate, day)
    weekend = is_weekend(day)
    level = (settings.weekend if weekend else 1.0) * np.exp(generator.normal(0.0, settings.spread))
    count = int(settings.cars * level / settings.platoon)
    sends, draws = attraction(network, seed, replicate)
    sends = sends * np.exp(generator.normal(0.0, 2 * settings.spread, len(sends)))
    draws = draws * np.exp(generator.normal(0.0, 2 * settings.spread, len(draws)))
    apart = np.hypot(*(network.places[:, None] - network.places[None]).transpose(2, 0, 1))
    block = float(np.median(network.lengths))
    weight = (sends[:, None] * draws[None] * (apart >= LEAST * block)).ravel()
    pairs = generator.choice(len(weight), count, p=weight / weight.sum())
    peak = (WEEKEND_PEAK if weekend else PEAK) + generator.normal(0.0, 12.0)
    in_peak = generator.random(count) < 0.6
    late = settings.minutes - 20.0
    minutes = np.where(in_peak, generator.normal(peak, WIDTH, count), generator.uniform(0.0, late, count))
    departures = np.sort(np.clip(minutes, 0.0, late) * 60.0)
    origins, destinations = np.divmod(pairs, len(network.places))
    return Trips(origins, destinations, departures)


def incidents_of(network: Network, settings: Traffic, seed: int, replicate: int, day: int) -> Incidents:
    """Draw the day's incidents; a bridge has more of them than its share of the links."""
    generator = numpy_stream(seed, "traffic", "incidents", replicate, day)
    count = int(generator.poisson(settings.incidents))
    weight = np.where(network.kinds == BRIDGE, 4.0, 1.0)
    links = generator.choice(len(weight), count, replace=False, p=weight / weight.sum())
    begins = generator.uniform(30.0, settings.minutes - 90.0, count) * 60.0
    lasts = np.clip(np.exp(generator.normal(np.log(35.0), 0.5, count)), 10.0, 120.0) * 60.0
    share = generator.uniform(0.1, 0.4, count)
    return Incidents(links, begins, begins + lasts, share)
