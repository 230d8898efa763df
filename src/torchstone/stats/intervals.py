"""An interval and p-values for the mean of a few paired effects.

Fresh data sets: Student's interval, and a sign-flip permutation test. Splits of one finite set overlap, so their
plain variance is too small; for them the corrected resampled t of Nadeau & Bengio (2003), which replaces 1/n by
1/n + test/train, gives both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Effects of n replicates, [replicate]; ``overlap`` is test/train for splits of one set, 0 for fresh data."""

    values: Values
    overlap: float = 0.0

    @property
    def n(self) -> int:
        """Number of replicates."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """The estimate."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """sd * sqrt(1/n + overlap)."""
        return float(self.values.std(ddof=1) * np.sqrt(1 / self.n + self.overlap))


def interval(sample: Sample, alpha: float) -> tuple[float, float]:
    """Return the two-sided interval of level 1 - alpha for the mean; one replicate gives the whole line."""
    if sample.n < 2:
        return (-np.inf, np.inf)
    half = float(stats.t.ppf(1 - alpha / 2, sample.n - 1)) * sample.standard_error
    return (sample.mean - half, sample.mean + half)


def p_above(sample: Sample, bound: float, draws: int, generator: np.random.Generator) -> float:
    """Return the one-sided p of "the mean is not above the bound"."""
    shifted = sample.values - bound
    if sample.n < 2:
        return 1.0
    if sample.overlap > 0:
        if sample.standard_error == 0:
            return 0.0 if sample.mean > bound else 1.0
        return float(stats.t.sf((sample.mean - bound) / sample.standard_error, sample.n - 1))
    result = stats.permutation_test(
        (shifted,),
        np.mean,
        permutation_type="samples",
        alternative="greater",
        n_resamples=draws,
        vectorized=True,
        rng=generator,
    )
    return float(result.pvalue)


def p_below(sample: Sample, bound: float, draws: int, generator: np.random.Generator) -> float:
    """Return the one-sided p of "the mean is not below the bound"."""
    return p_above(Sample(-sample.values, sample.overlap), -bound, draws, generator)


def power_of(effect: float, standard_error: float, n: int, alpha: float) -> float:
    """Return the power of a two-sided t test against a true effect (its far tail left out)."""
    critical = float(stats.t.ppf(1 - alpha / 2, n - 1))
    return float(stats.nct.sf(critical, n - 1, effect / standard_error))


def detectable(sample: Sample, alpha: float, power: float) -> float | None:
    """Return the minimum detectable effect: the smallest true distance from a bound found with this power."""
    if sample.n < 2:
        return None
    if sample.standard_error == 0:
        return 0.0
    se = sample.standard_error

    def lacking(effect: float) -> float:
        return power_of(effect, se, sample.n, alpha) - power

    if lacking(0.0) >= 0:
        return 0.0
    far = 60 * se
    while lacking(far) < 0:  # few replicates and a small alpha
        far *= 2
    return float(optimize.brentq(lacking, 0.0, far))


def replicates_needed(sample: Sample, distance: float, alpha: float, power: float, most: int = 100_000) -> int | None:
    """Return how many replicates would find a true distance from a bound with this power, None if none would do.

    Splits of one finite set never shrink the error below sd * sqrt(overlap), so more of them may not settle it.
    """
    spread = float(sample.values.std(ddof=1)) if sample.n > 1 else 0.0
    if spread == 0 or distance == 0:
        return None

    def enough(n: int) -> bool:
        return power_of(distance, spread * float(np.sqrt(1 / n + sample.overlap)), n, alpha) >= power

    low, high = 2, most
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
