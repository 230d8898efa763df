"""The city coloured by congestion: what was forecast, and what came."""

from __future__ import annotations

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.schema import Forecast
from torchstone.studies.navigation.city import Floats
from torchstone.studies.navigation.demand import is_weekend
from torchstone.studies.navigation.features import FIRST
from torchstone.studies.navigation.forecasting import Observed, ahead, outlook
from torchstone.studies.navigation.observing import KMH

APART = 0.08  # of a block by which the two directions of a road are drawn apart


def beside(lines: Floats, distance: float) -> Floats:
    """Move each segment to its right, as traffic does, so that both directions of a road are seen."""
    way = lines[:, 2:] - lines[:, :2]
    right = np.stack([way[:, 1], -way[:, 0]], axis=1) / np.hypot(*way.T)[:, None] * distance
    return np.asarray(lines + np.hstack([right, right]))


def commute(seen: Observed, forecast: Floats, settings: Forecast) -> Arrays:
    """Return the city's links with speeds as shares of the free speed: at 7:30, at 8:00 as forecast then, at 8:00.

    The day is the test day, a working day, whose 8:00 is the most congested, and 8:00 is the third hour's begin or,
    in short days, the middle of the day.
    """
    first, bins = settings.train + settings.valid, seen.truth.shape[2]
    horizon = 30 if 30 in settings.horizons else settings.horizons[-1]
    place, step = settings.horizons.index(horizon), ahead(horizon)
    later = min(24, bins // 2)
    now = max(later - step, FIRST)
    later = now + step
    free = KMH * seen.network.speeds
    share = seen.truth[first:, :, later] / free
    working = np.asarray([not is_weekend(first + day) for day in range(len(share))])
    day = int(np.where(working, (share < settings.congested).mean(axis=1), -1.0).argmax())
    known = outlook(seen, settings)
    panels = [
        np.where(
            np.isnan(seen.known[first + day, :, now - 2 : now + 1]).all(axis=1), np.nan, known.now[first + day, :, now]
        ),
        forecast[settings.valid + day, :, now, place],
        seen.truth[first + day, :, later],
    ]
    lines = beside(seen.network.ends, APART * float(np.median(seen.network.lengths)))
    pictures: Arrays = {}
    for name, speeds in zip(("now", "forecast", "came"), panels, strict=True):
        pictures |= {name: lines, f"{name}_values": np.clip(speeds / free, 0.0, 1.0)}
    return pictures
