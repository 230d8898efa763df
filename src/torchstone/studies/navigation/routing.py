"""Regret of every rung, and whether the search is right and how much of the map it looks at."""

from __future__ import annotations

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City, Forecast, Route
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation.city import Floats, Network, build
from torchstone.studies.navigation.guidance import Guide, Queries, asked, regrets
from torchstone.studies.navigation.search import Landmarks, fastest, straight, streets, time_expanded, whole_seconds
from torchstone.studies.navigation.simulate import no_overtaking

HOUR = 3600


def ladder(
    network: Network, seconds: Floats, beliefs: Arrays, forecast: Forecast, settings: Route, shares: list[float],
    main: float, seed: int, replicate: int,
) -> Arrays:  # fmt: skip
    """Return the trials of one city: regret by rung, and by share of probe cars, over the same queries."""
    trials = []
    test = range(forecast.valid, len(seconds) - forecast.train)
    for share in shares:
        guide = Guide.of(network, seconds, beliefs, forecast, f"{share:g}")
        queries = asked(guide, test, settings.queries, settings.blocks, seed, replicate)
        found = regrets(guide, queries)
        percent = 100 * share
        for rung in ("live", "forecast"):
            trials.append(Trial(rung, percent, replicate, "regret_by_share", float(found[rung].mean())))
        if share != main:
            continue
        for place, (rung, regret) in enumerate(found.items(), start=1):
            trials.append(Trial("all rungs", float(place), replicate, "regret_by_rung", float(regret.mean())))
            trials.append(Trial("all rungs", float(place), replicate, "p95_by_rung", float(np.quantile(regret, 0.95))))
            trials.append(Trial(rung, None, replicate, "regret", float(regret.mean())))
            trials.append(Trial(rung, None, replicate, "regret_p95", float(np.quantile(regret, 0.95))))
            trials.append(Trial(rung, None, replicate, "wrong_share", float((regret > 0.01).mean())))
        trials += checked(guide, queries, settings.checked, replicate)
    return as_arrays(trials)


def checked(guide: Guide, queries: Queries, count: int, replicate: int) -> list[Trial]:
    """Compare Dijkstra's answer with the time-expanded graph's, in whole seconds, over a few queries."""
    out = streets(guide.network)
    worst = 0.0
    for one in np.linspace(0, len(queries.days) - 1, count).astype(int).tolist():
        day, source, goal = int(queries.days[one]), int(queries.sources[one]), int(queries.goals[one])
        table = whole_seconds(guide.network, guide.seconds[day], guide.leaves(int(queries.origins[one])), HOUR)
        found = fastest(out, table.astype(np.float64).tolist(), source, goal, 0.0, step=1.0)
        worst = max(worst, abs(found.arrival - time_expanded(guide.network, table, source, goal)))
    return [Trial("Dijkstra", None, replicate, "time_expanded_gap", worst)]


def rush(network: Network, seed: int, *names: str | int) -> Floats:
    """Return made-up link times with a rush hour of its own on each link, [link, minute]; nobody overtakes."""
    generator = numpy_stream(seed, "rush", *names)
    minutes = np.arange(120.0)
    middle = generator.uniform(20.0, 100.0, (len(network.free), 1))
    height = generator.exponential(0.6, (len(network.free), 1))
    slower = 1 + height * np.exp(-(((minutes - middle) / 25.0) ** 2))
    return no_overtaking(network.free[:, None] * slower)


def explored(city: City, settings: Route, seed: int, replicate: int) -> Arrays:
    """Return junctions settled by Dijkstra's algorithm and by A*, on the city and on a large one, and cost gaps."""
    large = city.model_copy(update={"rows": settings.large, "columns": settings.large})
    trials, worst = [], 0.0
    for kind in (city, large):
        network = build(kind, seed, replicate)
        rows, out = rush(network, seed, replicate).tolist(), streets(network)
        marks = Landmarks.of(network, settings.landmarks)
        generator = numpy_stream(seed, "explored", replicate, len(network.places))
        settled: dict[str, list[int]] = {"Dijkstra": [], "A*": [], "A* (straight line)": []}
        for _ in range(settings.queries):
            source, goal = (int(one) for one in generator.choice(len(network.places), 2, replace=False))
            start = float(generator.uniform(0.0, HOUR))
            bounds = {"Dijkstra": None, "A*": marks.bound(goal), "A* (straight line)": straight(network, goal)}
            found = {arm: fastest(out, rows, source, goal, start, bound=bound) for arm, bound in bounds.items()}
            for arm, answer in found.items():
                settled[arm].append(answer.settled)
            gap = found["A*"].arrival - found["Dijkstra"].arrival
            worst = gap if abs(gap) > abs(worst) else worst
        junctions = float(len(network.places))
        trials += [Trial(arm, junctions, replicate, "settled", float(np.mean(count))) for arm, count in settled.items()]
    return as_arrays([*trials, Trial("A*", None, replicate, "cost_gap", worst)])
