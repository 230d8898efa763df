"""Laws of map matching: brute force on a tiny map, an independent library, and what a trace tells of link speeds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Match
from torchstone.studies.navigation import matching
from torchstone.studies.navigation.city import Network
from torchstone.studies.navigation.driving import Journeys, Traces, next_links, record, travel
from torchstone.studies.navigation.matching import BACKWARDS, BETA, Roads, match, nearest
from torchstone.studies.navigation.observing import BIN, passages, share_of, speeds, true_speeds
from torchstone.studies.navigation.town import journeys, town

SETTINGS = Match(block=100.0, size=8, journeys=12, radii=[10.0, 100.0], intervals=[10.0])


@pytest.fixture(scope="module")
def place() -> Network:
    return town(SETTINGS, 5, 0)


@pytest.fixture(scope="module")
def driven(place: Network) -> Journeys:
    return journeys(place, SETTINGS, 0.2, 5, 0)


def cost_of(roads: Roads, traces: Traces, sequence: tuple[int, ...], sigma: float) -> float:
    """Return the cost of one way to match a trace, worked out fix by fix."""
    total, before = 0.0, None
    for fix, link in enumerate(sequence):
        offset_vector = traces.places[fix] - roads.begins[link]
        offset = float(np.clip(offset_vector @ roads.along[link], 0, roads.lengths[link]))
        gap = float(np.hypot(*(offset_vector - offset * roads.along[link])))
        total += 0.5 * (gap / sigma) ** 2
        if before is not None:
            last, at = before
            straight = float(np.hypot(*(traces.places[fix] - traces.places[fix - 1])))
            if last == link and offset - at > -BACKWARDS * sigma:
                way = abs(offset - at)
            else:
                way = roads.lengths[last] - at + roads.distances[roads.heads[last], roads.tails[link]] + offset
            total += abs(way - straight) / (BETA + sigma)
        before = (link, offset)
    return total


def test_it_finds_the_best_of_all_ways_on_a_tiny_map() -> None:
    tiny = town(SETTINGS.model_copy(update={"size": 2}), 1, 0)
    roads = Roads.of(tiny)
    for trial in range(6):
        places = numpy_stream(trial, "fixes").uniform(-20.0, 120.0, (4, 2))
        traces = Traces(np.asarray([0, 4]), np.arange(4, dtype=np.float64) * 10.0, places, np.zeros(4, dtype=int))
        links, _ = match(roads, traces, 15.0)
        ways = itertools.product(range(len(tiny.tails)), repeat=4)
        best = min(cost_of(roads, traces, way, 15.0) for way in ways)
        assert cost_of(roads, traces, tuple(links.tolist()), 15.0) == pytest.approx(best, rel=1e-4)


def test_it_agrees_with_an_independent_library(place: Network, driven: Journeys, tmp_path: Path) -> None:
    fastmm: Any = pytest.importorskip("fastmm", reason="fastmm, a peer in the dev extra, is not installed")
    network = fastmm.Network()
    for link, (x0, y0, x1, y1) in enumerate(place.ends.tolist()):
        network.add_edge(link, int(place.tails[link]), int(place.heads[link]), [(x0, y0), (x1, y1)])
    network.finalize()
    matcher = fastmm.FastMapMatch(network, fastmm.TransitionMode.SHORTEST, 1500.0, cache_dir=str(tmp_path))
    traces = record(place, driven, 10.0, 5.0, 0.0, numpy_stream(1, "errors"))
    ours, _ = match(Roads.of(place), traces, 5.0)
    both = union = 0
    for begin, end in itertools.pairwise(traces.starts.tolist()):
        rows = zip(traces.places[begin:end].tolist(), traces.times[begin:end].tolist(), strict=True)
        trajectory = fastmm.Trajectory.from_xyt_tuples([(x, y, time) for (x, y), time in rows])
        parts = matcher.match(trajectory, 8, 60.0, 5.0).subtrajectories
        theirs = {edge.edge_id for part in parts for segment in part.segments for edge in segment.edges}
        both += len(theirs & set(ours[begin:end].tolist()))
        union += len(set(ours[begin:end].tolist()))
    assert both / union > 0.95


def test_it_beats_the_nearest_edge_and_small_errors_beat_large_ones(place: Network, driven: Journeys) -> None:
    roads, right = Roads.of(place), {}
    for sigma in (4.0, 40.0):
        traces = record(place, driven, 10.0, sigma, 0.0, numpy_stream(1, "errors"))
        links, _ = match(roads, traces, sigma, 16)
        right[sigma] = (links == traces.links).mean()
        assert right[sigma] > (nearest(roads, traces.places) == traces.links).mean()
    assert right[4.0] > right[40.0]


def test_a_trace_is_matched_alike_alone_and_among_others(
    place: Network, driven: Journeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = record(place, driven, 10.0, 10.0, 30.0, numpy_stream(1, "errors"))
    together = match(Roads.of(place), traces, 10.0)
    monkeypatch.setattr(matching, "BATCH", 3)
    for one, other in zip(together, match(Roads.of(place), traces, 10.0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_errors_have_the_size_and_the_memory_that_were_asked_for(place: Network, driven: Journeys) -> None:
    exact = record(place, driven, 1.0, 0.0, 0.0, numpy_stream(1, "errors"))
    traces = record(place, driven, 1.0, 20.0, 30.0, numpy_stream(1, "errors"))
    errors = (traces.places - exact.places)[:, 0]
    assert errors.std() == pytest.approx(20.0, rel=0.2)
    inner = np.setdiff1d(np.arange(len(errors) - 1), traces.starts[1:] - 1)
    assert np.corrcoef(errors[inner], errors[inner + 1])[0, 1] == pytest.approx(np.exp(-1 / 30), abs=0.03)


def test_exact_traces_give_the_link_times_that_were_driven(place: Network, driven: Journeys) -> None:
    traces = record(place, driven, 1.0, 1e-6, 0.0, numpy_stream(1, "errors"))
    roads = Roads.of(place)
    seen = passages(place, roads, traces, traces.links, matching_offsets(roads, traces))
    assert len(seen.links) > 0.9 * len(driven.links)
    real = {(int(trace), int(link)): leave - enter for trace, link, enter, leave in legs(driven)}
    for trace, link, enter, leave in zip(seen.traces, seen.links, seen.enters, seen.leaves, strict=True):
        assert leave - enter == pytest.approx(real[int(trace), int(link)], abs=1.1)


def legs(driven: Journeys) -> list[tuple[int, int, float, float]]:
    trace = np.repeat(np.arange(len(driven.starts) - 1), np.diff(driven.starts))
    return list(zip(trace.tolist(), driven.links.tolist(), driven.enters.tolist(), driven.leaves.tolist(), strict=True))


def matching_offsets(roads: Roads, traces: Traces) -> np.ndarray:
    gap = traces.places - roads.begins[traces.links]
    return np.asarray(np.clip((gap * roads.along[traces.links]).sum(axis=1), 0, roads.lengths[traces.links]))


def test_links_that_nobody_passed_stay_missing_and_a_smaller_share_sees_less(place: Network, driven: Journeys) -> None:
    traces = record(place, driven, 5.0, 3.0, 0.0, numpy_stream(1, "errors"))
    roads = Roads.of(place)
    seen = passages(place, roads, traces, *match(roads, traces, 3.0))
    whole = speeds(place, seen, seen.leaves, 3)
    passed = np.zeros(whole.shape, dtype=bool)
    inside = seen.leaves < 3 * BIN
    passed[seen.links[inside], (seen.leaves[inside] // BIN).astype(int)] = True
    np.testing.assert_array_equal(np.isnan(whole), ~passed)
    some = share_of(seen, 0.05, 0.2, len(traces.starts) - 1)
    assert set(some.traces.tolist()) <= {0, 1, 2}
    assert np.isnan(speeds(place, some, some.leaves, 3)).sum() > np.isnan(whole).sum()


def test_true_speeds_are_those_of_cars_that_enter(place: Network) -> None:
    table = np.repeat(place.free[:, None], 10, axis=1) * np.repeat([1.0, 2.0], 5)
    found = true_speeds(place, table)
    np.testing.assert_allclose(found[:, 0], 3.6 * place.speeds)
    np.testing.assert_allclose(found[:, 1], 1.8 * place.speeds)


def test_routes_lead_to_their_goal_by_the_fastest_way(place: Network) -> None:
    routes = next_links(place, place.free)
    goals = np.arange(len(place.places))
    table = np.repeat(place.free[:, None], 2, axis=1)
    trips = (np.zeros(len(goals) - 1, dtype=int), goals[1:], np.zeros(len(goals) - 1))
    driven = travel(place, table, routes[goals[1:]], trips)
    assert (place.heads[driven.links[driven.starts[1:] - 1]] == goals[1:]).all()
    assert (driven.enters[1:][np.diff(driven.starts).cumsum()[:-1] - 1] == 0).all()
