"""A picture of the pipeline, each stage and study leading to its place on the page.

An arrow is left out where a longer way leads to the same stage, so what the picture shows is who waits for whom.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

from torchstone.report.layout import Layout, belongs, lay_out
from torchstone.report.pipeline import Pipeline

TIP = (
    '<defs><marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto">'
    '<path d="M0 0L6 3L0 6z"/></marker></defs>'
)


def diagram(pipeline: Pipeline, homes: Mapping[str, set[str]], titles: Mapping[str, str]) -> Markup:
    """Return the picture as SVG; ``homes`` are the studies that use a stage's trials, ``titles`` name the studies."""
    laid = lay_out(pipeline.before, belongs(pipeline.before, homes))
    lanes = "".join(_lane(laid, name, titles) for name in laid.lanes)
    arrows = "".join(_arrow(laid, *arrow) for arrow in laid.arrows)
    stages = "".join(_stage(pipeline, laid, name) for name in laid.boxes)
    return Markup(
        f'<svg class="pipeline" viewBox="0 0 {laid.width:g} {laid.height:g}" width="{laid.width:g}" '
        f'height="{laid.height:g}" role="group" aria-label="The pipeline, stage by stage">'
        f"{TIP}{lanes}{arrows}{stages}</svg>"
    )


def _lane(laid: Layout, name: str, titles: Mapping[str, str]) -> str:
    """Draw what lies behind the stages of a study, with its name, which leads to its section."""
    top, height = laid.lanes[name]
    text = f'<text class="name" x="{laid.left:g}" y="{top + 17:g}">{escape(titles.get(name, name))}</text>'
    linked = f'<a href="#{name}">{text}</a>' if name in titles else text
    return f'<rect class="lane" x="0" y="{top:g}" width="{laid.width:g}" height="{height:g}" rx="8"/>{linked}'


def _arrow(laid: Layout, source: str, target: str) -> str:
    """Draw an arrow; to and from a bar it is level."""
    a, b = laid.boxes[source], laid.boxes[target]
    start, end = a.y + a.height / 2, b.y + b.height / 2
    if source in laid.bars and target not in laid.bars:
        start = end
    elif target in laid.bars and source not in laid.bars:
        end = start
    x, to = a.x + a.width, b.x - 1
    middle = (x + to) / 2
    course = f"M{x:g} {start:g}C{middle:g} {start:g} {middle:g} {end:g} {to:g} {end:g}"
    return f'<path class="arrow" d="{course}" marker-end="url(#tip)"/>'


def _stage(pipeline: Pipeline, laid: Layout, name: str) -> str:
    """Draw a stage, which leads to its entry in the list."""
    step, box = pipeline.steps[name], laid.boxes[name]
    runs = f"{len(step.runs)} runs" if len(step.runs) > 1 else ""
    if name in pipeline.loops:
        runs += " in turn"
    x, y = box.x + box.width / 2, box.y + box.height / 2
    label = f'<text x="{x:g}" y="{y + (-2 if runs else 4):g}">{name}</text>'
    label += f'<text class="runs" x="{x:g}" y="{y + 12:g}">{runs}</text>' if runs else ""
    return (
        f'<a class="stage" href="#stage-{name}"><title>{escape(step.question.replace("${key}", "KEY"))}</title>'
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="6"/>{label}</a>'
    )
