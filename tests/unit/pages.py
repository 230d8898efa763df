"""The page made from a few records, with the pipeline and the sources of this repository."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torchstone.report import page as module
from torchstone.report.advice import Advice
from torchstone.report.pipeline import load_pipeline
from torchstone.report.plan import Plan
from torchstone.report.sources import load_sources

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = load_pipeline(ROOT / "dvc.yaml", ROOT / "params.yaml")
SOURCES = load_sources(ROOT / "sources.yaml")


def page(
    plan: Plan,
    records: Sequence[dict[str, Any]],
    figures: Mapping[str, str],
    advice: Mapping[str, Sequence[Advice]] | None = None,
    pictures: Mapping[str, Sequence[str]] | None = None,
) -> str:
    return module.page(module.Content(plan, records, figures, advice or {}, pictures or {}, PIPELINE, SOURCES))


def leads_out(html: str) -> list[str]:
    """Return what the page loads or links to that is neither inside it, nor a file of the project, nor a source."""
    found = re.findall(r'(?:src|href)="(?!#|data:)([^"]+)"', html)
    known = {source.url for source in SOURCES}
    return [link for link in found if link not in known and not (ROOT / "reports" / link).exists()]
