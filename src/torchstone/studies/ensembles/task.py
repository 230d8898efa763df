"""One replicate of one data set, as all learners see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.core.trials import Trial
from torchstone.studies.ensembles.scores import (
    Mask,
    Score,
    classification_scores,
    regression_scores,
    voting_scores,
)

SETS = ("bootstrap", "subsample80", "subsample63")
Predictions = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Rows of one replicate: x [sample, feature], y [sample]; ``classes`` is 0 where y is a number.

    ``rows`` maps a scheme to its index sets, [member, sample].
    """

    replicate: int
    classes: int
    x: npt.NDArray[np.float32]
    y: npt.NDArray[Any]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[Any]
    rows: dict[str, npt.NDArray[np.int32]]

    def bag(self, scheme: str) -> Mask:
        """Tell which training rows are out of each member's bag, [member, sample]."""
        rows = self.rows[scheme]
        mask = np.ones((len(rows), len(self.x)), dtype=np.bool_)
        np.put_along_axis(mask, rows.astype(np.int64), False, axis=1)
        return mask

    def scored(
        self, arm: str, test: Predictions, train: Predictions | None = None, bag: Mask | None = None
    ) -> list[Trial]:
        """Score the members' predictions, [member, sample, class] or [member, sample] for a number, as trials."""
        if self.classes == 0:
            return self.trials(arm, regression_scores(test, self.y_test, train, self.y, bag))
        trials = self.trials(arm, classification_scores(test, self.y_test, train, self.y, bag))
        if len(test) > 1:
            trials += self.trials(f"{arm}-voting", voting_scores(test, self.y_test))
        return trials

    def trials(self, arm: str, scores: Iterable[Score]) -> list[Trial]:
        """Name the arm and the replicate of some scores."""
        return [
            Trial(arm, None if x is None else float(x), self.replicate, metric, value) for x, metric, value in scores
        ]
