"""What a forecaster is told at the end of a bin: nothing that becomes known later.

All speeds are km/h. ``known`` holds speeds by the bin in which a passage ended, ``entered`` by that in which it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchstone.studies.navigation.city import Floats, Network
from torchstone.studies.navigation.demand import is_weekend
from torchstone.studies.navigation.observing import KMH

FRESH = 6  # bins after which a speed is no longer the present
FIRST = 6  # first bin at whose end a forecast is made
FADE = 0.7  # weight of a bin in a running mean, against the bin after it
LAGS = 12  # bins that a network sees
NAMES = (
    "deviation of the last passage", "bins since then", "running deviation", "slower running deviation",
    "running deviation downstream", "running deviation upstream", "running deviation of the city",
    "history now", "history then", "free speed", "bin", "weekend", "bins with a passage lately",
)  # fmt: skip


def median(values: Floats) -> Floats:
    """Return the median over the last axis without the missing ones, NaN where all are missing."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # missing ones come last
    count = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(place, 0), axis=-1) for place in ((count - 1) // 2, count // 2))
    return np.asarray(np.where(count > 0, (low + high) / 2, np.nan)[..., 0])


def history(network: Network, entered: Floats, days: Sequence[int]) -> Floats:
    """Return the usual speed, [class, link, bin], of working days and weekends: a median over training days.

    Each bin is taken with its neighbours; where nobody passed in any of them, the link's median of all bins stands
    in, and the free speed where nobody ever passed.
    """
    free = KMH * network.speeds[:, None]
    usual = []
    for weekend in (False, True):
        past = entered[[day for day in days if is_weekend(day) == weekend]]
        padded = np.pad(past, ((0, 0), (0, 0), (1, 1)), constant_values=np.nan)
        around = np.concatenate([padded[:, :, shift : shift + past.shape[2]] for shift in range(3)])
        found = median(np.moveaxis(around, 0, -1))
        whole = median(np.moveaxis(past, 0, 1).reshape(past.shape[1], -1))[:, None]
        found = np.where(np.isnan(found), whole, found)
        usual.append(np.where(np.isnan(found), free, found))
    return np.stack(usual)


def usual_of_days(network: Network, entered: Floats, train: range) -> Floats:
    """Return the history of each day, [day, link, bin].

    A training day is left out of its own history, or it would hold the answer.
    """
    usual = history(network, entered, train)
    found = np.asarray(usual[[int(is_weekend(day)) for day in range(len(entered))]])
    for day in train:
        others = [other for other in train if other != day]
        found[day] = history(network, entered, others)[int(is_weekend(day))]
    return found


@dataclass(frozen=True)
class View:
    """The state at the end of each bin, all [day, link, bin]."""

    last: Floats  # deviation from history of the last passage, 0 if there is no fresh one
    age: Floats  # bins since then, FRESH if there is none
    running: Floats
    slower: Floats
    recent: Floats  # share of the last three bins with a passage


def view(known: Floats, usual: Floats) -> View:
    """Walk through the bins and keep what is known at the end of each."""
    deviation = known - usual
    seen = ~np.isnan(deviation)
    filled = np.where(seen, deviation, 0.0)
    last, age = np.zeros_like(filled), np.full_like(filled, FRESH)
    running, slower, recent = np.zeros_like(filled), np.zeros_like(filled), np.zeros_like(filled)
    for place in range(known.shape[2]):
        here, before = seen[:, :, place], max(place - 1, 0)
        older = np.minimum(age[:, :, before] + 1, FRESH) if place else np.full_like(filled[:, :, 0], FRESH)
        age[:, :, place] = np.where(here, 0.0, older)
        kept = np.where(older < FRESH, last[:, :, before], 0.0) if place else 0.0
        last[:, :, place] = np.where(here, filled[:, :, place], kept)
        for mean, fade in ((running, FADE), (slower, FADE**0.25)):
            now = mean[:, :, before] if place else np.zeros_like(filled[:, :, 0])
            mean[:, :, place] = np.where(here, fade * now + (1 - fade) * filled[:, :, place], 0.98 * now)
        recent[:, :, place] = seen[:, :, max(place - 2, 0) : place + 1].mean(axis=2)
    return View(last, age, running, slower, recent)


def neighbours(network: Network) -> tuple[Floats, Floats]:
    """Return the mean over the links that follow a link and over those that lead to it, each [link, link]."""
    follows = (network.heads[:, None] == network.tails[None]).astype(np.float64)
    return tuple(one / np.maximum(one.sum(axis=1, keepdims=True), 1.0) for one in (follows, follows.T))


def live(seen: View, usual: Floats) -> Floats:
    """Return the picture of the present: the last fresh passage, history where there is none, [day, link, bin].

    A speed stays what it was when it was measured, until the next passage.
    """
    bins = np.arange(usual.shape[2])[None, None]
    at = np.broadcast_to(np.maximum(bins - seen.age.astype(int), 0), usual.shape)
    then = np.take_along_axis(usual, at, axis=2)
    return np.asarray(np.where(seen.age < FRESH, then + seen.last, usual))


def features(network: Network, seen: View, usual: Floats, days: range, ahead: int) -> Floats:
    """Return the inputs of a forecast of the ``ahead``-th bin from now, [day, link, origin, feature].

    Origins run from FIRST to the last bin whose target lies in the day.
    """
    bins = usual.shape[2]
    origins = slice(FIRST, bins - ahead)
    after, before = neighbours(network)
    shape = seen.running.shape
    downstream, upstream = (one @ seen.running for one in (after, before))
    city = np.broadcast_to(seen.running.mean(axis=1, keepdims=True), shape)
    weekend = np.broadcast_to(np.asarray([float(is_weekend(day)) for day in days])[:, None, None], shape)
    number = np.broadcast_to(np.arange(bins, dtype=np.float64), shape)
    free = np.broadcast_to(KMH * network.speeds[None, :, None], shape)
    now = [seen.last, seen.age, seen.running, seen.slower, downstream, upstream, city, usual]
    columns = [*now, np.roll(usual, -ahead, axis=2), free, number, weekend, seen.recent]
    return np.stack([column[:, :, origins] for column in columns], axis=-1)
