"""Boosting: learners in sequence, each on what its forerunners got wrong.

Freund & Schapire (1997): with weighted errors eps_t, AdaBoost's training error after T rounds is at most
prod_t 2 sqrt(eps_t (1 - eps_t)), for two classes. scikit-learn stops AdaBoost at the first perfect fit, so the rounds
really used are reported. Friedman (2001): gradient boosting fits each learner to the loss's gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, GradientBoostingRegressor

from torchstone.core.rng import library_seed
from torchstone.core.trials import Trial
from torchstone.studies.ensembles.learners import library_learner
from torchstone.studies.ensembles.scores import Score, error, ladder, log_loss
from torchstone.studies.ensembles.task import Task


def error_bound(errors: Any) -> Any:  # noqa: ANN401  arrays
    """Return prod_t 2 sqrt(eps_t (1 - eps_t)) for each round, [round], from weighted errors eps_t [round]."""
    errors = np.asarray(errors, dtype=np.float64)
    return np.cumprod(2 * np.sqrt(errors * (1 - errors)))


def _staged(model: Any, x: Any, y: Any, metric: str) -> Iterator[Score]:  # noqa: ANN401
    wanted = set(ladder(len(model.estimators_)))
    for size, labels in enumerate(model.staged_predict(x), start=1):
        if size in wanted:
            yield size, metric, float((labels != y).mean())


def _adaboost_scores(task: Task, rounds: int, seed: int) -> Iterator[Score]:
    state = library_seed(seed, "adaboost", task.replicate)
    stump = library_learner("stump", task.classes, 1, state)
    model = AdaBoostClassifier(stump, n_estimators=rounds, random_state=state).fit(task.x, task.y)
    yield from _staged(model, task.x_test, task.y_test, "error")
    yield None, "rounds_used", float(len(model.estimators_))
    if task.classes != 2:
        yield from _staged(model, task.x, task.y, "train_error")
        return
    bound = error_bound(model.estimator_errors_[: len(model.estimators_)])
    train = np.array([(labels != task.y).mean() for labels in model.staged_predict(task.x)])
    for size in ladder(len(train)):
        yield size, "train_error", float(train[size - 1])
        yield size, "train_error_bound", float(bound[size - 1])
    yield None, "bound_excess", float((train - bound).max())


def _gradient_scores(task: Task, rounds: int, seed: int) -> Iterator[Score]:
    state = library_seed(seed, "gradient-boosting", task.replicate)
    boosting = GradientBoostingClassifier if task.classes else GradientBoostingRegressor
    model = boosting(n_estimators=rounds, max_depth=1, random_state=state).fit(task.x, task.y)
    wanted = set(ladder(rounds))
    if not task.classes:
        for size, numbers in enumerate(model.staged_predict(task.x_test), start=1):
            if size in wanted:
                yield size, "rmse", float(np.sqrt(((numbers - task.y_test) ** 2).mean()))
        return
    for size, probabilities in enumerate(model.staged_predict_proba(task.x_test), start=1):
        if size in wanted:
            yield size, "error", error(probabilities, task.y_test)
            yield size, "nll", log_loss(probabilities, task.y_test)


def boosting_trials(task: Task, schemes: Sequence[str], rounds: int, seed: int) -> list[Trial]:
    """Boost stumps on all rows; x is the round. AdaBoost is for classes, gradient boosting for numbers too."""
    scores = {"adaboost": _adaboost_scores, "gradient-boosting": _gradient_scores}
    return [trial for scheme in schemes for trial in task.trials(f"stump-{scheme}", scores[scheme](task, rounds, seed))]
