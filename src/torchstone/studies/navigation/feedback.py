"""What if many drivers follow the same forecast? Their days are simulated anew, and the forecast is asked again."""

from __future__ import annotations

import dataclasses

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import library_seed, numpy_stream
from torchstone.core.schema import Feedback, Forecast, Traffic
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation.city import Floats, Network
from torchstone.studies.navigation.demand import Trips, incidents_of, trips_of
from torchstone.studies.navigation.features import FIRST
from torchstone.studies.navigation.guidance import Guide, asked, driven, routes
from torchstone.studies.navigation.observing import BIN
from torchstone.studies.navigation.search import fastest, streets
from torchstone.studies.navigation.simulate import drive, no_overtaking


def advised(guide: Guide, day: int, trips: Trips) -> list[list[int] | None]:
    """Return the forecast's route for each trip of a day, None for those that leave before the first forecast.

    The forecast is the latest at departure.
    """
    out = streets(guide.network)
    tables: dict[int, list[list[float]]] = {}
    ways: dict[tuple[int, int, int], list[int]] = {}
    found: list[list[int] | None] = []
    last = guide.history.shape[2] - 1
    columns = (trips.origins, trips.destinations, trips.departures)
    for source, goal, departure in zip(*(column.tolist() for column in columns), strict=True):
        origin = min(int(departure // BIN) - 1, last)
        if origin < FIRST:
            found.append(None)
            continue
        if origin not in tables:
            tables[origin] = guide.belief("forecast", day, origin).tolist()
        if (origin, source, goal) not in ways:
            ways[origin, source, goal] = fastest(out, tables[origin], source, goal, 0.0).links
        found.append(ways[origin, source, goal])
    return found


def followed(
    guide: Guide, day: int, traffic: Traffic, shares: list[float], seed: int, names: tuple[int, int]
) -> list[Floats]:
    """Simulate a day anew with each share of drivers on the forecast's routes; return link times [link, minute].

    ``names`` (replicate, day) are those of the day as it was: same trips, same incidents. Who follows at a smaller
    share also follows at a larger one.
    """
    trips = trips_of(guide.network, traffic, seed, *names)
    incidents = incidents_of(guide.network, traffic, seed, *names)
    world = library_seed(seed, "traffic", "world", *names)
    order = numpy_stream(seed, "feedback", *names).permutation(len(trips.departures))
    ways = advised(guide, day, trips)
    found = []
    for share in shares:
        follows = order < round(share * len(order))
        routes = [way if obeys else None for way, obeys in zip(ways, follows.tolist(), strict=True)]
        found.append(no_overtaking(drive(guide.network, traffic, trips, incidents, world, routes)))
    return found


def repeated(
    network: Network, seconds: Floats, beliefs: Arrays, traffic: Traffic, forecast: Forecast, settings: Feedback,
    blocks: float, share: float, seed: int, replicate: int,
) -> Arrays:  # fmt: skip
    """Return the gain of one more driver by forecast over one by history, for each share of followers (x, in %)."""
    guide = Guide.of(network, seconds, beliefs, forecast, f"{share:g}")
    days = range(forecast.valid, forecast.valid + settings.days)
    queries = asked(guide, days, settings.queries, blocks, seed, replicate)
    ways = {rung: routes(guide, queries, rung) for rung in ("history", "forecast")}
    trials = []

    def scored(truth: Floats, percent: float) -> None:
        world = dataclasses.replace(guide, seconds=truth)
        real = {rung: driven(world, queries, way).sum() for rung, way in ways.items()}
        slower = truth[days.start : days.stop].mean() / guide.seconds[days.start : days.stop].mean() - 1
        gain = float(1 - real["forecast"] / real["history"])
        trials.append(Trial("forecast", percent, replicate, "gain", gain))
        trials.append(Trial("forecast", percent, replicate, "link_seconds", float(slower)))

    scored(guide.seconds, 0.0)
    again = [followed(guide, day, traffic, settings.followers, seed, (replicate, forecast.train + day)) for day in days]
    for place, followers in enumerate(settings.followers):
        truth = guide.seconds.copy()
        truth[days.start : days.stop] = np.stack([found[place] for found in again])
        scored(truth, 100 * followers)
    return as_arrays(trials)
