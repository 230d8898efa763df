"""Cars on their way through link times that change by the minute, many at once, and what their receivers record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Probes, Traffic
from torchstone.studies.navigation.city import Floats, Integers, Network
from torchstone.studies.navigation.demand import trips_of
from torchstone.studies.navigation.simulate import MINUTE

NOWHERE = -9999  # what scipy puts where no path leads


@dataclass(frozen=True)
class Journeys:
    """Finished trips, one after the other: links and the seconds at which they are entered; ``starts`` cuts them."""

    starts: Integers  # [journey + 1], into links
    links: Integers  # [leg]
    enters: Floats  # [leg]
    leaves: Floats  # [leg]


def next_links(network: Network, seconds: Floats) -> Integers:
    """Return the link to take at each junction towards each destination, [destination, junction]; -1 at the goal."""
    count = len(network.places)
    graph = csr_array((np.maximum(seconds, 1e-6), (network.heads, network.tails)), shape=(count, count))
    _, before = dijkstra(graph, return_predecessors=True)
    link_of = np.full((count, count + 1), -1)
    link_of[network.tails, network.heads] = np.arange(len(network.tails))
    towards = np.where(before == NOWHERE, count, before)  # the neighbour that lies nearer to the destination
    return np.asarray(link_of[np.arange(count)[None], towards])


def seconds_at(table: Floats, links: Integers, times: Floats) -> Floats:
    """Return the link times for entering ``links`` at ``times``, linear between the minutes of table [link, minute]."""
    last = table.shape[1] - 1
    minutes = np.clip(times / MINUTE, 0.0, last)
    low = np.minimum(minutes.astype(np.int64), last - 1)
    share = minutes - low
    return np.asarray(table[links, low] * (1 - share) + table[links, low + 1] * share)


def travel(network: Network, table: Floats, routes: Integers, trips: tuple[Integers, Integers, Floats]) -> Journeys:
    """Drive trips (origin, destination, departure) at once, each by its own row of ``routes`` [trip, junction].

    ``routes`` is what ``next_links`` returns for the trip's destination.
    """
    origins, destinations, departures = trips
    count = len(origins)
    here, now = origins.copy(), departures.astype(np.float64)
    legs: list[tuple[Integers, Integers, Floats, Floats]] = []
    going = np.flatnonzero(here != destinations)
    for _ in range(len(network.places)):
        if len(going) == 0:
            break
        links = routes[going, here[going]]
        leaves = now[going] + seconds_at(table, links, now[going])
        legs.append((going, links, now[going], leaves))
        now[going] = leaves
        here[going] = network.heads[links]
        going = going[here[going] != destinations[going]]
    trip = np.concatenate([leg[0] for leg in legs])
    order = np.argsort(trip, kind="stable")  # legs of one trip stay in their order
    starts = np.concatenate([[0], np.cumsum(np.bincount(trip, minlength=count))])
    links, enters, leaves = (np.concatenate([leg[place] for leg in legs])[order] for place in (1, 2, 3))
    return Journeys(starts, links, enters, leaves)


def probe_journeys(
    network: Network, table: Floats, settings: Probes, traffic: Traffic, seed: int, replicate: int, day: int
) -> Journeys:
    """Let the largest share of the day's cars report where they are, in an order of which a smaller share is the begin.

    A driver goes by the link times of the moment, each seen with an error of his own.
    """
    trips = trips_of(network, traffic, seed, replicate, day)
    generator = numpy_stream(seed, "probes", "cars", replicate, day)
    cars = len(trips.departures) * traffic.platoon
    chosen = generator.permutation(cars)[: round(max(settings.shares) * cars)]
    trip = chosen // traffic.platoon
    departures = trips.departures[trip] + chosen % traffic.platoon
    window = (departures // (settings.window * MINUTE)).astype(int)
    taste = chosen % settings.tastes
    routes = np.empty((len(chosen), len(network.places)), dtype=np.int64)
    for one in np.unique(window):
        seen = table[:, min(int(one * settings.window), table.shape[1] - 1)]
        for kind in range(settings.tastes):
            errors = numpy_stream(seed, "probes", "taste", replicate, day, int(one), kind)
            rows = np.flatnonzero((window == one) & (taste == kind))
            towards = next_links(network, seen * np.exp(errors.normal(0.0, settings.whim, len(seen))))
            routes[rows] = towards[trips.destinations[trip[rows]]]
    return travel(network, table, routes, (trips.origins[trip], trips.destinations[trip], departures))


@dataclass(frozen=True)
class Traces:
    """What receivers record, one trace after the other: seconds and metres; ``starts`` cuts them."""

    starts: Integers  # [trace + 1], into the fixes
    times: Floats  # [fix]
    places: Floats  # [fix, 2]
    links: Integers  # [fix], where the car really was


def fixes(journeys: Journeys, interval: float) -> tuple[Integers, Floats, Integers]:
    """Return trace bounds, seconds, and the leg of each fix: one every ``interval`` seconds, the last on arrival."""
    first = journeys.enters[journeys.starts[:-1]]
    last = journeys.leaves[journeys.starts[1:] - 1]
    counts = np.ceil((last - first) / interval).astype(np.int64) + 1
    starts = np.concatenate([[0], np.cumsum(counts)])
    trace = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(starts[-1]) - starts[trace]
    times = np.minimum(first[trace] + number * interval, last[trace])
    # Legs of all journeys on one axis of time: each journey shifted beyond the one before it.
    shift = np.concatenate([[0.0], np.cumsum(last - first + 1.0)])[:-1] - first
    legs = np.repeat(np.arange(len(counts)), np.diff(journeys.starts))
    leg = np.searchsorted(journeys.enters + shift[legs], times + shift[trace], side="right") - 1
    return starts, times, np.clip(leg, journeys.starts[trace], journeys.starts[trace + 1] - 1)


def record(
    network: Network, journeys: Journeys, interval: float, sigma: float, memory: float, generator: np.random.Generator
) -> Traces:
    """Sample positions with errors of ``sigma`` metres on each axis that fade over ``memory`` seconds (0: at once)."""
    starts, times, leg = fixes(journeys, interval)
    share = (times - journeys.enters[leg]) / np.maximum(journeys.leaves[leg] - journeys.enters[leg], 1e-9)
    ends = network.ends[journeys.links[leg]]
    places = ends[:, :2] + np.clip(share, 0.0, 1.0)[:, None] * (ends[:, 2:] - ends[:, :2])
    errors = generator.normal(0.0, 1.0, places.shape)
    if memory > 0:
        kept = float(np.exp(-interval / memory))
        number = np.arange(len(times)) - starts[np.repeat(np.arange(len(starts) - 1), np.diff(starts))]
        for step in range(1, int(number.max(initial=0)) + 1):
            rows = np.flatnonzero(number == step)
            errors[rows] = kept * errors[rows - 1] + np.sqrt(1 - kept**2) * errors[rows]
    return Traces(starts, times, places + sigma * errors, journeys.links[leg])
