"""A city of our own, drawn afresh for each replicate: a grid, a ring road around it, a river with few bridges.

Positions, the places of the bridges and the capacities vary from city to city; the number of links does not, so that
cities stack along a leading replicate axis.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.core.files import Arrays
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import City

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
STREET, RING, BRIDGE = 0, 1, 2
SPREAD = 0.12  # sd of a street's capacity, as a share of it


@dataclass(frozen=True)
class Network:
    """Directed links between junctions: places in metres, free speeds in m/s, capacities in cars a second."""

    places: Floats  # [junction, 2]
    tails: Integers  # [link]
    heads: Integers  # [link]
    lengths: Floats  # [link]
    speeds: Floats  # [link]
    capacities: Floats  # [link]
    kinds: Integers  # [link]

    @property
    def free(self) -> Floats:
        """Free-flow seconds of each link."""
        return self.lengths / self.speeds

    @property
    def ends(self) -> Floats:
        """Where each link begins and ends, [link, 4] as x, y, x, y."""
        return np.hstack([self.places[self.tails], self.places[self.heads]])

    def opposite(self) -> Integers:
        """Return the link that runs the other way, or the link itself if there is none."""
        known = {(t, h): link for link, (t, h) in enumerate(zip(self.tails.tolist(), self.heads.tolist(), strict=True))}
        both = zip(self.tails.tolist(), self.heads.tolist(), strict=True)
        return np.asarray([known.get((h, t), link) for link, (t, h) in enumerate(both)])


def _streets(settings: City, bridges: set[int]) -> list[tuple[int, int, int]]:
    """Return (junction, junction, kind) of each road, once for both directions."""
    rows, columns = settings.rows, settings.columns
    roads = []
    for row in range(rows):
        for column in range(columns):
            here = row * columns + column
            if column + 1 < columns:
                roads.append((here, here + 1, RING if row in {0, rows - 1} else STREET))
            if row + 1 < rows:
                on_ring = column in {0, columns - 1}
                over_river = row == rows // 2 - 1
                if over_river and not on_ring and column not in bridges:
                    continue
                roads.append((here, here + columns, RING if on_ring else BRIDGE if over_river else STREET))
    return roads


def build(settings: City, seed: int, *names: str | int) -> Network:
    """Draw one city from its own stream."""
    generator = numpy_stream(seed, "city", *names)
    rows, columns = settings.rows, settings.columns
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows), indexing="xy"), axis=-1).reshape(-1, 2)
    places = np.round((grid + generator.uniform(-0.15, 0.15, grid.shape)) * settings.spacing, 1)
    bridges = set(generator.choice(np.arange(1, columns - 1), settings.bridges, replace=False).tolist())
    roads = np.asarray(_streets(settings, bridges))
    tails, heads = (np.concatenate([roads[:, a], roads[:, b]]) for a, b in ((0, 1), (1, 0)))
    kinds = np.tile(roads[:, 2], 2)
    lengths = np.hypot(*(places[tails] - places[heads]).T)
    speeds = np.where(kinds == RING, settings.ring_speed, settings.street_speed)
    spread = np.clip(generator.normal(1.0, SPREAD, len(kinds)), 0.7, 1.3)
    capacities = np.where(kinds == RING, settings.ring_capacity, settings.street_capacity) * spread / 3600
    return Network(places, tails, heads, lengths, speeds, capacities, kinds)


def stacked(networks: list[Network]) -> Arrays:
    """Put cities of equal size together, each array with a leading replicate axis."""
    return {field.name: np.stack([getattr(one, field.name) for one in networks]) for field in fields(Network)}


def unstacked(arrays: Arrays, replicate: int) -> Network:
    """Take one city out of what ``stacked`` put together."""
    values: dict[str, Any] = {field.name: arrays[field.name][replicate] for field in fields(Network)}
    return Network(**values)
