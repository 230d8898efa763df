"""A replicate's weeks, step by step as the stages take them: traffic, probe cars, what their traces tell."""

from __future__ import annotations

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Probes, Traffic
from torchstone.core.trials import Trial
from torchstone.studies.navigation.city import Network
from torchstone.studies.navigation.driving import Traces, probe_journeys, record
from torchstone.studies.navigation.matching import Roads, match
from torchstone.studies.navigation.observing import BIN, passages, share_of, speeds
from torchstone.studies.navigation.simulate import no_overtaking, overtakings, simulated_day

FINEST = 30_000  # steps to each side of a city's middle in which positions are kept


def weeks(network: Network, settings: Traffic, seed: int, replicate: int) -> Arrays:
    """Simulate all days: link times repaired [day, link, minute], those of the first day as they were, and how often
    a car overtook another."""
    raw = np.stack([simulated_day(network, settings, seed, replicate, day) for day in range(settings.days)])
    seconds = no_overtaking(raw)
    return {
        "seconds": seconds.astype(np.float32),
        "raw": raw[0].astype(np.float32),
        "before": np.asarray(overtakings(raw)),
        "after": np.asarray(overtakings(seconds)),
        "longest": np.asarray((seconds - raw).max()),
        "slow": np.asarray((seconds > 1.5 * network.free[:, None]).mean()),
    }


def traffic_trials(found: list[Arrays]) -> list[Trial]:
    """Return how often cars overtook before and after the repair, and how much of the time links were slow."""
    names = {
        "before": "overtakings_before",
        "after": "overtakings_after",
        "longest": "repair_longest",
        "slow": "slow_share",
    }
    return [
        Trial("simulated", None, replicate, metric, float(arrays[name]))
        for replicate, arrays in enumerate(found)
        for name, metric in names.items()
    ]


def reports(
    network: Network, seconds: np.ndarray, traffic: Traffic, settings: Probes, seed: int, replicate: int
) -> Arrays:
    """Return the traces of all days one after the other: fixes as whole steps, true link, trace and day bounds."""
    middle = network.places.mean(axis=0)
    step = 1.5 * np.abs(network.places - middle).max() / FINEST
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("places", "times", "links", "counts", "traces")}
    for day in range(traffic.days):
        driven = probe_journeys(network, seconds[day].astype(np.float64), settings, traffic, seed, replicate, day)
        noise = numpy_stream(seed, "probes", "errors", replicate, day)
        traces = record(network, driven, settings.interval, settings.sigma, settings.memory, noise)
        whole = np.round((traces.places - middle) / step)
        parts["places"].append(np.clip(whole, -32767, 32767).astype(np.int16))
        parts["times"].append(traces.times.astype(np.float32))
        parts["links"].append(traces.links.astype(np.int16))
        parts["counts"].append(np.diff(traces.starts).astype(np.int16))
        parts["traces"].append(np.asarray([len(traces.starts) - 1]))
    return {name: np.concatenate(part) for name, part in parts.items()} | {"middle": middle, "step": np.asarray(step)}


def day_traces(arrays: Arrays) -> list[Traces]:
    """Undo ``reports``: the traces of each day."""
    places = arrays["places"] * arrays["step"] + arrays["middle"]
    counts = np.split(arrays["counts"].astype(np.int64), np.cumsum(arrays["traces"])[:-1])
    ends = np.concatenate([[0], np.cumsum([part.sum() for part in counts])])
    found = []
    for part, begin, end in zip(counts, ends[:-1], ends[1:], strict=True):
        starts = np.concatenate([[0], np.cumsum(part)])
        times, links = arrays["times"][begin:end].astype(np.float64), arrays["links"][begin:end].astype(np.int64)
        found.append(Traces(starts, times, places[begin:end], links))
    return found


def observed(network: Network, arrays: Arrays, settings: Probes, minutes: int) -> Arrays:
    """Match the traces of all days and return, for each share, speeds by exit and by entry, [share, day, link, bin].

    Also how many of the fixes are on the right link.
    """
    roads, bins = Roads.of(network), int(minutes * 60 // BIN)
    largest = max(settings.shares)
    known: list[list[np.ndarray]] = []
    entered: list[list[np.ndarray]] = []
    right, total = 0, 0
    for traces in day_traces(arrays):
        links, offsets = match(roads, traces, settings.sigma)
        right, total = right + int((links == traces.links).sum()), total + len(links)
        seen = passages(network, roads, traces, links, offsets)
        count = len(traces.starts) - 1
        some = [share_of(seen, share, largest, count) for share in settings.shares]
        known.append([speeds(network, one, one.leaves, bins) for one in some])
        entered.append([speeds(network, one, one.enters, bins) for one in some])
    both = {"known": known, "entered": entered}
    tables = {name: np.stack(part).swapaxes(0, 1).astype(np.float32) for name, part in both.items()}
    return tables | {"right": np.asarray(right / total)}
