"""What each rung of the ladder believes of the next hour, as link times by the minute, and what its routes cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import Name, numpy_stream
from torchstone.core.schema import Forecast
from torchstone.studies.navigation.city import Floats, Integers, Network
from torchstone.studies.navigation.driving import seconds_at
from torchstone.studies.navigation.features import FIRST
from torchstone.studies.navigation.observing import BIN, KMH
from torchstone.studies.navigation.scores import LEAST
from torchstone.studies.navigation.search import fastest, streets
from torchstone.studies.navigation.simulate import MINUTE, no_overtaking

AHEAD = 75  # minutes that a table reaches
RUNGS = ("free flow", "history", "live", "live and history", "forecast", "oracle")


@dataclass(frozen=True)
class Guide:
    """What is believed of one city's days after training, and what is true of them."""

    network: Network
    seconds: Floats  # truth, [day, link, minute]
    history: Floats  # km/h, [day, link, bin]
    live: Floats  # km/h, [day, link, bin]
    running: Floats  # km/h that the last passages were faster than history, on average, [day, link, bin]
    forecast: Floats  # km/h, [day, link, bin, horizon]
    horizons: list[int]

    @classmethod
    def of(cls, network: Network, seconds: Floats, beliefs: Arrays, settings: Forecast, share: str) -> Guide:
        """Put truth and the forecasts of one share of probe cars together."""
        history, live, running, forecast = (
            beliefs[f"{name}-{share}"].astype(np.float64) for name in ("history", "live", "running", "forecast")
        )
        truth = seconds[settings.train :].astype(np.float64)
        return cls(network, truth, history, live, running, forecast, settings.horizons)

    def leaves(self, origin: int) -> float:
        """Return the second at which one leaves who asks at the end of a bin."""
        return (origin + 1) * BIN

    def belief(self, rung: str, day: int, origin: int) -> Floats:
        """Return link seconds at each minute from the end of bin ``origin`` on, [link, minute]; nobody overtakes."""
        minutes = np.arange(AHEAD + 1, dtype=np.float64)
        now = self.leaves(origin) / MINUTE
        metres = KMH * self.network.lengths[:, None]
        if rung == "oracle":
            times = np.minimum(now + minutes, self.seconds.shape[2] - 1)
            return np.asarray(self.seconds[day][:, times.astype(int)])
        if rung == "free flow":
            return np.repeat(self.network.free[:, None], AHEAD + 1, axis=1)
        if rung == "live":
            return np.repeat(metres / self.live[day, :, origin, None], AHEAD + 1, axis=1)
        if rung in ("history", "live and history"):
            places = np.minimum(((now + minutes) * MINUTE // BIN).astype(int), self.history.shape[2] - 1)
            speeds = self.history[day][:, places]
            if rung == "live and history":
                speeds = np.clip(
                    speeds + self.running[day, :, origin, None], LEAST, metres / self.network.free[:, None]
                )
            return no_overtaking(metres / speeds)
        middles = np.asarray(self.horizons) - BIN / MINUTE / 2  # a horizon is the bin that begins a bin before it
        place = np.clip(np.searchsorted(middles, minutes) - 1, 0, len(middles) - 2)
        share = np.clip((minutes - middles[place]) / (middles[place + 1] - middles[place]), 0.0, 1.0)
        speeds = self.forecast[day, :, origin]
        return no_overtaking(metres / (speeds[:, place] * (1 - share) + speeds[:, place + 1] * share))

    def drive(self, day: int, origin: int, links: list[int]) -> float:
        """Return the seconds that a route really takes."""
        return along(self.seconds[day], links, self.leaves(origin)) - self.leaves(origin)


def along(table: Floats, links: list[int], start: float) -> float:
    """Return the arrival of one who follows ``links`` through a table of link times."""
    now = np.asarray([start])
    for link in links:
        now = now + seconds_at(table, np.asarray([link]), now)
    return float(now[0])


@dataclass(frozen=True)
class Queries:
    """Who asks: day after training, bin at whose end, from, to, [query]."""

    days: Integers
    origins: Integers
    sources: Integers
    goals: Integers

    def and_then(self, others: Queries) -> Queries:
        """Return these queries and after them the others."""
        columns = ("days", "origins", "sources", "goals")
        return Queries(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in columns))


def asked(guide: Guide, days: range, count: int, blocks: float, seed: int, *names: Name) -> Queries:
    """Draw so many queries a day between junctions that lie far apart, while an hour of the day is left."""
    network = guide.network
    generator = numpy_stream(seed, "queries", *names)
    apart = np.hypot(*(network.places[:, None] - network.places[None]).transpose(2, 0, 1))
    pairs = np.argwhere(apart >= blocks * np.median(network.lengths))
    total = len(days) * count
    chosen = pairs[generator.integers(0, len(pairs), total)]
    last = guide.history.shape[2] - 12
    origins = generator.integers(FIRST, last, total)
    return Queries(np.repeat(np.asarray(days), count), origins, chosen[:, 0], chosen[:, 1])


def routes(guide: Guide, queries: Queries, rung: str) -> list[list[int]]:
    """Return the links that a rung would have each driver take."""
    out = streets(guide.network)
    tables: dict[tuple[int, int], list[list[float]]] = {}
    found = []
    columns = (queries.days, queries.origins, queries.sources, queries.goals)
    for day, origin, source, goal in zip(*(column.tolist() for column in columns), strict=True):
        if (day, origin) not in tables:
            tables[day, origin] = guide.belief(rung, day, origin).tolist()
        found.append(fastest(out, tables[day, origin], source, goal, 0.0).links)
    return found


def driven(guide: Guide, queries: Queries, ways: list[list[int]]) -> Floats:
    """Return the seconds that each query's route really takes."""
    when = zip(queries.days.tolist(), queries.origins.tolist(), ways, strict=True)
    return np.asarray([guide.drive(day, origin, links) for day, origin, links in when])


def believed(guide: Guide, queries: Queries, ways: list[list[int]], rung: str) -> Floats:
    """Return the seconds that a rung believes each route to take."""
    when = zip(queries.days.tolist(), queries.origins.tolist(), ways, strict=True)
    return np.asarray([along(guide.belief(rung, day, origin), links, 0.0) for day, origin, links in when])


def regrets(guide: Guide, queries: Queries) -> Mapping[str, Floats]:
    """Return each rung's share of time lost against the best possible route, [query]."""
    best = driven(guide, queries, routes(guide, queries, "oracle"))
    return {rung: driven(guide, queries, routes(guide, queries, rung)) / best - 1 for rung in RUNGS}
