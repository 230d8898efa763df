"""How well do samples in the plane cover the modes? As PacGAN measured it (Lin et al. 2018, section 4.1).

A sample belongs to its nearest mode and is of *high quality* within three sigma of it; a mode is *covered* if at
least one such sample is there. The *reverse KL* divergence is that of the high-quality samples' shares of the modes
from equal shares. In the plane a perfect sampler has 1 - exp(-9/2) = 98.89 % of high quality, so no share near 100 %
is to be expected, and one above it tells of samples that huddle in the middle of their modes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree
from scipy.stats import entropy

from torchstone.studies.gan.targets import SIGMA, centres

SIGMAS = 3.0
PERFECT = 1 - np.exp(-(SIGMAS**2) / 2)
Points = npt.NDArray[Any]


def coverage(samples: Points, dataset: str) -> dict[str, float]:
    """Return modes covered, share of high quality and reverse KL (nats) of samples [sample, 2].

    A sample that is not finite is of no quality. Where none is of quality, no mode is covered and the divergence is
    log of the number of modes, its largest value: so a diverged generator counts as what it is.
    """
    modes = centres(dataset)
    finite = np.isfinite(samples).all(axis=1)
    found = KDTree(modes).query(samples[finite].astype(np.float64))
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    counts = np.bincount(nearest[distance < SIGMAS * SIGMA[dataset]], minlength=len(modes))
    good = int(counts.sum())
    divergence = np.log(len(modes)) if good == 0 else entropy(counts / good, np.full(len(modes), 1 / len(modes)))
    return {
        "modes": float((counts > 0).sum()),
        "high_quality": good / len(samples),
        "reverse_kl": float(divergence),
    }
