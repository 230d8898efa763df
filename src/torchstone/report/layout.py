"""Where the stages of the pipeline lie in its picture: a lane for each study, from left to right as they can run.

Stages that no single study owns and from which, or to which, everything leads are upright bars across all lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, ACROSS, DOWN = 92, 36, 115, 46  # of a stage, and from one to the next
TITLE, EDGE, BAR = 24, 8, 60  # height of a lane's name, room around, width of a bar
NEXT = BAR + ACROSS - WIDTH  # from one bar to the next
SHARED = "several studies"
Before = Mapping[str, set[str]]  # which stages each stage reads from
Arrow = tuple[str, str]


@dataclass(frozen=True)
class Box:
    """Where a stage lies."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Where all stages and lanes lie, and which arrows are drawn."""

    boxes: dict[str, Box]
    lanes: dict[str, tuple[float, float]]  # top and height
    arrows: list[Arrow]
    bars: set[str]
    left: float  # of the stages that are no bars
    width: float
    height: float


def belongs(before: Before, homes: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the studies of each stage: of those that use its trials or, if none does, of the stages that read it."""
    found: dict[str, set[str]] = {}
    for name in reversed(_in_order(before)):
        readers = [other for other, read in before.items() if name in read]
        own = set(homes.get(name, ()))
        found[name] = own or {home for reader in readers for home in found[reader]}
    return found


def lay_out(before: Before, studies: Mapping[str, set[str]]) -> Layout:
    """Give each stage its place."""
    arrows = needed(before)
    lone = {name for name in before if len(studies[name]) != 1}
    first = [name for name in before if name in lone and studies[name] and before[name] <= lone]
    last = [name for name in before if not studies[name]]
    middle = [name for name in before if name not in {*first, *last}]
    lane_of = {name: next(iter(studies[name])) if name not in lone else SHARED for name in middle}
    rank = _ranks(before, middle)
    left = len(first) * NEXT + EDGE
    boxes: dict[str, Box] = {}
    lanes: dict[str, tuple[float, float]] = {}
    top = 0.0
    for lane in dict.fromkeys(lane_of.values()):
        inside = [name for name in middle if lane_of[name] == lane]
        rows = _rows(inside, rank, arrows, {*first}, {*last})
        for name in inside:
            boxes[name] = Box(left + rank[name] * ACROSS, top + TITLE + rows[name] * DOWN, WIDTH, HEIGHT)
        height = TITLE + (max(rows.values()) + 1) * DOWN
        lanes[lane] = (top, height - 4)
        top += height + 4
    right = left + (max(rank.values(), default=0) + 1) * ACROSS
    for start, bars in ((EDGE, first), (right, last)):
        boxes |= {name: Box(start + place * NEXT, EDGE, BAR, top - 2 * EDGE - 4) for place, name in enumerate(bars)}
    width = right + len(last) * NEXT - (ACROSS - WIDTH) + EDGE
    return Layout({name: boxes[name] for name in before}, lanes, arrows, {*first, *last}, left, width, top)


def needed(before: Before) -> list[Arrow]:
    """Return the arrows that no longer way makes superfluous."""
    behind: dict[str, set[str]] = {}
    for name in _in_order(before):
        behind[name] = before[name].union(*(behind[other] for other in before[name]))
    return [
        (other, name)
        for name in before
        for other in before
        if other in before[name] and not any(other in behind[between] for between in before[name])
    ]


def _in_order(before: Before) -> list[str]:
    """Return the stages so that each comes after all that it reads from, else in the order given."""
    order: list[str] = []
    while len(order) < len(before):
        order.append(next(name for name in before if name not in order and before[name] <= set(order)))
    return order


def _ranks(before: Before, middle: Sequence[str]) -> dict[str, int]:
    """Return how many of these stages must run one after the other before each of them."""
    rank: dict[str, int] = {}
    for name in _in_order(before):
        if name in middle:
            rank[name] = max((rank[other] + 1 for other in before[name] if other in rank), default=0)
    return rank


def _rows(
    inside: Sequence[str], rank: Mapping[str, int], arrows: Sequence[Arrow], first: set[str], last: set[str]
) -> dict[str, int]:
    """Give the stages of a lane rows, so that none lies on another's arrow to or from a bar; chains stay straight."""
    rows: dict[str, int] = {}
    taken: set[tuple[int, int]] = set()
    furthest = max(rank[name] for name in inside)
    alone = {name for name in inside if not any(name in arrow and {*arrow} <= {*inside} for arrow in arrows)}
    for name in sorted(inside, key=lambda one: (one in alone, rank[one])):
        sources = [a for a, b in arrows if b == name]
        begins = 0 if first & set(sources) else rank[name]
        ends = furthest if any(a == name and b in last for a, b in arrows) else rank[name]
        row = next((rows[source] for source in sources if source in rows), 0)
        while any((place, row) in taken for place in range(begins, ends + 1)):
            row += 1
        rows[name] = row
        taken |= {(place, row) for place in range(begins, ends + 1)}
    return rows
