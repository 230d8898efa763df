"""One trip at every departure of one morning: what is told at departure, with P10, P50 and P90, and what comes."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from torchstone.core.trials import Trial
from torchstone.studies.navigation.city import Floats
from torchstone.studies.navigation.features import FIRST
from torchstone.studies.navigation.guidance import Guide, Queries
from torchstone.studies.navigation.observing import BIN
from torchstone.studies.navigation.simulate import MINUTE

DAWN = 6.0  # o'clock, when a simulated morning begins
HOUR = 3600.0


def departures(guide: Guide, days: range) -> Queries:
    """Return the longest trip of a city, at the end of each bin of the test day whose worst moment was worst.

    The trip is that between the junctions farthest apart by free-flow time, so that nobody chose it for its forecast.
    """
    network = guide.network
    count = len(network.places)
    graph = csr_array((network.free, (network.tails, network.heads)), shape=(count, count))
    source, goal = np.unravel_index(int(dijkstra(graph).argmax()), (count, count))
    slow = guide.seconds[days.start : days.stop].mean(axis=1).max(axis=1)
    origins = np.arange(FIRST, guide.history.shape[2] - int(HOUR // BIN))
    columns = (days.start + int(slow.argmax()), origins, int(source), int(goal))
    day, _, start, end = (np.full(len(origins), column) for column in columns)
    return Queries(day, origins, start, end)


def fanned(
    guide: Guide, queries: Queries, told: Floats, real: Floats, levels: list[float], replicate: int
) -> list[Trial]:
    """Return minutes of the trip over the hour of departure (x): each told level [trip, level] and what came [trip]."""
    trials = []
    for place, origin in enumerate(queries.origins.tolist()):
        hour = DAWN + guide.leaves(origin) / HOUR
        answers = {f"P{round(100 * level)}": told[place, column] for column, level in enumerate(levels)}
        for arm, seconds in {**answers, "came": real[place]}.items():
            trials.append(Trial(arm, hour, replicate, "trip_minutes", float(seconds) / MINUTE))
    return trials
