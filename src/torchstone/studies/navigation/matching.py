"""From positions to roads: a hidden Markov model (Newson & Krumm 2009) for many traces at once, and the nearest edge.

A fix is seen with a Gaussian error from a point of a link; from fix to fix the way along the roads should be about
as long as the straight line. Viterbi's algorithm runs over all traces of a batch in step, [trace, candidate].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from torchstone.studies.navigation.city import Floats, Integers, Network
from torchstone.studies.navigation.driving import Traces

Singles = npt.NDArray[np.float32]
CANDIDATES = 8
BATCH = 200  # traces matched together; more fall out of the cache
BETA = 30.0  # metres by which the way may differ from the straight line, on average
BACKWARDS = 3.0  # errors by which a fix may fall back on its own link


@dataclass(frozen=True)
class Roads:
    """A network made ready for matching; distances are along the roads, junction to junction."""

    begins: Singles  # [link, 2]
    along: Singles  # [link, 2], unit vectors
    lengths: Singles  # [link]
    tails: Integers
    heads: Integers
    distances: Singles  # [junction, junction]

    @classmethod
    def of(cls, network: Network) -> Roads:
        """Take from a network what matching needs."""
        ends = network.ends
        vectors = ends[:, 2:] - ends[:, :2]
        lengths = np.hypot(*vectors.T)
        count = len(network.places)
        graph = csr_array((lengths, (network.tails, network.heads)), shape=(count, count))
        singles: Any = (ends[:, :2], vectors / lengths[:, None], lengths)
        begins, along, lengths = (part.astype(np.float32) for part in singles)
        return cls(begins, along, lengths, network.tails, network.heads, dijkstra(graph).astype(np.float32))


def project(roads: Roads, places: Floats) -> tuple[Singles, Singles]:
    """Return how far each place lies from each link, and where on the link the nearest point is, [place, link]."""
    x, y = (places[:, axis, None].astype(np.float32) - roads.begins[None, :, axis] for axis in (0, 1))
    offsets = np.clip(x * roads.along[:, 0] + y * roads.along[:, 1], 0.0, roads.lengths)
    x -= offsets * roads.along[:, 0]
    y -= offsets * roads.along[:, 1]
    return np.sqrt(x * x + y * y), offsets  # four times faster than hypot, and no gap is near overflow


def nearest(roads: Roads, places: Floats) -> Integers:
    """Return the nearest link of each place; of two directions of one street the first, for it cannot tell."""
    return np.asarray(project(roads, places)[0].argmin(axis=1))


def candidates(roads: Roads, places: Floats, count: int) -> tuple[Integers, Singles, Singles]:
    """Return the nearest ``count`` links of each place with gap and offset, [place, candidate], by link."""
    gaps, offsets = project(roads, places)
    count = min(count, gaps.shape[1])
    # Gap and link in one whole number: its order is that of the gaps (which are not negative), and numpy partitions
    # values twice as fast as it finds places; equal gaps, as of a street's two directions, go by link.
    keys = gaps.view(np.uint32).astype(np.uint64) << np.uint64(32) | np.arange(gaps.shape[1], dtype=np.uint64)
    nearest_keys = np.partition(keys, count - 1, axis=1)[:, :count]
    chosen = np.sort((nearest_keys & np.uint64(2**32 - 1)).astype(np.int64), axis=1)
    rows = np.arange(len(places))[:, None]
    return chosen, gaps[rows, chosen], offsets[rows, chosen]


def _way(roads: Roads, before: tuple[Integers, Singles], after: tuple[Integers, Singles], sigma: float) -> Singles:
    """Return metres along the roads between all pairs of candidates, [trace, before, after]."""
    links_a, offsets_a = before[0][:, :, None], before[1][:, :, None]
    links_b, offsets_b = after[0][:, None], after[1][:, None]
    round_trip = roads.lengths[links_a] - offsets_a + roads.distances[roads.heads[links_a], roads.tails[links_b]]
    ahead = offsets_b - offsets_a
    stays = (links_a == links_b) & (ahead > -BACKWARDS * sigma)
    return np.asarray(np.where(stays, np.abs(ahead), round_trip + offsets_b))


def _viterbi(roads: Roads, places: Floats, lengths: Integers, sigma: float, count: int) -> tuple[Integers, Singles]:
    """Return link and offset of each fix, [trace, step]; ``places`` [trace, step, 2] are padded beyond ``lengths``."""
    traces, steps = places.shape[:2]
    flat = candidates(roads, places.reshape(-1, 2), count)
    links: Integers = flat[0].reshape(traces, steps, -1)
    gaps, offsets = (part.reshape(traces, steps, -1) for part in flat[1:])
    emissions = 0.5 * (gaps / np.float32(sigma)) ** 2
    cost = emissions[:, 0]
    back = np.zeros(links.shape, dtype=np.int8)
    straight = np.hypot(*(places[:, 1:] - places[:, :-1]).transpose(2, 0, 1)).astype(np.float32)
    beta = np.float32(BETA + sigma)
    for step in range(1, steps):
        way = _way(roads, (links[:, step - 1], offsets[:, step - 1]), (links[:, step], offsets[:, step]), sigma)
        total = cost[:, :, None] + np.abs(way - straight[:, step - 1, None, None]) / beta
        best = total.argmin(axis=1)
        reached = np.take_along_axis(total, best[:, None], axis=1)[:, 0] + emissions[:, step]
        alive = (step < lengths)[:, None]
        cost = np.where(alive, reached, cost)
        back[:, step] = np.where(alive, best, np.arange(best.shape[1]))
    state = cost.argmin(axis=1)
    chosen = np.empty((traces, steps), dtype=np.int64)
    for step in range(steps - 1, -1, -1):
        chosen[:, step] = state
        state = back[np.arange(traces), step, state]
    rows = (np.arange(traces)[:, None], np.arange(steps)[None], chosen)
    return np.asarray(links[rows]), np.asarray(offsets[rows])


def match(roads: Roads, traces: Traces, sigma: float, count: int = CANDIDATES) -> tuple[Integers, Singles]:
    """Return the most likely link of each fix and how far along it the car was, [fix]."""
    counts = np.diff(traces.starts)
    links, offsets = np.empty(len(traces.times), dtype=np.int64), np.empty(len(traces.times), dtype=np.float32)
    order = np.argsort(counts, kind="stable")
    for begin in range(0, len(order), BATCH):
        batch = order[begin : begin + BATCH]
        steps = np.arange(counts[batch].max())
        fix = np.minimum(traces.starts[batch][:, None] + steps, traces.starts[batch + 1][:, None] - 1)
        found = _viterbi(roads, traces.places[fix], counts[batch], sigma, count)
        inside = steps < counts[batch][:, None]
        links[fix[inside]], offsets[fix[inside]] = found[0][inside], found[1][inside]
    return links, offsets
