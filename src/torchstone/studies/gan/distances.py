"""How far is a set of fakes from a set of real samples, in some features? Frechet distance and KID.

Both compare two sets of equal size, since the Frechet distance is biased upwards in small sets, and both stand beside
the distance of real samples from other real samples, the floor that no generator can be expected to go below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[Any]


def frechet(real: Features, fake: Features) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the Gaussians fitted to two sets [sample, feature].

    Heusel et al. (2017). The trace of the root is taken by the eigenvalues of C1^(1/2) C2 C1^(1/2), which are those of
    C1 C2 but real and not negative, whatever the rank.
    """
    a, b = real.astype(np.float64), fake.astype(np.float64)
    one, two = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ two @ root).clip(0)).sum()
    gap = a.mean(axis=0) - b.mean(axis=0)
    return float(max(gap @ gap + np.trace(one) + np.trace(two) - 2 * shared, 0.0))


def kid(real: Features, fake: Features) -> float:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et al. 2018).

    It may be below 0, for its mean over draws from one distribution is 0.
    """
    a, b = real.astype(np.float64), fake.astype(np.float64)

    def kernel(x: Features, y: Features) -> Features:
        found: Features = (x @ y.T / x.shape[1] + 1) ** 3
        return found

    def within(x: Features) -> float:
        table, n = kernel(x, x), len(x)
        return float((table.sum() - np.trace(table)) / (n * (n - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())
