"""Are the fakes realistic, and are they as varied as the real samples? And do they copy?

Precision: the share of fakes within the real samples' manifold, the union of balls that reach to each real sample's
k-th neighbour; recall: the share of real samples within the fakes' manifold (Kynkaanniemi et al. 2019, k = 3). A
generator that makes one good sample over and over has a precision near 1 and a recall near 0. Density and coverage
(Naeem et al. 2020, k = 5) build balls around real samples alone, so that one outlying fake counts for little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Features = npt.NDArray[Any]
BALLS, DENSE = 3, 5
CHUNK = 1000  # rows of a distance table at once


def _radii(x: Features, k: int) -> Features:
    """Return the distance of each sample to its k-th neighbour in its own set."""
    k = min(k, len(x) - 1)
    parts = [np.partition(cdist(x[at : at + CHUNK], x), k, axis=1)[:, k] for at in range(0, len(x), CHUNK)]
    return np.concatenate(parts)


def manifold_scores(real: Features, fake: Features) -> dict[str, float]:
    """Return precision, recall, density and coverage of two sets [sample, feature]."""
    a, b = real.astype(np.float64), fake.astype(np.float64)
    between = cdist(a, b)
    dense = _radii(a, DENSE)[:, None]
    return {
        "precision": float((between <= _radii(a, BALLS)[:, None]).any(axis=0).mean()),
        "recall": float((between <= _radii(b, BALLS)[None]).any(axis=1).mean()),
        "density": float((between <= dense).sum(axis=0).mean() / DENSE),
        "coverage": float((between.min(axis=1) <= dense[:, 0]).mean()),
    }


def nearest(samples: Features, others: Features) -> Features:
    """Return the distance of each sample to the nearest of the others."""
    parts = [cdist(samples[at : at + CHUNK], others).min(axis=1) for at in range(0, len(samples), CHUNK)]
    return np.concatenate(parts)
