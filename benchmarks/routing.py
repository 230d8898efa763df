"""Microseconds of a routing query through link times that change, on a city of 1,024 junctions, and against a peer.

networkx answers a simpler question, the shortest path at constant cost; it is here as the size of the thing. Both are
pure Python. `python -m benchmarks.routing` prints one line an algorithm; with a name, such as chicago-sketch, it
takes a published network instead (data/tntp.py: academic research only), on which no straight line is known.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import networkx as nx
import numpy as np

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City
from torchstone.data import tntp
from torchstone.studies.navigation.city import Network, build
from torchstone.studies.navigation.routing import rush
from torchstone.studies.navigation.search import Landmarks, fastest, straight, streets

CITY = City(
    replicates=2, rows=32, columns=32, spacing=500.0, bridges=8, street_speed=14.0, ring_speed=22.0,
    street_capacity=600.0, ring_capacity=1320.0,
)  # fmt: skip
QUERIES, ROUNDS = 200, 5


def published(name: str) -> Network:
    """Return a published network; its junctions have no places that straight lines could be drawn between."""
    links = tntp.links(name)
    known, ends = np.unique(np.concatenate([links["init"], links["term"]]), return_inverse=True)
    tails, heads = ends.reshape(2, -1)
    free = np.maximum(60 * links["free"], 1.0)
    ones = np.ones(len(free))
    return Network(np.zeros((len(known), 2)), tails, heads, free, ones, ones, np.zeros(len(free), dtype=np.int64))


def main(names: list[str]) -> None:
    network = published(names[0]) if names else build(CITY, 1, 0)
    rows, out, marks = rush(network, 1, 0).tolist(), streets(network), Landmarks.of(network, 8)
    graph = nx.DiGraph()
    for tail, head, free in zip(network.tails.tolist(), network.heads.tolist(), network.free.tolist(), strict=True):
        graph.add_edge(tail, head, weight=free)
    generator = numpy_stream(1, "benchmark")
    pairs = [tuple(generator.choice(len(network.places), 2, replace=False).tolist()) for _ in range(QUERIES)]
    ways: dict[str, Callable[[int, int], object]] = {
        "Dijkstra, times that change": lambda a, b: fastest(out, rows, a, b, 600.0),
        "A*, straight line": lambda a, b: fastest(out, rows, a, b, 600.0, bound=straight(network, b)),
        "A*, landmarks": lambda a, b: fastest(out, rows, a, b, 600.0, bound=marks.bound(b)),
        "networkx, constant cost": lambda a, b: nx.dijkstra_path(graph, a, b),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):  # interleaved, since a machine's speed drifts
        for name, answer in ways.items():
            start = time.perf_counter()
            for source, goal in pairs:
                answer(source, goal)
            taken[name].append((time.perf_counter() - start) / QUERIES)
    print(f"{len(network.places)} junctions, {len(network.tails)} links, {QUERIES} queries, median of {ROUNDS} rounds")
    for name, seconds in taken.items():
        print(f"  {name:28s} {1e6 * statistics.median(seconds):7.0f} us a query")


if __name__ == "__main__":
    main(sys.argv[1:])
