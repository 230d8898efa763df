"""reports/index.html: one self-contained file that a layperson can read and an expert can trust."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from torchstone.report.advice import Advice
from torchstone.report.plan import Plan
from torchstone.report.readme import effect
from torchstone.stats.records import shown

HERE = Path(__file__).parent
WIDTH, HEIGHT = 170, 26
SCALE = 1.3  # CSS pixels for a point of a figure
MEANING = {
    "supported": "the whole interval lies on the claimed side of the margin",
    "direction only": "the effect is there, its published size is not confirmed",
    "refuted": "the whole interval lies on the other side of the margin",
    "inconclusive": "the interval reaches across the margin, or its family of tests does not let it decide",
    "not run": "these params do not run it",
}
KINDS = {
    "direction": "Is the effect above the margin?",
    "magnitude": "Is the effect as large as published?",
    "equivalence": "Is the effect within the margin of nothing?",
    "trend": "Is the slope per doubling above the margin?",
    "exact": "Is the value within its bounds?",
}


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
    bounds = "".join(f'<line class="bound" x1="{at(b, 0)}" x2="{at(b, 0)}" y1="2" y2="{HEIGHT - 2}"/>' for b in region)
    if smallest < 0 < largest and 0 not in region:
        bounds += f'<line class="zero" x1="{at(0, 0)}" x2="{at(0, 0)}" y1="2" y2="{HEIGHT - 2}"/>'
    label = f"{extent(record)} {effect(record)}; shaded: {region_text(record)}"
    return Markup(
        f'<svg class="strip" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}"><rect class="region" x="{left}" y="2" width="{max(right - left, 0.0):.1f}" '
        f'height="{HEIGHT - 4}"/>{bounds}<line class="whisker" x1="{ends[0]}" x2="{ends[1]}" y1="13" y2="13"/>'
        f'<circle class="dot" cx="{middle}" cy="13" r="4"/></svg>'
    )


def extent(record: dict[str, Any]) -> str:
    """Say what the brackets of a claim's effect hold."""
    return "range over replicates" if record.get("estimator") == "every" else "95 % interval"


def inlined(svg: str, name: str, title: str) -> Markup:
    """Return an SVG for use inside the page: no XML head, ids made the figure's own, named for screen readers.

    It may grow with the page up to a width that keeps the letters of all figures about equally large.
    """
    body = svg[svg.index("<svg") :]
    identifiers = set(re.findall(r'id="([^"]+)"', body))
    body = re.sub(
        r'(id="|href="#|url\(#)([^")]+)',
        lambda found: f"{found[1]}{name}-{found[2]}" if found[2] in identifiers else found[0],
        body,
    )
    root, rest = body.split(">", 1)
    view = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', root)
    most = f"{float(view[1]) * SCALE:.0f}px" if view else "none"
    root = re.sub(r' (?:width|height)="[^"]*"', "", root)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    return Markup(f'{root} role="img" aria-label="{escape(title)}" style="max-width: {most}">{rest}')


def region_text(record: dict[str, Any]) -> str:
    """Say which effects agree with the claim."""
    low, high = record["region"]
    unit = record["unit"]
    if low is None:
        return f"at most {shown(high, unit)}"
    return f"above {shown(low, unit)}" if high is None else f"from {shown(low, unit)} to {shown(high, unit)}"


def factor(value: float | None, unit: str) -> str:
    """Say decades as the factor that they are; empty for any other unit."""
    if value is None or unit != "decades":
        return ""
    return f"a factor of {_three_digits(10**value)}"


def factors(record: dict[str, Any]) -> str:
    """Say an effect in decades, and its interval, as factors; empty for any other unit."""
    found = factor(record["estimate"], record["unit"])
    if not found or record["low"] is None or record["high"] is None:
        return found
    low, high = (_three_digits(10 ** record[end]) for end in ("low", "high"))
    each = " per doubling" if record["kind"] == "trend" else ""
    return f"{found}{each} ({extent(record)}: {low} to {high})"


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.12g}"


def _ordered(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put each correction right after the claim that it corrects."""
    names = {record["id"] for record in records}

    def after(record: dict[str, Any]) -> list[dict[str, Any]]:
        corrections = [other for other in records if other["corrects"] == record["id"]]
        return [record, *(later for correction in corrections for later in after(correction))]

    return [found for record in records if record["corrects"] not in names for found in after(record)]


def made_by(record: dict[str, Any]) -> str:
    """Return the stages that made a claim's trials, as dvc names them; a pattern means the whole group."""
    names = []
    for part in record["trials"].split(" + "):
        stage, key = part.split("/")
        names.append(stage if "*" in key or key == "all" else f"{stage}@{key}")
    return " ".join(dict.fromkeys(names))


def made_from(record: dict[str, Any]) -> str:
    """Return the trials tables that a claim's verdict was made from."""
    return ", ".join(f"data/{part}/trials.csv" for part in record["trials"].split(" + "))


def sections(record: dict[str, Any]) -> str:
    """Return the sections of params.yaml that a claim's trials depend on."""
    return ", ".join(dict.fromkeys([*(part.split("/")[0] for part in record["trials"].split(" + ")), "prepare"]))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if math.isfinite(value) else "-"


def _corrections(records: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the ids of the claims that correct a claim, by its id."""
    found: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record["corrects"]:
            found[record["corrects"]].append(record["id"])
    return dict(found)


def page(
    plan: Plan,
    records: list[dict[str, Any]],
    figures: dict[str, str],
    advice: Mapping[str, Sequence[Advice]],
    pictures: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return the whole page as HTML.

    ``figures`` maps a figure's name to its SVG, ``advice`` a study to its rows, and ``pictures`` a figure that has no
    table of numbers to the files that it shows.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "strip": strip, "effect": effect, "extent": extent, "region": region_text, "p": _number, "shown": shown,
        "made_by": made_by, "made_from": made_from, "sections": sections, "factor": factor, "factors": factors,
    }  # fmt: skip
    claims = [record for record in records if not record["control"]]
    titles = {figure.name: figure.title for study in plan.studies.values() for figure in study.figures}
    return environment.get_template("page.html").render(
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        plan=plan,
        claims=_ordered(claims),
        controls=[record for record in records if record["control"]],
        counts=Counter(record["verdict"] for record in claims),
        meaning=MEANING,
        kinds=KINDS,
        corrected=_corrections(claims),
        advice=advice,
        pictures=pictures or {},
        figures={name: inlined(svg, name, titles.get(name, name)) for name, svg in figures.items()},
    )
