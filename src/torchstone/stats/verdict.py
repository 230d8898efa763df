"""The verdict: where the interval lies against the region of effects that agree with the claim.

- supported: the interval lies wholly inside the region, and the claim's p holds after Holm within its family;
- refuted: wholly outside it, and the p of the contrary holds likewise;
- direction only (magnitudes): the published size is not confirmed, but the effect is on the claimed side;
- inconclusive: anything else; the minimum detectable effect tells what would have been seen.
An "every" claim is a statement about each single replicate: one counterexample refutes it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Judge
from torchstone.stats.compare import Passage, effects, gated
from torchstone.stats.intervals import Sample, detectable, interval, p_above, p_below, replicates_needed
from torchstone.stats.ledger import Claim, Verdict


@dataclass(frozen=True)
class Finding:
    """What the trials say of one claim, before and after its family is known."""

    claim: Claim
    estimate: float
    low: float
    high: float
    n: int
    lost: int
    mde: float | None
    needed: int | None
    p_for: float | None  # of "the effect is not in the region"
    p_against: float | None  # of "the effect is in the region"
    p_direction: float | None  # magnitudes: of "the effect is not above the margin"
    passage: Passage | None = None
    verdict: Verdict = "inconclusive"
    raw_for: float | None = None  # p_for and p_against before Holm
    raw_against: float | None = None


def measure(claim: Claim, trials: pd.DataFrame, overlap: float, settings: Judge, seed: int) -> Finding:
    """Estimate the effect of one claim with its interval and raw, two-sided p-values."""
    trials, passage = gated(trials, claim)
    is_stopped = passage is not None and passage.passed < 2
    values, lost = (np.empty(0), 0) if is_stopped else effects(trials, claim)
    if len(values) == 0:
        return Finding(claim, math.nan, -math.inf, math.inf, 0, lost, None, None, None, None, None, passage)
    return replace(_measured(claim, Sample(values, overlap), lost, settings, seed), passage=passage)


def _measured(claim: Claim, sample: Sample, lost: int, settings: Judge, seed: int) -> Finding:
    values = sample.values
    if claim.estimator == "every":
        return Finding(
            claim, float(values[np.abs(values).argmax()]) if _two_sided(claim) else sample.mean,
            float(values.min()), float(values.max()), sample.n, lost, None, None, None, None, None,
        )  # fmt: skip
    low, high = interval(sample, settings.alpha)
    generator = numpy_stream(seed, "judge", claim.id)
    bounds = [bound for bound in claim.region if math.isfinite(bound)]
    region_low, region_high = claim.region
    inside, outside = [], []
    if math.isfinite(region_low):
        inside.append(p_above(sample, region_low, settings.draws, generator))
        outside.append(p_below(sample, region_low, settings.draws, generator))
    if math.isfinite(region_high):
        inside.append(p_below(sample, region_high, settings.draws, generator))
        outside.append(p_above(sample, region_high, settings.draws, generator))
    direction = None
    if claim.kind == "magnitude":
        direction = min(1.0, 2 * p_above(sample, claim.margin or 0.0, settings.draws, generator))
        outside = [p_below(sample, claim.margin or 0.0, settings.draws, generator)]
        bounds = [claim.margin or 0.0]
    distance = min(abs(sample.mean - bound) for bound in bounds)
    return Finding(
        claim, sample.mean, low, high, sample.n, lost,
        detectable(sample, settings.alpha, settings.power),
        replicates_needed(sample, distance, settings.alpha, settings.power),
        min(1.0, 2 * max(inside)), min(1.0, 2 * min(outside)), direction,
    )  # fmt: skip


def _two_sided(claim: Claim) -> bool:
    return all(math.isfinite(bound) for bound in claim.region)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values, in the order given."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return [float(p) for p in adjusted]


def adjusted(findings: Sequence[Finding]) -> list[Finding]:
    """Replace each raw p by its Holm-adjusted one within the claim's family; a direction counts as the same test."""
    families: Mapping[str, list[int]] = defaultdict(list)
    for place, finding in enumerate(findings):
        if finding.p_for is not None:
            families[finding.claim.family].append(place)
    result = [replace(finding, raw_for=finding.p_for, raw_against=finding.p_against) for finding in findings]
    for places in families.values():
        for name in ("p_for", "p_against", "p_direction"):
            with_it = [place for place in places if getattr(findings[place], name) is not None]
            for place, p in zip(with_it, holm([getattr(findings[k], name) for k in with_it]), strict=True):
                result[place] = replace(result[place], **{name: p})  # type: ignore[arg-type]  # three float fields
    return result


def decide(finding: Finding, alpha: float) -> Verdict:
    """Return the verdict of a finding whose p-values are already adjusted."""
    claim = finding.claim
    region_low, region_high = claim.region
    if claim.estimator == "every" and finding.n > 0:
        return "supported" if region_low <= finding.low and finding.high <= region_high else "refuted"
    if finding.n < 2 or finding.p_for is None or finding.p_against is None:
        return "inconclusive"
    if region_low < finding.low and finding.high < region_high and finding.p_for < alpha:
        return "supported"
    if claim.kind == "magnitude":
        margin = claim.margin or 0.0
        if finding.low > margin and finding.p_direction is not None and finding.p_direction < alpha:
            return "direction only"
        return "refuted" if finding.high < margin and finding.p_against < alpha else "inconclusive"
    outside = finding.high < region_low or finding.low > region_high
    return "refuted" if outside and finding.p_against < alpha else "inconclusive"


def judge(claims: Sequence[tuple[Claim, pd.DataFrame, float]], settings: Judge, seed: int) -> list[Finding]:
    """Judge each (claim, its trials, overlap of its replicates); Holm needs the families whole."""
    measured = [measure(claim, trials, overlap, settings, seed) for claim, trials, overlap in claims]
    return [replace(finding, verdict=decide(finding, settings.alpha)) for finding in adjusted(measured)]
