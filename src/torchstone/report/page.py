"""reports/index.html: one self-contained file that a layperson can read and an expert can trust."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from torchstone.report import wording
from torchstone.report.advice import Advice
from torchstone.report.diagram import diagram
from torchstone.report.inline import inlined, share_styles
from torchstone.report.origins import VERDICT, Origins, files
from torchstone.report.pipeline import Pipeline
from torchstone.report.plan import Plan
from torchstone.report.readme import effect
from torchstone.report.sources import Source, citing
from torchstone.report.strips import example, strip
from torchstone.report.theme import declarations
from torchstone.stats.records import shown

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLES = {
    "supported": example(1.4, 2.6),
    "direction only": example(0.6, 1.5, (2.0, 2.8)),
    "refuted": example(-1.4, 0.4),
    "inconclusive": example(0.2, 1.9),
}


class Content(NamedTuple):
    """All that the page shows.

    ``figures`` maps a figure's name to its SVG, ``advice`` a study to its rows, and ``pictures`` a figure that has no
    table of numbers to the files that it shows.
    """

    plan: Plan
    records: Sequence[dict[str, Any]]
    figures: Mapping[str, str]
    advice: Mapping[str, Sequence[Advice]]
    pictures: Mapping[str, Sequence[str]]
    pipeline: Pipeline
    sources: Sequence[Source]


def page(content: Content) -> str:
    """Return the whole page as HTML."""
    claims = [record for record in content.records if not record["control"]]
    origins = Origins(content.pipeline, content.plan, content.records)
    titles = {name: study.title for name, study in content.plan.studies.items()}
    css, figures = _styled(content)
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return _environment().get_template("page.html").render(
        css=Markup(css),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        plan=content.plan,
        claims=ordered(claims),
        roots=roots(claims),
        controls=[record for record in content.records if record["control"]],
        counts=Counter((record["study"], record["verdict"]) for record in claims),
        totals=Counter(record["verdict"] for record in claims),
        families=Counter(record["family"] for record in content.records if record["p_adjusted"] is not None),
        corrected=corrections(claims),
        advice=content.advice,
        pictures=content.pictures,
        figures=figures,
        origins=origins,
        steps=content.pipeline.steps,
        readers=_readers(content.pipeline),
        picture=diagram(content.pipeline, origins.homes, titles),
        sources=citing(content.sources, content.records),
        judge=VERDICT,
        power=content.pipeline.value("judge.power"),
        examples=EXAMPLES,
        wording=wording,
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "strip": strip, "effect": effect, "extent": wording.extent, "region": wording.region_text,
        "p": wording.p_value, "shown": shown, "factor": wording.factor, "factors": wording.factors, "files": files,
        "sentence": wording.sentence,
    }  # fmt: skip
    return environment


def _styled(content: Content) -> tuple[str, dict[str, Markup]]:
    """Return the style sheet and the figures ready for the page, whose colours and styles it holds."""
    titles = {figure.name: figure.title for study in content.plan.studies.values() for figure in study.figures}
    drawn = {
        name: inlined(svg, f"f{place}", titles.get(name, name))
        for place, (name, svg) in enumerate(content.figures.items())
    }
    figures, classes = share_styles(drawn)
    light, dark = declarations([classes, *figures.values()])
    sheet = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    theme = f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}"
    return f"{sheet}{theme}\n{classes}", figures


def _readers(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the stages that read what a stage makes."""
    return {name: [other for other, read in pipeline.before.items() if name in read] for name in pipeline.steps}


def ordered(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put each correction right after the claim that it corrects."""
    names = {record["id"] for record in records}

    def after(record: dict[str, Any]) -> list[dict[str, Any]]:
        found = [other for other in records if other["corrects"] == record["id"]]
        return [record, *(later for correction in found for later in after(correction))]

    return [found for record in records if record["corrects"] not in names for found in after(record)]


def roots(records: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return for each claim the original that it, or what it corrects, goes back to; the two are shown together."""
    corrects = {record["id"]: record["corrects"] for record in records}

    def root(name: str) -> str:
        above = corrects[name]
        return root(above) if above in corrects else name

    return {name: root(name) for name in corrects}


def corrections(records: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the ids of the claims that correct a claim, by its id."""
    found: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record["corrects"]:
            found[record["corrects"]].append(record["id"])
    return dict(found)
