"""A picture of the pipeline: a lane for each study, stages from left to right in the order in which they can run.

Stages that no study owns and from which, or to which, everything leads are upright bars across all lanes. An arrow is
left out where a longer way leads to the same stage, so what the picture shows is who waits for whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from torchstone.report.pipeline import Pipeline

WIDTH, HEIGHT, ACROSS, DOWN = 94, 36, 119, 46  # of a stage, and from one to the next
TITLE, EDGE, BAR = 24, 8, 72  # height of a lane's name, room around, width of a bar
SHARED = "several studies"


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
    arrows: list[tuple[str, str]]
    bars: set[str]
    width: float
    height: float


def diagram(pipeline: Pipeline, homes: Mapping[str, set[str]], titles: Mapping[str, str]) -> Markup:
    """Return the picture as SVG; ``homes`` are the studies that use a stage's trials, ``titles`` name the studies."""
    laid = lay_out(pipeline.before, belongs(pipeline.before, homes))
    lanes = "".join(
        f'<rect class="lane" x="0" y="{top:g}" width="{laid.width:g}" height="{height:g}" rx="8"/>'
        f'<a href="#{name}"><text class="name" x="{_left(laid) + EDGE:g}" y="{top + 17:g}">{escape(titles[name])}</text></a>'
        if name in titles else
        f'<text class="name" x="{_left(laid) + EDGE:g}" y="{top + 17:g}">{name}</text>'
        for name, (top, height) in laid.lanes.items()
    )  # fmt: skip
    arrows = "".join(_arrow(laid, *arrow) for arrow in laid.arrows)
    stages = "".join(_stage(pipeline, laid, name) for name in laid.boxes)
    return Markup(
        f'<svg class="pipeline" viewBox="0 0 {laid.width:g} {laid.height:g}" width="{laid.width:g}" '
        f'height="{laid.height:g}" role="group" aria-label="The pipeline, stage by stage">'
        f'<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M0 0L6 3L0 6z"/></marker></defs>{lanes}{arrows}{stages}</svg>'
    )


def belongs(before: Mapping[str, set[str]], homes: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the studies of each stage: of those that use its trials or, if none does, of the stages that read it."""
    found: dict[str, set[str]] = {}
    for name in reversed(_in_order(before)):
        readers = [other for other, read in before.items() if name in read]
        own = set(homes.get(name, ()))
        found[name] = own or {home for reader in readers for home in found[reader]}
    return found


def lay_out(before: Mapping[str, set[str]], studies: Mapping[str, set[str]]) -> Layout:
    """Give each stage its place."""
    arrows = needed(before)
    lone = [name for name in before if len(studies[name]) != 1]
    first = [name for name in lone if before[name] <= set(lone) and studies[name]]
    last = [name for name in lone if not studies[name]]
    middle = [name for name in before if name not in {*first, *last}]
    lane_of = {name: next(iter(studies[name])) if len(studies[name]) == 1 else SHARED for name in middle}
    rank = {name: 0 for name in before}
    for name in _in_order(before):
        if name in middle:
            rank[name] = max((rank[other] + 1 for other in before[name] if other in middle), default=0)
    left = len(first) * (BAR + ACROSS - WIDTH)
    boxes: dict[str, Box] = {}
    lanes: dict[str, tuple[float, float]] = {}
    top = 0.0
    for lane in dict.fromkeys(lane_of.values()):
        inside = [name for name in middle if lane_of[name] == lane]
        rows = _rows(inside, rank, arrows, {*first}, {*last})
        for name in inside:
            y = top + TITLE + rows[name] * DOWN
            boxes[name] = Box(left + EDGE + rank[name] * ACROSS, y, WIDTH, HEIGHT)
        height = TITLE + (max(rows.values()) + 1) * DOWN
        lanes[lane] = (top, height - 4)
        top += height + 4
    right = left + EDGE + (max(rank.values()) + 1) * ACROSS
    for place, name in enumerate(first):
        boxes[name] = Box(place * (BAR + ACROSS - WIDTH) + EDGE, EDGE, BAR, top - 2 * EDGE - 4)
    for place, name in enumerate(last):
        boxes[name] = Box(right + place * (BAR + ACROSS - WIDTH), EDGE, BAR, top - 2 * EDGE - 4)
    width = right + len(last) * (BAR + ACROSS - WIDTH) - (ACROSS - WIDTH) + EDGE
    return Layout({name: boxes[name] for name in before}, lanes, arrows, {*first, *last}, width, top)


def needed(before: Mapping[str, set[str]]) -> list[tuple[str, str]]:
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


def _in_order(before: Mapping[str, set[str]]) -> list[str]:
    """Return the stages so that each comes after all that it reads from, else in the order given."""
    order: list[str] = []
    while len(order) < len(before):
        order.append(next(name for name in before if name not in order and before[name] <= set(order)))
    return order


def _rows(
    inside: list[str], rank: Mapping[str, int], arrows: list[tuple[str, str]], first: set[str], last: set[str]
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


def _left(laid: Layout) -> float:
    """Return where the lanes begin, right of the bars in front of them."""
    return min((box.x for name, box in laid.boxes.items() if name not in laid.bars), default=0) - EDGE


def _arrow(laid: Layout, source: str, target: str) -> str:
    """Draw an arrow; to and from a bar it is level."""
    a, b = laid.boxes[source], laid.boxes[target]
    start, end = a.y + a.height / 2, b.y + b.height / 2
    if source in laid.bars and target not in laid.bars:
        start = end
    elif target in laid.bars and source not in laid.bars:
        end = start
    x, to = a.x + a.width, b.x - 1
    bend = (to - x) / 2
    return f'<path class="arrow" d="M{x:g} {start:g}C{x + bend:g} {start:g} {to - bend:g} {end:g} {to:g} {end:g}" marker-end="url(#tip)"/>'


def _stage(pipeline: Pipeline, laid: Layout, name: str) -> str:
    """Draw a stage, which leads to its entry in the list."""
    step, box = pipeline.steps[name], laid.boxes[name]
    runs = f"{len(step.runs)} runs" if step.rows is not None and len(step.runs) > 1 else ""
    if name in pipeline.loops:
        runs += " in turn"
    x, y = box.x + box.width / 2, box.y + box.height / 2
    label = f'<text x="{x:g}" y="{y + (-2 if runs else 4):g}">{name}</text>'
    label += f'<text class="runs" x="{x:g}" y="{y + 12:g}">{runs}</text>' if runs else ""
    return (
        f'<a class="stage" href="#stage-{name}"><title>{escape(step.question.replace("${key}", "KEY"))}</title>'
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="6"/>{label}</a>'
    )
