"""What if many drivers follow the same forecast? Their days are simulated anew, and the forecast is asked again."""

from __future__ import annotations

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import library_seed, numpy_stream
from torchstone.core.schema import Feedback, Forecast, Route, Traffic
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation.city import Floats, Network
from torchstone.studies.navigation.demand import Trips, incidents_of, trips_of
from torchstone.studies.navigation.features import FIRST
from torchstone.studies.navigation.guidance import Guide, asked, driven, routes
from torchstone.studies.navigation.observing import BIN
from torchstone.studies.navigation.search import fastest, streets
from torchstone.studies.navigation.simulate import drive, no_overtaking


def followed(guide: Guide, day: int, trips: Trips, chosen: np.ndarray) -> list[list[int] | None]:
    """Return the forecast's route for each trip of a chosen follower, and None for all others.

    The forecast is the latest at departure; who leaves before the first one goes as before.
    """
    out = streets(guide.network)
    tables: dict[int, list[list[float]]] = {}
    ways: dict[tuple[int, int, int], list[int]] = {}
    found: list[list[int] | None] = []
    last = guide.history.shape[2] - 1
    columns = (trips.origins, trips.destinations, trips.departures, chosen)
    for source, goal, departure, follows in zip(*(column.tolist() for column in columns), strict=True):
        origin = min(int(departure // BIN) - 1, last)
        if not follows or origin < FIRST:
            found.append(None)
            continue
        if origin not in tables:
            tables[origin] = guide.belief("forecast", day, origin).tolist()
        if (origin, source, goal) not in ways:
            ways[origin, source, goal] = fastest(out, tables[origin], source, goal, 0.0).links
        found.append(ways[origin, source, goal])
    return found


def repeated(
    network: Network, seconds: Floats, beliefs: Arrays, traffic: Traffic, forecast: Forecast, route: Route,
    settings: Feedback, share: float, seed: int, replicate: int,
) -> Arrays:  # fmt: skip
    """Return the gain of one more driver by forecast over one by history, for each share of followers (x, in %)."""
    guide = Guide.of(network, seconds, beliefs, forecast, f"{share:g}")
    days = range(forecast.valid, forecast.valid + settings.days)
    queries = asked(guide, days, route.queries, route.blocks, seed, replicate)
    ways = {rung: routes(guide, queries, rung) for rung in ("history", "forecast")}
    trials = []

    def gain(truth: Guide) -> float:
        real = {rung: driven(truth, queries, way).sum() for rung, way in ways.items()}
        return float(1 - real["forecast"] / real["history"])

    trials.append(Trial("forecast", None, replicate, "gain_alone", gain(guide)))
    base = guide.seconds[days.start : days.stop].mean()
    for followers in settings.followers:
        anew = guide.seconds.copy()
        for day in days:
            number = forecast.train + day
            trips = trips_of(network, traffic, seed, replicate, number)
            order = numpy_stream(seed, "feedback", replicate, number).permutation(len(trips.departures))
            chosen = order < round(followers * len(order))
            world = library_seed(seed, "traffic", "world", replicate, number)
            incidents = incidents_of(network, traffic, seed, replicate, number)
            anew[day] = no_overtaking(
                drive(network, traffic, trips, incidents, world, followed(guide, day, trips, chosen))
            )
        truth = Guide(network, anew, guide.history, guide.live, guide.forecast, guide.horizons)
        trials.append(Trial("forecast", 100 * followers, replicate, "gain", gain(truth)))
        slower = anew[days.start : days.stop].mean() / base - 1
        trials.append(Trial("forecast", 100 * followers, replicate, "link_seconds", float(slower)))
    return as_arrays(trials)
