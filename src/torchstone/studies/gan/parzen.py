"""Parzen window log-likelihood, by which GANs were first compared and which misleads (Theis et al. 2016).

A Gaussian stands on each generated sample; its width, one for all, is the one that gives validation samples the highest
likelihood. No test sample chooses anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

Rows = npt.NDArray[Any]
WIDTHS = np.logspace(-1.5, 0.0, 16)
CHUNK = 500  # rows at once


def log_likelihood(rows: Rows, kernels: Rows, width: float) -> Rows:
    """Return the log density of each row under Gaussians of this width on the kernels, in nats."""
    constant = np.log(len(kernels)) + rows.shape[1] / 2 * np.log(2 * np.pi * width**2)
    parts = [
        logsumexp(cdist(rows[at : at + CHUNK], kernels, "sqeuclidean") / (-2 * width**2), axis=1)
        for at in range(0, len(rows), CHUNK)
    ]
    found: Rows = np.concatenate(parts) - constant
    return found


def parzen(kernels: Rows, valid: Rows, test: Rows) -> tuple[float, float]:
    """Return the mean log-likelihood of the test rows and the width that the validation rows chose."""
    best = max(WIDTHS, key=lambda width: float(log_likelihood(valid, kernels, width).mean()))
    return float(log_likelihood(test, kernels, best).mean()), float(best)
