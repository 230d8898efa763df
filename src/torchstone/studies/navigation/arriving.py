"""When shall we arrive? Quantiles of what the routing engine's own answer misses, learned and then calibrated.

The engine adds up forecast link times (DeeprETA, Hu et al. 2022, likewise learns the residual). Trees learn on
validation days, on which the forecasts are not fitted; some of these days, spread over the week, set the width
(conformal quantile regression, Romano et al. 2019); test days are only scored.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from torchstone.core.files import Arrays
from torchstone.core.rng import library_seed
from torchstone.core.schema import Eta, Forecast
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation.city import Floats, Integers, Network
from torchstone.studies.navigation.fan import departures, fanned
from torchstone.studies.navigation.guidance import Guide, Queries, asked, believed, driven, routes

BAD, BAD_SECONDS = 0.2, 180.0  # an arrival is bad that misses by both more than a fifth and three minutes
RUNGS = ("free flow", "history", "live", "forecast")


def trips(guide: Guide, queries: Queries) -> Arrays:
    """Return trips by the forecast's routes: what each rung tells, and how long they really take."""
    ways = routes(guide, queries, "forecast")
    told = {rung: believed(guide, queries, ways, rung) for rung in RUNGS}
    metres = np.asarray([guide.network.lengths[way].sum() for way in ways])
    counts = np.asarray([float(len(way)) for way in ways])
    return {**told, "metres": metres, "links": counts, "real": driven(guide, queries, ways)}


def inputs(queries: Queries, found: Arrays) -> Floats:
    """Return what the trees are told of each trip when it begins."""
    engine = found["forecast"]
    ratios = [found[rung] / engine for rung in ("free flow", "history", "live")]
    return np.stack([engine, *ratios, found["metres"], found["links"], queries.origins.astype(np.float64)], axis=1)


def quantiles(x: Floats, y: Floats, test: Floats, settings: Eta, seed: int, replicate: int) -> Floats:
    """Return the quantiles of the logarithm of real over told time, in order, [trip, level]."""
    found = []
    for level in settings.levels:
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=level, learning_rate=settings.rate, max_iter=settings.rounds, max_leaf_nodes=8,
            min_samples_leaf=30, early_stopping=False, random_state=library_seed(seed, "eta", replicate, f"{level:g}"),
        ).fit(x, y)  # fmt: skip
        found.append(model.predict(test))
    return np.sort(np.stack(found, axis=1), axis=1)


def calibrated(found: Floats, y: Floats, levels: list[float], chosen: Integers) -> Floats:
    """Widen or narrow symmetric pairs of quantiles by what the ``chosen`` trips missed."""
    wider = found.copy()
    for low in range(len(levels) // 2):
        high = len(levels) - 1 - low
        misses = np.maximum(found[chosen, low] - y[chosen], y[chosen] - found[chosen, high])
        nominal = levels[high] - levels[low]
        rank = min(int(np.ceil((len(misses) + 1) * nominal)), len(misses)) - 1
        by = float(np.sort(misses)[rank])
        wider[:, low] -= by
        wider[:, high] += by
    return np.sort(wider, axis=1)


def _told(arm: str, told: Floats, real: Floats, replicate: int) -> list[Trial]:
    errors = np.abs(told - real)
    values = {
        "mae": errors.mean(),
        "mape": (errors / real).mean(),
        "bad_share": ((errors > BAD * real) & (errors > BAD_SECONDS)).mean(),
    }
    return [Trial(arm, None, replicate, metric, float(value)) for metric, value in values.items()]


def set_aside(valid: int, count: int) -> Integers:
    """Return the validation days that set the width, spread evenly so that they hold working days and weekend."""
    return ((np.arange(count) + 0.5) * valid / count).astype(int)


def _scored(arm: str, answer: Floats, engine: Floats, real: Floats, levels: list[float], replicate: int) -> list[Trial]:
    """Score quantiles of the logarithm of real over told time, [trip, level], of trips that took ``real`` seconds."""
    y = np.log(real / engine)
    low, high = answer[:, 0], answer[:, -1]
    trials = [
        Trial(arm, None, replicate, "coverage", float(((low <= y) & (y <= high)).mean())),
        Trial(arm, None, replicate, "late_share", float((y > high).mean())),
    ]
    for place, level in enumerate(levels):
        miss = real - engine * np.exp(answer[:, place])
        pinball = float(np.maximum(level * miss, (level - 1) * miss).mean())
        trials.append(Trial(arm, level, replicate, "below", float((miss <= 0).mean())))
        trials.append(Trial(arm, level, replicate, "pinball", pinball))
    return trials


def arrivals(
    network: Network, seconds: Floats, beliefs: Arrays, forecast: Forecast, settings: Eta, blocks: float, share: float,
    seed: int, replicate: int,
) -> Arrays:  # fmt: skip
    """Return the trials of one city, in the first one also those of one trip at every departure of a morning."""
    guide = Guide.of(network, seconds, beliefs, forecast, f"{share:g}")
    days, levels = range(len(seconds) - forecast.train), settings.levels
    drawn = asked(guide, days, settings.trips, blocks, seed, "eta", replicate)
    longest = departures(guide, days[forecast.valid :])
    queries = drawn.and_then(longest)
    found = trips(guide, queries)
    engine, real = found["forecast"], found["real"]
    x, y = inputs(queries, found), np.log(real / engine)
    fan = np.arange(len(y)) >= len(drawn.days)
    aside = np.isin(queries.days, set_aside(forecast.valid, settings.calibrate))
    test = (queries.days >= forecast.valid) & ~fan
    raw = quantiles(x[~aside & ~test & ~fan], y[~aside & ~test & ~fan], x, settings, seed, replicate)
    wider = calibrated(raw, y, levels, np.flatnonzero(aside))
    trials = [trial for rung in RUNGS for trial in _told(rung, found[rung][test], real[test], replicate)]
    middle = (engine * np.exp(wider[:, len(levels) // 2]))[test]
    trials += _told("quantiles", middle, real[test], replicate)
    for arm, answer in (("quantiles", wider), ("before calibration", raw)):
        trials += _scored(arm, answer[test], engine[test], real[test], levels, replicate)
    trials += [Trial("nominal", level, replicate, "below", level) for level in levels]
    trials.append(Trial("nominal", None, replicate, "coverage", levels[-1] - levels[0]))
    if replicate == 0:
        told = engine[fan, None] * np.exp(wider[fan])
        trials += fanned(guide, longest, told, real[fan], levels, replicate)
    return as_arrays(trials)
