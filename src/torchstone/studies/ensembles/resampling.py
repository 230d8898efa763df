"""Which rows does each member of an ensemble see?

Efron (1979): a bootstrap sample draws n rows of n with replacement, so a row is in it with probability
1 - (1 - 1/n)^n, which tends to 0.632. A subsample draws a share of the rows without replacement. The rows that a
member never saw are out of its bag.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from torchstone.core.rng import numpy_stream

Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


def bootstrap(n: int, members: int, replicates: int, seed: int, name: str) -> Rows:
    """Draw n of n with replacement, [replicate, member, sample]; more members change none of the first ones."""
    draws = [numpy_stream(seed, name, "bootstrap", r).integers(0, n, (members, n)) for r in range(replicates)]
    return np.stack(draws).astype(np.int32)


def subsample(n: int, share: float, members: int, replicates: int, seed: int, name: str, scheme: str) -> Rows:
    """Draw a share of the n rows without replacement, [replicate, member, sample]."""
    count = max(1, round(share * n))
    draws = [
        numpy_stream(seed, name, scheme, r).random((members, n)).argsort(axis=1, kind="stable")[:, :count]
        for r in range(replicates)
    ]
    return np.stack(draws).astype(np.int32)


def out_of_bag(rows: Rows, n: int) -> Mask:
    """Tell which of the n rows each member never saw, [replicate, member, sample]."""
    mask = np.ones((*rows.shape[:2], n), dtype=np.bool_)
    np.put_along_axis(mask, rows.astype(np.int64), False, axis=2)
    return mask


def unique_share(mask: Mask) -> npt.NDArray[np.float64]:
    """Return the share of distinct rows in the bag, averaged over members, [replicate]."""
    return np.asarray(1.0 - mask.mean(axis=(1, 2)))


def expected_unique_share(n: int) -> float:
    """Return 1 - (1 - 1/n)^n, the expected share of distinct rows in a bootstrap sample."""
    return float(1.0 - (1.0 - 1.0 / n) ** n)
