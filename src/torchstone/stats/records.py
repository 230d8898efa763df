"""Findings as the rows of reports/claims.json, with a note in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torchstone.core.files import rounded
from torchstone.core.schema import Judge
from torchstone.stats.ledger import Claim, Reading
from torchstone.stats.verdict import Finding

COPIED = (
    "id", "study", "sentence", "source", "grade", "kind", "published", "margin", "unit", "family", "estimator",
    "design", "trials", "corrects", "control", "figure", "remark",
)  # fmt: skip

MEASURED = (
    "estimate", "low", "high", "n", "lost", "p", "p_adjusted", "p_contrary", "p_contrary_adjusted", "mde", "gate",
)  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value)


def shown(value: float, unit: str) -> str:
    """Show an effect in its unit, with two significant digits but at least those of a tenth of a point."""
    if unit in {"pp", "%"}:
        return f"{value * 100:.2f} {unit}" if abs(value) < 0.1 else f"{value * 100:.1f} {unit}"
    return f"{value:.2g} {unit}".strip()


def note_of(finding: Finding, settings: Judge) -> str:
    """Say why the verdict is what it is, and what would settle an open one."""
    claim, parts = finding.claim, []
    if finding.verdict == "inconclusive" and finding.mde is not None:
        parts.append(
            f"a distance of {shown(finding.mde, claim.unit)} from the margin would have been found "
            f"{settings.power:.0%} of the time"
        )
        if finding.needed is None:
            parts.append("more splits of the same data would not settle it, more data would" if claim.design == "splits"
                         else "the estimate lies on the margin")  # fmt: skip
        elif finding.needed > finding.n:
            parts.append(f"about {finding.needed} replicates would settle it if the effect is as estimated")
        else:
            parts.append("the interval alone would decide; adjusted for its family it does not")
    if finding.verdict == "direction only":
        low, high = claim.region
        size = f"{shown(low, claim.unit)} to {shown(high, claim.unit)}"
        if finding.high < low or finding.low > high:
            than = "smaller" if finding.high < low else "larger"
            parts.append(f"the effect is {than} than the published size ({size})")
        elif low < finding.low and finding.high < high:
            parts.append(
                f"the interval fits the published size ({size}), but its p, adjusted for its family, does not hold"
            )
        else:
            parts.append(f"the effect is there; whether its size is the published one ({size}) stays open")
    if finding.lost:
        parts.append(f"{finding.lost} replicates had to be left out, one of their arms having no value")
    if finding.passage is not None and finding.passage.passed < 2:
        parts.append("too few reach the gate to compare")
    elif finding.n == 0:
        parts.append("none is left to compare")
    elif finding.n < 2:
        parts.append("one replicate has no interval")
    return "; ".join(parts)


def gate_of(finding: Finding) -> str:
    """Say what the claim's gate is and who passed it; empty without a gate."""
    gate, passage = finding.claim.gate, finding.passage
    if gate is None or passage is None:
        return ""
    each, what = ("replicate", "values of x") if finding.claim.course else ("arm", "replicates")
    name = gate.metric.replace("_", " ")
    lowest = "" if math.isnan(passage.lowest) else f", the lowest is {passage.lowest:.1%}"
    return (
        f"{name} of at least {gate.least:.1%} in every {each}: reached by {passage.passed} of {passage.of} {what}"
        f"{lowest}"
    )


def formula_of(claim: Claim) -> str:
    """Say what the effect is, in the metrics and arms of the trials table."""
    if claim.course is not None:
        sign = "" if claim.course.goes == "up" else "minus the "
        return f"{sign}least-squares slope of {_plain(claim.course.metric)} of {claim.course.arm} per doubling of x"
    if claim.value is not None:
        return _column(claim.value)
    assert claim.more is not None
    assert claim.less is not None
    more, less = _column(claim.more), _column(claim.less)
    if claim.estimator == "ratio of means":
        return f"1 - (mean of {less}) / (mean of {more})"
    return f"{more}, minus {less}"


def _plain(metric: str) -> str:
    return metric.replace("_", " ")


def _column(reading: Reading) -> str:
    """Say which column of the trials table a reading is."""
    if isinstance(reading.x, list):
        place = f", mean over x = {', '.join(f'{x:g}' for x in reading.x)}"
    elif isinstance(reading.x, str):
        place = f" at the {reading.x} x"
    else:
        place = "" if reading.x is None else f" at x = {reading.x:g}"
    return f"{_plain(reading.metric)} of {reading.arm}{place}"


def as_records(
    claims: Sequence[Claim], findings: Sequence[Finding], waiting: Mapping[str, str], settings: Judge
) -> list[dict[str, Any]]:
    """Return one row a claim, in the order of the ledger; a claim that waits is "not run" and says for what."""
    found = {finding.claim.id: finding for finding in findings}
    rows = [(found[claim.id].claim if claim.id in found else claim, found.get(claim.id)) for claim in claims]
    return [_record(claim, finding, waiting.get(claim.id, ""), settings) for claim, finding in rows]


def _record(claim: Claim, finding: Finding | None, waits: str, settings: Judge) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(claim, name) for name in COPIED}
    record["region"] = [_number(bound) for bound in claim.region]
    record["formula"] = formula_of(claim)
    if finding is None:
        empty = dict.fromkeys(MEASURED)
        return record | empty | {"verdict": "not run", "note": waits}
    return record | {
        "estimate": _number(finding.estimate),
        "low": _number(finding.low),
        "high": _number(finding.high),
        "n": finding.n,
        "lost": finding.lost,
        "p": _number(finding.raw_for),
        "p_adjusted": _number(finding.p_for),
        "p_contrary": _number(finding.raw_against),
        "p_contrary_adjusted": _number(finding.p_against),
        "mde": _number(finding.mde),
        "gate": gate_of(finding) or None,
        "verdict": finding.verdict,
        "note": note_of(finding, settings),
    }
