"""reports/advice/STUDY.json read strictly: what a study recommends, in plain words that another stage wrote."""

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
    """The whole of reports/advice/STUDY.json."""

    advice: list[Advice]


def load_advice(folder: Path, plan: Plan) -> dict[str, list[Advice]]:
    """Return the recommendations of each study that has a heading for them.

    Raises InputError if its file is missing or holds something else.
    """
    found: dict[str, list[Advice]] = {}
    for name, study in plan.studies.items():
        if study.advice:
            path = folder / f"{name}.json"
            advices: Advices = validated(path, Advices, read_json(path))
            found[name] = advices.advice
    return found
