"""Bagging of library learners, fitted on our own index sets so that every scheme and learner sees the same draws.

Breiman (1996): fit one model to each bootstrap sample and let them vote or average. It should help a learner that
changes much with its data (a tree) and not one that does not (nearest neighbours).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from torchstone.core.rng import library_seed
from torchstone.core.trials import Trial
from torchstone.studies.ensembles.task import Predictions, Task

# scheme: its index sets
SCHEMES = {"bagging": "bootstrap", "subsample80": "subsample80", "subsample63": "subsample63"}


def library_learner(learner: str, classes: int, neighbours: int, random_state: int) -> Any:  # noqa: ANN401  sklearn's
    """Return an unfitted scikit-learn model; trees are grown in full, as Breiman's bagged trees are."""
    if learner in {"tree", "stump"}:
        depth = 1 if learner == "stump" else None
        tree = DecisionTreeClassifier if classes else DecisionTreeRegressor
        return tree(max_depth=depth, random_state=random_state)
    if learner == "neighbours":
        return KNeighborsClassifier(neighbours) if classes else KNeighborsRegressor(neighbours)
    return LogisticRegression(max_iter=2000) if classes else LinearRegression()


def _predict(model: Any, x: Any, classes: int) -> Predictions:  # noqa: ANN401
    """Predict [sample, class] over all classes, also those that the model's sample did not hold; or [sample]."""
    if not classes:
        return np.asarray(model.predict(x), dtype=np.float64)
    probabilities = np.zeros((len(x), classes))
    probabilities[:, model.classes_.astype(np.int64)] = model.predict_proba(x)
    return probabilities


def library_trials(task: Task, learner: str, schemes: Sequence[str], neighbours: int, seed: int) -> list[Trial]:
    """Fit one model on all rows (twice, the second as a negative control) and one a member of each scheme."""

    def fitted(rows: Any, *names: str | int) -> tuple[Predictions, Predictions]:  # noqa: ANN401
        state = library_seed(seed, learner, task.replicate, *names)
        model = library_learner(learner, task.classes, neighbours, state).fit(task.x[rows], task.y[rows])
        return _predict(model, task.x_test, task.classes), _predict(model, task.x, task.classes)

    everything = np.arange(len(task.x))
    trials: list[Trial] = []
    for arm in ("single", "control"):
        trials += task.scored(f"{learner}-{arm}", fitted(everything, arm)[0][None])
    for scheme in schemes:
        sets = SCHEMES[scheme]
        members = [fitted(rows, sets, member) for member, rows in enumerate(task.rows[sets])]
        test, train = (np.stack(part) for part in zip(*members, strict=True))
        trials += task.scored(f"{learner}-{scheme}", test, train, task.bag(sets))
    return trials
