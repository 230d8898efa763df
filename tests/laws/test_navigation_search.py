"""Laws of the search: time-dependent Dijkstra against networkx and the time-expanded graph, A* against Dijkstra."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City
from torchstone.studies.navigation.city import STREET, Network, build
from torchstone.studies.navigation.routing import rush
from torchstone.studies.navigation.search import (
    Landmarks,
    fastest,
    straight,
    streets,
    time_expanded,
    whole_seconds,
)
from torchstone.studies.navigation.simulate import no_overtaking, overtakings

CITY = City(
    replicates=2, rows=5, columns=6, spacing=500.0, bridges=2, street_speed=14.0, ring_speed=22.0,
    street_capacity=600.0, ring_capacity=1300.0,
)  # fmt: skip


def pairs(network: Network, count: int) -> list[tuple[int, int]]:
    generator = numpy_stream(3, "pairs")
    return [tuple(generator.choice(len(network.places), 2, replace=False).tolist()) for _ in range(count)]


def test_every_junction_of_a_city_can_be_reached_and_cities_of_one_size_stack() -> None:
    cities = [build(CITY, 1, replicate) for replicate in range(3)]
    for network in cities:
        graph = nx.DiGraph(list(zip(network.tails.tolist(), network.heads.tolist(), strict=True)))
        assert nx.is_strongly_connected(graph)
        assert len(network.tails) == len(cities[0].tails)
        opposite = network.opposite()
        assert (network.tails[opposite] == network.heads).all()
    assert (cities[0].places != cities[1].places).any()
    crossings = (cities[0].kinds == 2).sum()
    assert crossings == 2 * CITY.bridges
    assert (cities[0].kinds == STREET).sum() > crossings


def test_at_constant_cost_it_finds_what_networkx_finds() -> None:
    network = build(CITY, 1, 0)
    rows = np.repeat(network.free[:, None], 3, axis=1).tolist()
    graph = nx.DiGraph()
    for tail, head, free in zip(network.tails.tolist(), network.heads.tolist(), network.free.tolist(), strict=True):
        graph.add_edge(tail, head, weight=free)
    for source, goal in pairs(network, 25):
        found = fastest(streets(network), rows, source, goal, 0.0)
        assert found.arrival == pytest.approx(nx.dijkstra_path_length(graph, source, goal))
        assert sum(network.free[found.links]) == pytest.approx(found.arrival)


def test_the_way_is_connected_and_takes_as_long_as_it_says() -> None:
    network = build(CITY, 1, 0)
    table = rush(network, 1, 0)
    for source, goal in pairs(network, 10):
        found = fastest(streets(network), table.tolist(), source, goal, 600.0)
        now, here = 600.0, source
        for link in found.links:
            assert network.tails[link] == here
            now += float(np.interp(now, np.arange(table.shape[1]) * 60.0, table[link]))
            here = int(network.heads[link])
        assert here == goal
        assert now == pytest.approx(found.arrival)


@pytest.mark.parametrize("seed", range(4))
def test_once_nobody_overtakes_it_finds_what_the_time_expanded_graph_finds(seed: int) -> None:
    network = build(CITY.model_copy(update={"rows": 4, "columns": 4, "bridges": 1}), seed, 0)
    wild = network.free[:, None] * numpy_stream(seed, "wild").uniform(1.0, 12.0, (len(network.free), 40))
    assert overtakings(wild) > 0
    table = whole_seconds(network, no_overtaking(wild), 0.0, 1500)
    assert (np.diff(table + np.arange(1500), axis=1) >= 0).all()
    for source, goal in pairs(network, 4):
        found = fastest(streets(network), table.astype(float).tolist(), source, goal, 0.0, step=1.0)
        assert found.arrival == time_expanded(network, table, source, goal)


def test_before_the_repair_waiting_may_beat_it() -> None:
    """A link that is shut for a minute: who waits before it overtakes who enters, which Dijkstra cannot see."""
    places = np.asarray([[0.0, 0.0], [100.0, 0.0], [200.0, 0.0]])
    ones = np.ones(2)
    network = Network(
        places, np.asarray([0, 1]), np.asarray([1, 2]), 100 * ones, 10 * ones, ones, np.zeros(2, dtype=int)
    )
    table = np.stack([np.full(300, 10), np.where(np.arange(300) < 60, 200, 10)])
    found = fastest(streets(network), table.astype(float).tolist(), 0, 2, 0.0, step=1.0)
    assert found.arrival == 210
    assert time_expanded(network, table, 0, 2) == 70


def test_the_repair_leaves_no_overtaking_and_moves_no_arrival_forward() -> None:
    wild = numpy_stream(1, "wild").uniform(10.0, 500.0, (50, 60))
    repaired = no_overtaking(wild)
    assert overtakings(wild) > 0
    assert overtakings(repaired) == 0
    assert (repaired >= wild - 1e-9).all()
    np.testing.assert_allclose(no_overtaking(repaired), repaired)


@pytest.mark.parametrize("kind", ["landmarks", "straight line"])
def test_a_star_finds_the_same_cost_and_settles_no_more(kind: str) -> None:
    network = build(CITY.model_copy(update={"rows": 12, "columns": 12}), 2, 0)
    rows, out, marks = rush(network, 2, 0).tolist(), streets(network), Landmarks.of(network, 4)
    fewer = 0
    for source, goal in pairs(network, 20):
        bound = marks.bound(goal) if kind == "landmarks" else straight(network, goal)
        plain, guided = (fastest(out, rows, source, goal, 300.0, bound=one) for one in (None, bound))
        assert guided.arrival == pytest.approx(plain.arrival, abs=1e-9)
        assert guided.settled <= plain.settled
        fewer += guided.settled < plain.settled
    assert fewer > 15


def test_the_landmark_bound_never_says_too_much_and_is_consistent() -> None:
    network = build(CITY, 1, 0)
    graph = nx.DiGraph()
    for tail, head, free in zip(network.tails.tolist(), network.heads.tolist(), network.free.tolist(), strict=True):
        graph.add_edge(tail, head, weight=free)
    bound = Landmarks.of(network, 3).bound(7)
    exact = nx.single_source_dijkstra_path_length(graph.reverse(), 7)
    assert all(bound[node] <= exact[node] + 1e-6 for node in graph)
    for tail, head, free in zip(network.tails.tolist(), network.heads.tolist(), network.free.tolist(), strict=True):
        assert bound[tail] <= free + bound[head] + 1e-6
