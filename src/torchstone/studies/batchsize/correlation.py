"""Does the sharper minimum generalise worse? Rank correlation of sharpness and gap over the runs of a replicate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from torchstone.core.trials import Trial
from torchstone.studies.batchsize.minima import Minimum

FEWEST = 3  # runs that can be ranked


def rank_correlations(
    minima: Sequence[Minimum], sharpness: dict[tuple[str, int, int], float], learnt: float
) -> list[Trial]:
    """Return Kendall's tau of sharpness and generalisation gap in each replicate.

    ``sharpness`` maps (arm, batch size, replicate) to phi. "one rate" is over the batch sizes of the plain arm; "all
    rates" adds the scaled ones (Jiang et al. 2019 rank over many settings at once; Andriushchenko et al. 2023 ask what
    is left within one rate). Only runs with a training accuracy of at least ``learnt`` count. Where fewer than three
    runs are left, or all are alike, there is no row.
    """
    trials = []
    for name, arms in (("one rate", {"plain"}), ("all rates", {minimum.arm for minimum in minima})):
        for replicate in range(len(minima[0].gap)):
            runs = [
                (sharpness[minimum.arm, minimum.batch, replicate], float(minimum.gap[replicate]))
                for minimum in minima
                if minimum.arm in arms and minimum.train_accuracy[replicate] >= learnt
                and (minimum.arm, minimum.batch, replicate) in sharpness
            ]  # fmt: skip
            distinct = list(dict.fromkeys(runs))  # at the reference size the scaled rates are the plain one
            if len(distinct) < FEWEST:
                continue
            tau = float(stats.kendalltau(*zip(*distinct, strict=True)).statistic)
            if np.isfinite(tau):
                trials.append(Trial(name, None, replicate, "rank_correlation", tau))
            trials.append(Trial(name, None, replicate, "runs", float(len(distinct))))
    return trials
