"""The fastest way through link times that change: Dijkstra's algorithm and A*, in time.

Link times are tables, linear between knots; since nobody overtakes (see ``simulate.no_overtaking``), who arrives
earlier at a junction arrives earlier everywhere, so each junction needs to be settled once. A* adds a lower bound of
what is still to go: from landmarks (Goldberg & Harrelson 2005) or from the straight line.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from torchstone.studies.navigation.city import Floats, Integers, Network

Rows = list[list[float]]
FAR = float("inf")


@dataclass(frozen=True)
class Found:
    """An answer: arrival in seconds after the table's first knot, the links, and how many junctions were settled."""

    arrival: float
    links: list[int]
    settled: int


def streets(network: Network) -> list[list[tuple[int, int]]]:
    """Return (link, head) of the links that leave each junction."""
    out: list[list[tuple[int, int]]] = [[] for _ in network.places]
    for link, (tail, head) in enumerate(zip(network.tails.tolist(), network.heads.tolist(), strict=True)):
        out[tail].append((link, head))
    return out


def fastest(
    out: Sequence[Sequence[tuple[int, int]]],
    rows: Rows,
    source: int,
    goal: int,
    start: float,
    *,
    step: float = 60.0,
    bound: Sequence[float] | None = None,
) -> Found:
    """Return the earliest arrival at ``goal``, leaving ``source`` at ``start``; rows are link times at knots.

    ``bound`` is a lower bound of the seconds from each junction to the goal, consistent with the fastest link times.
    """
    last = len(rows[0]) - 1
    best = [FAR] * len(out)
    by = [-1] * len(out)
    before = [-1] * len(out)
    done = [False] * len(out)
    best[source] = start
    heap = [(start + (bound[source] if bound else 0.0), source)]
    settled = 0
    while heap:
        _, here = heapq.heappop(heap)
        if done[here]:
            continue
        done[here] = True
        settled += 1
        if here == goal:
            break
        now = best[here]
        knot = now / step
        low = int(knot) if knot < last else last
        share = knot - low if low < last else 0.0
        for link, head in out[here]:
            if done[head]:
                continue
            row = rows[link]
            arrival = now + (row[low] if share == 0.0 else row[low] + share * (row[low + 1] - row[low]))
            if arrival < best[head]:
                best[head], by[head], before[head] = arrival, link, here
                heapq.heappush(heap, (arrival + (bound[head] if bound else 0.0), head))
    links = []
    at = goal
    while at != source and by[at] >= 0:
        links.append(by[at])
        at = before[at]
    return Found(best[goal], links[::-1], settled)


@dataclass(frozen=True)
class Landmarks:
    """Free-flow seconds from and to a few junctions far from each other, [landmark, junction]."""

    since: Floats
    until: Floats

    @classmethod
    def of(cls, network: Network, count: int) -> Landmarks:
        """Choose each landmark farthest from those before it."""
        size = len(network.places)
        graph = csr_array((network.free, (network.tails, network.heads)), shape=(size, size))
        chosen = [int(dijkstra(graph, indices=[0]).argmax())]
        while len(chosen) < min(count, size):
            chosen.append(int(dijkstra(graph, indices=chosen).min(axis=0).argmax()))
        return cls(dijkstra(graph, indices=chosen), dijkstra(graph.T.tocsr(), indices=chosen))

    def bound(self, goal: int) -> list[float]:
        """Return the lower bound of the seconds from each junction to a goal, by the triangle inequality."""
        ahead = (self.since[:, goal, None] - self.since).max(axis=0)
        behind = (self.until - self.until[:, goal, None]).max(axis=0)
        bound: list[float] = (np.maximum(np.maximum(ahead, behind), 0.0) * (1 - 1e-9)).tolist()
        return bound


def straight(network: Network, goal: int) -> list[float]:
    """Return the seconds of the straight line to a goal at the highest free speed."""
    metres = np.hypot(*(network.places - network.places[goal]).T)
    bound: list[float] = (metres / network.speeds.max() * (1 - 1e-9)).tolist()
    return bound


def whole_seconds(network: Network, seconds: Floats, start: float, length: int) -> Integers:
    """Return link times in whole seconds, rounded so that arrivals stay in order, at each second, [link, second]."""
    times = start + np.arange(length)
    knots = np.arange(seconds.shape[1]) * 60.0
    exact = np.stack([np.interp(times, knots, row) for row in seconds])
    return np.asarray(np.ceil(exact + np.arange(length) - 1e-9).astype(np.int64) - np.arange(length))


def time_expanded(network: Network, table: Integers, source: int, goal: int) -> int:
    """Return the earliest arrival by visiting every (junction, second) that can be reached, waiting allowed."""
    length = int(table.shape[1])
    reached = np.zeros((length + 1, len(network.places)), dtype=bool)
    reached[0, source] = True
    for second in range(length):
        if reached[second, goal]:
            return second
        links = np.flatnonzero(reached[second, network.tails])
        arrivals = second + table[links, second]
        inside = arrivals <= length
        reached[arrivals[inside], network.heads[links[inside]]] = True
        reached[second + 1] |= reached[second]
    return length
