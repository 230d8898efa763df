"""Forecasts of one simulated city, by all arms but the networks, which are trained for all cities together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.schema import Forecast
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation import learners
from torchstone.studies.navigation.city import Floats, Network
from torchstone.studies.navigation.features import FIRST, View, features, live, usual_of_days, view
from torchstone.studies.navigation.observing import BIN, KMH
from torchstone.studies.navigation.scores import LEAST, advantages, persistence, scores

Sample = tuple[Floats, Floats, Floats, Floats]


@dataclass(frozen=True)
class Observed:
    """What one share of probe cars saw in one city, and the truth; km/h, [day, link, bin]."""

    network: Network
    known: Floats
    entered: Floats
    truth: Floats
    replicate: int


@dataclass(frozen=True)
class Outlook:
    """What a navigation knows besides: history of each day, the state at each bin, the live picture."""

    usual: Floats
    state: View
    now: Floats


def outlook(seen: Observed, settings: Forecast) -> Outlook:
    """Take the history from training days, of each from the others, and walk through all days."""
    usual = usual_of_days(seen.network, seen.entered, range(settings.train))
    state = view(seen.known, usual)
    return Outlook(usual, state, live(state, usual))


def ahead(minutes: int) -> int:
    """Return the bin, counted from the one that ends now, that a horizon means."""
    return int(minutes * 60 // BIN)


def sample(seen: Observed, known: Outlook, settings: Forecast, horizon: int, seed: int) -> Sample:
    """Return training inputs and targets, the inputs of all later days and their history, at one horizon.

    Targets are deviations from history, of passages that probe cars made on training days; all learners get the same
    rows, at most ``settings.rows``.
    """
    step, bins = ahead(horizon), seen.known.shape[2]
    x = features(seen.network, known.state, known.usual, range(len(seen.known)), step)
    wanted = (seen.entered - known.usual)[: settings.train, :, FIRST + step : bins]
    there = ~np.isnan(wanted)
    rows = learners.sampled(int(there.sum()), settings, seed, seen.replicate, horizon)
    return (
        x[: settings.train][there][rows],
        wanted[there][rows],
        x[settings.train :],
        known.usual[settings.train :, :, FIRST + step :],
    )


def boosted_forecasts(seen: Observed, settings: Forecast, seed: int, share: str) -> Arrays:
    """Return boosted trees' speeds for all days after training, [day, link, origin, horizon], and what else routes use.

    That is history, the live picture, and how far the last passages were from history on average.
    Origins whose target lies beyond the day take the forecast of the next nearer horizon, the day's last bins at the
    first horizon the history of their own bin; so do those before the first forecast.
    """
    known = outlook(seen, settings)
    bins = seen.known.shape[2]
    found = np.repeat(known.usual[settings.train :, :, :, None], len(settings.horizons), axis=3)
    for place, horizon in enumerate(settings.horizons):
        x, y, later, base = sample(seen, known, settings, horizon, seed)
        model = learners.boosted(x, y, settings, seed, seen.replicate, share, horizon)
        said = base + model.predict(later.reshape(-1, later.shape[-1])).reshape(base.shape)
        end = bins - ahead(horizon)
        found[:, :, FIRST:end, place] = said
        if place > 0:
            found[:, :, end:, place] = found[:, :, end:, place - 1]
    free = KMH * seen.network.speeds[:, None]
    return {
        "forecast": np.clip(found, LEAST, free[..., None]).astype(np.float32),
        "history": known.usual[settings.train :].astype(np.float32),
        "live": np.clip(known.now[settings.train :], LEAST, free).astype(np.float32),
        "running": known.state.running[settings.train :].astype(np.float32),
    }


def compared(seen: Observed, settings: Forecast, seed: int, boosted: Floats) -> Arrays:
    """Score every arm on the test days, at every horizon; ``boosted`` is what ``boosted_forecasts`` found."""
    known = outlook(seen, settings)
    bins, first = seen.known.shape[2], settings.train + settings.valid
    free = KMH * seen.network.speeds[None, :, None]
    trials: list[Trial] = []
    for place, horizon in enumerate(settings.horizons):
        step = ahead(horizon)
        x, y, later, base = sample(seen, known, settings, horizon, seed)
        test, base = later[settings.valid :].reshape(-1, later.shape[-1]), base[settings.valid :]
        names = (seed, seen.replicate, horizon)
        arms = {
            "free flow": np.broadcast_to(free, base.shape),
            "history": base,
            "last value": known.now[first:, :, FIRST : bins - step],
            "gradient boosting": boosted[settings.valid :, :, FIRST : bins - step, place],
        }
        if place > 0:  # the first horizon is the present, which only routes need
            arms["tree"] = base + learners.single(x, y, test, settings, *names).reshape(base.shape)
            arms["bagged trees"] = base + learners.bagged(x, y, test, settings, *names).reshape(base.shape)
        if horizon == 30:
            again = learners.bagged(x, y, test, settings, *names, "control")
            arms["bagged trees control"] = base + again.reshape(base.shape)
        true = seen.truth[first:, :, FIRST + step :]
        off = (seen.truth - known.usual)[first:]
        trials.append(persistence(horizon, seen.replicate, off[:, :, FIRST : bins - step], off[:, :, FIRST + step :]))
        wide = np.broadcast_to(free, base.shape)
        for arm, found in arms.items():
            trials += scores(arm, horizon, seen.replicate, found, true, wide, settings.congested)
    return as_arrays([*trials, *advantages(trials)])


def by_share(seen: dict[str, list[Observed]], boosted: dict[str, Floats], settings: Forecast) -> list[Trial]:
    """Return the error of boosted forecasts at the published horizons by share of probe cars (x, in %)."""
    trials = []
    first = settings.train + settings.valid
    for share, cities in seen.items():
        for one in cities:
            free = np.broadcast_to(KMH * one.network.speeds[None, :, None], one.truth[first:].shape)
            for place, horizon in enumerate(settings.horizons):
                step, bins = ahead(horizon), one.truth.shape[2]
                found = boosted[f"{share}-{one.replicate:02d}"][settings.valid :, :, FIRST : bins - step, place]
                true, most = one.truth[first:, :, FIRST + step :], free[:, :, FIRST + step :]
                score = {t.metric: t.value for t in scores("", horizon, 0, found, true, most, settings.congested)}
                for metric in ("mae", "recall"):
                    if metric in score:
                        x = 100 * float(share)
                        trials.append(Trial("probe share", x, one.replicate, f"{metric}_{horizon}", score[metric]))
    return trials
