"""Does the sharper minimum generalise worse? Rank correlation of sharpness and gap over the runs of a replicate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from torchstone.core.trials import Trial
from torchstone.studies.batchsize.minima import Minimum

FEWEST = 3  # runs that can be ranked


def rank_correlations(
    minima: Sequence[Minimum], sharpness: dict[tuple[str, int, int], float], target: float
) -> list[Trial]:
    """Return Kendall's tau of sharpness and generalisation gap in each replicate.

    ``sharpness`` maps (arm, batch size, replicate) to phi. "one rate" is over the batch sizes of the plain arm; "all
    rates" adds the scaled ones (Jiang et al. 2019 rank over many settings at once; Andriushchenko et al. 2023 ask what
    is left within one rate). Only runs count that ended with a training loss between half the target and the target:
    a lower loss alone makes phi smaller, and a fast run may overshoot its target several times over. Where fewer than
    three runs are left, or all are alike, there is no row.
    """
    trials = []
    for name, arms in (("one rate", {"plain"}), ("all rates", {minimum.arm for minimum in minima})):
        for replicate in range(len(minima[0].gap)):
            runs = [
                (sharpness[minimum.arm, minimum.batch, replicate], float(minimum.gap[replicate]))
                for minimum in minima
                if minimum.arm in arms and target / 2 <= minimum.train_loss[replicate] <= target
                and (minimum.arm, minimum.batch, replicate) in sharpness
            ]  # fmt: skip
            if len(runs) < FEWEST:
                continue
            tau = float(stats.kendalltau(*zip(*runs, strict=True)).statistic)
            if np.isfinite(tau):
                trials.append(Trial(name, None, replicate, "rank_correlation", tau))
            trials.append(Trial(name, None, replicate, "runs", float(len(runs))))
    return trials
