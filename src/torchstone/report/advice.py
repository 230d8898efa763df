"""reports/advice.json read strictly: what a study recommends, in plain words that another stage wrote."""

from __future__ import annotations

from pathlib import Path

from torchstone.core.files import read_json
from torchstone.core.params import validated
from torchstone.core.schema import Section
from torchstone.report.plan import Plan


class Advice(Section):
    """One recommendation, in whole sentences."""

    title: str
    text: str
    note: str


class Advices(Section):
    """The whole of reports/advice.json."""

    studies: dict[str, list[Advice]]


def load_advice(path: Path, plan: Plan) -> dict[str, list[Advice]]:
    """Return the recommendations by study; no file is read unless a study has a heading for them.

    Raises InputError if the file is missing or holds something else.
    """
    if not any(study.advice for study in plan.studies.values()):
        return {}
    advices: Advices = validated(path, Advices, read_json(path))
    return advices.studies
