"""The small picture of a claim's interval against its margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from torchstone.report.readme import effect
from torchstone.report.wording import extent, region_text

WIDTH, HEIGHT = 170, 26


def strip(record: dict[str, Any]) -> Markup:
    """Draw a claim's interval as a small picture: the region that agrees with the claim is shaded."""
    if record["estimate"] is None:
        return Markup("")
    low, high, estimate = record["low"], record["high"], record["estimate"]
    region = [bound for bound in record["region"] if bound is not None]
    if record.get("estimator") == "every" and len(region) == 2:
        estimate = (low + high) / 2  # the record states the largest distance from 0, which has no place in between
    marks = [value for value in (low, high, *region) if value is not None]
    smallest, largest = min(marks), max(marks)
    if smallest == largest:
        largest = smallest + (abs(smallest) or 1.0)
    room = 0.12 * (largest - smallest)
    smallest, largest = smallest - room, largest + room

    def at(value: float | None, otherwise: float) -> float:
        place = ((otherwise if value is None else value) - smallest) / (largest - smallest)
        return round(float(WIDTH * place), 1)

    left, right = at(record["region"][0], smallest), at(record["region"][1], largest)
    ends = [at(low, smallest), at(high, largest)]
    middle = min(max(at(estimate, smallest), ends[0]), ends[1])
    bounds = "".join(f'<path class="bound" d="M{at(b, 0):g} 2V{HEIGHT - 2}"/>' for b in region)
    if smallest < 0 < largest and 0 not in region:
        bounds += f'<path class="zero" d="M{at(0, 0):g} 2V{HEIGHT - 2}"/>'
    label = f"{extent(record)} {effect(record)}; shaded: {region_text(record)}"
    return Markup(
        f'<svg class="strip" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect class="region" x="{left:g}" y="2" width="{max(right - left, 0.0):g}" height="{HEIGHT - 4}"/>{bounds}'
        f'<path class="whisker" d="M{ends[0]:g} 13H{ends[1]:g}"/>'
        f'<circle class="dot" cx="{middle:g}" cy="13" r="4"/></svg>'
    )


def example(low: float, high: float, region: Sequence[float | None] = (1.0, None)) -> Markup:
    """Draw what an interval may look like against a margin at 1, for the explanation of a verdict."""
    return strip({"estimate": (low + high) / 2, "low": low, "high": high, "region": region, "unit": ""})
