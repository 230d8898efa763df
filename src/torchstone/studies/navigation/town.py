"""Can the road be told from the position? Streets that lie close together, receivers of all errors and intervals."""

from __future__ import annotations

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Match, Probes
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.navigation.city import Network
from torchstone.studies.navigation.driving import Journeys, Traces, next_links, record, travel
from torchstone.studies.navigation.matching import Roads, match, nearest

TO_95 = 2.4477  # radius that holds 95 % of a two-dimensional Gaussian of unit sd on each axis
SPEED = 8.0  # m/s
CANDIDATES = 16
EDGE, MODEL = "nearest edge", "hidden Markov model"


def town(settings: Match, seed: int, replicate: int) -> Network:
    """Draw a town of streets that cross at about right angles, all with two directions."""
    generator = numpy_stream(seed, "town", replicate)
    size = settings.size
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="xy"), axis=-1).reshape(-1, 2)
    places = np.round((grid + generator.uniform(-0.15, 0.15, grid.shape)) * settings.block, 1)
    number = np.arange(size * size).reshape(size, size)
    roads = np.concatenate([
        np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
        np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
    ])  # fmt: skip
    tails, heads = (np.concatenate([roads[:, a], roads[:, b]]) for a, b in ((0, 1), (1, 0)))
    lengths = np.hypot(*(places[tails] - places[heads]).T)
    speeds = np.full(len(tails), SPEED)
    return Network(places, tails, heads, lengths, speeds, np.ones(len(tails)), np.zeros(len(tails), dtype=np.int64))


def journeys(network: Network, settings: Match, whim: float, seed: int, replicate: int) -> Journeys:
    """Drive across the town, each driver by the way that he thinks is fastest."""
    generator = numpy_stream(seed, "town", replicate, "journeys")
    apart = np.hypot(*(network.places[:, None] - network.places[None]).transpose(2, 0, 1))
    far = np.argwhere(apart > 0.5 * settings.size * settings.block)
    chosen = far[generator.choice(len(far), settings.journeys)]
    routes = np.stack([
        next_links(network, network.free * np.exp(generator.normal(0.0, whim, len(network.free))))[goal]
        for goal in chosen[:, 1]
    ])  # fmt: skip
    table = np.repeat((network.free * generator.uniform(1.0, 1.6, len(network.free)))[:, None], 2, axis=1)
    return travel(network, table, routes, (chosen[:, 0], chosen[:, 1], np.zeros(len(chosen))))


def _scores(found: np.ndarray, traces: Traces, network: Network) -> tuple[float, float]:
    """Return the share of fixes on the right link, and on the right road whatever the direction.

    The first and the last fix of a trace lie on a junction, where several links are right: they are left out.
    """
    inner = np.ones(len(traces.times), dtype=bool)
    inner[traces.starts[:-1]] = inner[traces.starts[1:] - 1] = False
    right = found == traces.links
    return float(right[inner].mean()), float((right | (network.opposite()[found] == traces.links))[inner].mean())


def told(settings: Match, probes: Probes, seed: int, replicate: int) -> Arrays:
    """Return the trials of one replicate: both methods at all radii (x) and intervals."""
    network = town(settings, seed, replicate)
    roads = Roads.of(network)
    driven = journeys(network, settings, probes.whim, seed, replicate)
    trials = []
    gains = []
    for interval in settings.intervals:
        for radius in settings.radii:
            noise = numpy_stream(seed, "town", replicate, "errors", f"{interval:g}")  # the same draws at every radius
            traces = record(network, driven, interval, radius / TO_95, probes.memory, noise)
            matched, _ = match(roads, traces, radius / TO_95, CANDIDATES)
            road = {}
            for arm, found in ((EDGE, nearest(roads, traces.places)), (MODEL, matched)):
                directed, road[arm] = _scores(found, traces, network)
                for metric, value in (("accuracy", directed), ("road_accuracy", road[arm])):
                    trials.append(Trial(arm, radius, replicate, f"{metric}_{interval:g}s", value))
            gains.append(road[MODEL] - road[EDGE])
    trials.append(Trial(MODEL, None, replicate, "least_gain", min(gains)))
    return as_arrays(trials)


def traced(settings: Match, probes: Probes, seed: int) -> Arrays:
    """Return pictures of one journey: streets, the way driven and matched, the fixes, at the two extreme errors."""
    network = town(settings, seed, 0)
    roads = Roads.of(network)
    driven = journeys(network, settings, probes.whim, seed, 0)
    legs = slice(0, int(driven.starts[1]))
    only = Journeys(driven.starts[:2], driven.links[legs], driven.enters[legs], driven.leaves[legs])
    way = np.concatenate([network.ends[only.links][:, :2], network.ends[only.links[-1:]][:, 2:]])
    pictures: Arrays = {}
    for name, radius in (("coarse", max(settings.radii)), ("fine", min(settings.radii))):
        noise = numpy_stream(seed, "town", "picture")
        traces = record(network, only, min(settings.intervals), radius / TO_95, probes.memory, noise)
        links, offsets = match(roads, traces, radius / TO_95, CANDIDATES)
        ends = network.ends[links]
        matched = ends[:, :2] + (offsets / network.lengths[links])[:, None] * (ends[:, 2:] - ends[:, :2])
        ways = np.full((2, max(len(way), len(matched)), 2), np.nan)
        ways[0, : len(way)], ways[1, : len(matched)] = way, matched
        pictures |= {
            name: network.ends[: len(network.tails) // 2],  # one direction of each street
            f"{name}_ways": ways,
            f"{name}_labels": np.asarray(["driven", "matched"]),
            f"{name}_points": traces.places,
        }
    return pictures
