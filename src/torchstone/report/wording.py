"""What the page says of a claim in words: numbers, units, and the terms of the ledger."""

from __future__ import annotations

import math
from typing import Any

from torchstone.stats.records import shown

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
GRADES = {
    "paper": "read in the publication itself",
    "secondary": "known from a secondary source",
    "memory": "quoted from memory",
    "source text": "the text that this project set out to test",
    "theorem": "proven",
    "own": "our own claim",
}
DESIGNS = {
    "fresh": "fresh draws of the data set",
    "splits": "splits of one finite data set; their overlap widens the interval",
}
ESTIMATORS = {
    "mean": "mean over replicates",
    "ratio of means": "ratio of the means over replicates",
    "every": "each replicate on its own; one counterexample refutes",
}


def extent(record: dict[str, Any]) -> str:
    """Say what the brackets of a claim's effect hold."""
    return "range over replicates" if record.get("estimator") == "every" else "95 % interval"


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


def p_value(value: float | None) -> str:
    """Show a p-value; a dash where there is none."""
    if value is None:
        return "-"
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if math.isfinite(value) else "-"


def sentence(text: str) -> str:
    """Return a text as a sentence: a capital first, a full stop last."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}" if text else ""
