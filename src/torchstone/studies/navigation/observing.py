"""What a provider knows: link speeds from matched traces, in bins of five minutes, missing where nobody passed.

A passage counts twice: in the bin in which the car left the link, which is when it becomes known, and in the bin in
which it entered, which is what a forecast for that bin should say. Features read the first, targets the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchstone.studies.navigation.city import Floats, Integers, Network
from torchstone.studies.navigation.driving import Traces, next_links
from torchstone.studies.navigation.matching import Roads, Singles

BIN = 300.0  # seconds
KMH = 3.6
CLOSE = 60.0  # metres from a junction at which a trace may begin or end and still cover its link whole


@dataclass(frozen=True)
class Passages:
    """Cars that went through a whole link: which trace, which link, seconds of entry and exit, [passage]."""

    traces: Integers
    links: Integers
    enters: Floats
    leaves: Floats


def _exits(
    network: Network, roads: Roads, traces: Traces, links: Integers, offsets: Singles
) -> tuple[Integers, Integers, Floats]:
    """Return (fix before it, link, seconds) of each end of a link that a matched trace passes, in their order."""
    last = np.zeros(len(links), dtype=bool)
    last[traces.starts[1:] - 1] = True
    changes = np.flatnonzero(~last[:-1] & (links[:-1] != links[1:]))
    a, b = links[changes], links[changes + 1]
    rest = network.lengths[a] - offsets[changes]
    total = rest + roads.distances[network.heads[a], network.tails[b]] + offsets[changes + 1]
    pace = (traces.times[changes + 1] - traces.times[changes]) / np.maximum(total, 1e-3)
    routes = next_links(network, network.lengths)
    found = [(changes, np.zeros(len(changes)), a, traces.times[changes] + rest * pace)]
    here, gone = network.heads[a], rest
    going = np.flatnonzero(here != network.tails[b])
    hop = 1.0
    while len(going):
        link = routes[network.tails[b[going]], here[going]]
        gone[going] += network.lengths[link]
        here[going] = network.heads[link]
        found.append(
            (changes[going], np.full(len(going), hop), link, traces.times[changes[going]] + gone[going] * pace[going])
        )
        going = going[here[going] != network.tails[b[going]]]
        hop += 1.0
    fix, hops, link, seconds = (np.concatenate([one[place] for one in found]) for place in range(4))
    order = np.lexsort((hops, fix))
    return fix[order], link[order], seconds[order]


def passages(network: Network, roads: Roads, traces: Traces, links: Integers, offsets: Singles) -> Passages:
    """Return the whole passages of links in matched traces; times between two fixes follow the distance."""
    fix, link, seconds = _exits(network, roads, traces, links, offsets)
    count = len(traces.starts) - 1
    trace_of = np.repeat(np.arange(count), np.diff(traces.starts))
    ends = traces.starts[1:] - 1
    begins = traces.starts[:-1]
    # A trace's last link is left on arrival, if that is at its end.
    trace = np.concatenate([trace_of[fix], np.arange(count)])
    link = np.concatenate([link, links[ends]])
    leaves = np.concatenate([seconds, traces.times[ends]])
    whole = np.concatenate([np.ones(len(fix), dtype=bool), network.lengths[links[ends]] - offsets[ends] < CLOSE])
    order = np.argsort(trace, kind="stable")
    trace, link, leaves, whole = trace[order], link[order], leaves[order], whole[order]
    is_first = np.concatenate([[True], trace[1:] != trace[:-1]])
    enters = np.where(is_first, traces.times[begins][trace], np.concatenate([[0.0], leaves[:-1]]))
    whole &= ~is_first | ((offsets[begins] < CLOSE)[trace] & (links[begins][trace] == link))
    whole &= leaves - enters > 0.5 * network.free[link]  # faster is an error of matching
    return Passages(trace[whole], link[whole], enters[whole], leaves[whole])


def speeds(network: Network, seen: Passages, times: Floats, bins: int) -> Floats:
    """Return km/h, [link, bin], the harmonic mean of those who passed at ``times``, NaN where nobody did."""
    places = (times // BIN).astype(int)
    inside = (places >= 0) & (places < bins)
    cell = seen.links[inside] * bins + places[inside]
    size = len(network.lengths) * bins
    count = np.bincount(cell, minlength=size).reshape(-1, bins)
    seconds = np.bincount(cell, weights=(seen.leaves - seen.enters)[inside], minlength=size).reshape(-1, bins)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = KMH * network.lengths[:, None] * count / seconds
    return np.asarray(np.minimum(np.where(count > 0, found, np.nan), KMH * network.speeds[:, None]))


def true_speeds(network: Network, seconds: Floats) -> Floats:
    """Return km/h of those who enter in each bin, [..., link, bin], from link times [..., link, minute]."""
    step = int(BIN // 60)
    binned = seconds.reshape(*seconds.shape[:-1], -1, step).mean(axis=-1)
    return np.asarray(KMH * network.lengths[:, None] / binned)


def share_of(seen: Passages, share: float, largest: float, count: int) -> Passages:
    """Keep the passages of a smaller share of cars: the first so many of the day's traces."""
    kept = seen.traces < round(share / largest * count)
    return Passages(seen.traces[kept], seen.links[kept], seen.enters[kept], seen.leaves[kept])
