"""metrics/summary.json: a dozen short numbers at most, so that `dvc exp show` stays readable."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torchstone.report.plan import Plan
from torchstone.report.tables import Trials, reading


def summary(records: list[dict[str, Any]], plan: Plan, trials: Trials) -> dict[str, float | int]:
    """Return the counts of verdicts, controls aside, and the headline numbers whose trials there are."""
    counts = Counter(record["verdict"].replace(" ", "_") for record in records if not record["control"])
    numbers: dict[str, float | int] = {
        name: counts.get(name, 0) for name in ("supported", "refuted", "inconclusive", "direction_only")
    }
    for name, headline in plan.headlines.items():
        table = trials.of(headline.trials)
        values = None if table is None else reading(table, headline, f"headline {name}")
        if values is not None:
            numbers[name] = round(float(values.mean()), 4)
    return numbers
