"""Laws of boosting: the bound holds in every round, and a run that stops early says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.tree import DecisionTreeClassifier

from torchstone.core.rng import library_seed, numpy_stream
from torchstone.core.trials import Trial
from torchstone.studies.ensembles import boosting
from torchstone.studies.ensembles.boosting import boosting_trials, error_bound
from torchstone.studies.ensembles.scores import ladder
from torchstone.studies.ensembles.task import Task


def made(classes: int, n: int = 80, noise: float = 0.6, replicate: int = 0) -> Task:
    generator = numpy_stream(1, "boosting", classes, replicate)
    x = generator.normal(size=(2 * n, 4)).astype(np.float32)
    signal = x[:, 0] + x[:, 1] * x[:, 2] + noise * generator.normal(size=2 * n)
    y: Any = np.digitize(signal, np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1])) if classes else signal
    return Task(replicate, classes, x[:n], y[:n], x[n:], y[n:], {})


def table(trials: list[Trial], arm: str) -> dict[tuple[float | None, str], float]:
    return {(trial.x, trial.metric): trial.value for trial in trials if trial.arm == arm}


def test_the_bound_by_hand() -> None:
    np.testing.assert_allclose(error_bound([0.5, 0.5]), [1.0, 1.0])
    np.testing.assert_allclose(error_bound([0.1, 0.2, 0.0]), [0.6, 0.48, 0.0])
    np.testing.assert_allclose(error_bound([0.3]), [2 * np.sqrt(0.21)])


@pytest.mark.parametrize("replicate", range(4))
def test_training_error_stays_under_the_bound_in_every_round(replicate: int) -> None:
    task = made(2, replicate=replicate)
    found = table(boosting_trials(task, ["adaboost"], 40, 1), "stump-adaboost")
    assert found[None, "rounds_used"] == 40
    assert found[None, "bound_excess"] <= 1e-12
    for size in ladder(40):
        assert found[size, "train_error"] <= found[size, "train_error_bound"] + 1e-12
    assert found[40, "train_error_bound"] < found[1, "train_error_bound"]


def test_the_bound_is_checked_in_all_rounds_and_not_only_on_the_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = boosting.error_bound

    def broken_in_round_4(errors: Any) -> Any:
        bound = honest(errors)
        bound[3] = -1.0
        return bound

    monkeypatch.setattr(boosting, "error_bound", broken_in_round_4)
    found = table(boosting_trials(made(2), ["adaboost"], 10, 1), "stump-adaboost")
    assert 4 not in ladder(10)
    assert found[None, "bound_excess"] > 1.0


def test_scores_are_those_of_the_library_model_round_by_round() -> None:
    task, state = made(2), library_seed(1, "adaboost", 0)
    stump = DecisionTreeClassifier(max_depth=1, random_state=state)
    model = AdaBoostClassifier(stump, n_estimators=10, random_state=state).fit(task.x, task.y)
    found = table(boosting_trials(task, ["adaboost"], 10, 1), "stump-adaboost")
    for size, (score, train) in enumerate(
        zip(model.staged_score(task.x_test, task.y_test), model.staged_score(task.x, task.y), strict=True), start=1
    ):
        if size in ladder(10):
            assert found[size, "error"] == pytest.approx(1 - score)
            assert found[size, "train_error"] == pytest.approx(1 - train)


def test_a_perfect_fit_stops_at_round_1_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full_tree(learner: str, classes: int, neighbours: int, state: int) -> Any:
        assert learner == "stump"
        return DecisionTreeClassifier(random_state=state)

    monkeypatch.setattr(boosting, "library_learner", full_tree)
    found = table(boosting_trials(made(2), ["adaboost"], 25, 1), "stump-adaboost")
    assert found[None, "rounds_used"] == 1
    assert {x for x, _ in found if x} == {1}
    assert found[1, "train_error"] == found[1, "train_error_bound"] == 0.0
    assert found[None, "bound_excess"] == 0.0


def test_a_separable_problem_stops_at_its_stump() -> None:
    task = made(2)
    easy = Task(0, 2, task.x, (task.x[:, 0] > 0).astype(np.int64), task.x_test, task.y_test, {})
    found = table(boosting_trials(easy, ["adaboost"], 25, 1), "stump-adaboost")
    assert found[None, "rounds_used"] == 1
    assert found[1, "train_error"] == 0.0


def test_the_bound_is_for_two_classes_only() -> None:
    found = table(boosting_trials(made(3), ["adaboost"], 5, 1), "stump-adaboost")
    names = {metric for _, metric in found}
    assert {"error", "train_error", "rounds_used"} == names


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_gradient_boosting_is_the_library_s(classes: int) -> None:
    task, state = made(classes), library_seed(1, "gradient-boosting", 0)
    found = table(boosting_trials(task, ["gradient-boosting"], 7, 1), "stump-gradient-boosting")
    kind = GradientBoostingClassifier if classes else GradientBoostingRegressor
    model = kind(n_estimators=7, max_depth=1, random_state=state).fit(task.x, task.y)
    assert {x for x, _ in found} == set(ladder(7))
    if classes:
        assert found[7, "error"] == pytest.approx(1 - model.score(task.x_test, task.y_test))
        assert 0 < found[7, "nll"] < np.log(classes) + 0.5
    else:
        assert found[7, "rmse"] == pytest.approx(np.sqrt(((model.predict(task.x_test) - task.y_test) ** 2).mean()))


def test_more_rounds_change_none_of_the_first() -> None:
    few, many = (
        table(boosting_trials(made(2), ["adaboost", "gradient-boosting"], rounds, 1), arm)
        for rounds, arm in ((10, "stump-adaboost"), (15, "stump-adaboost"))
    )
    shared = {key for key in few if key[0]}
    assert {key: many[key] for key in shared} == {key: few[key] for key in shared}
