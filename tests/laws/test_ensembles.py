"""Laws of the ensemble study: its traps, its parity with scikit-learn, and what more members may change."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from torchstone.core.params import load_params
from torchstone.core.rng import library_seed, numpy_stream
from torchstone.core.schema import Arms, Cell, Ensemble
from torchstone.core.trials import Trial, from_arrays
from torchstone.data.generated import mixed_waves
from torchstone.learn import batches as batches_module
from torchstone.studies.ensembles import resampling
from torchstone.studies.ensembles.learners import SCHEMES, library_trials
from torchstone.studies.ensembles.networks import CONTROL, Training, network_trials, train_members
from torchstone.studies.ensembles.scores import classification_scores, ladder, regression_scores
from torchstone.studies.ensembles.study import jobs, measure
from torchstone.studies.ensembles.task import SETS, Task

Found = dict[tuple[str, float | None, str], float]
TRAINING = Training(hidden=(12,), epochs=3, batch=16, learning_rate=0.01, device="cpu")


def index_sets(n: int, members: int, replicate: int) -> dict[str, npt.NDArray[np.int32]]:
    rows = {"bootstrap": resampling.bootstrap(n, members, replicate + 1, 1, "law")[replicate]}
    for scheme, share in (("subsample80", 0.8), ("subsample63", 0.632)):
        rows[scheme] = resampling.subsample(n, share, members, replicate + 1, 1, "law", scheme)[replicate]
    return rows


def task(classes: int = 3, n: int = 90, members: int = 6, replicate: int = 0) -> Task:
    x, y = mixed_waves(numpy_stream(1, "law", replicate), 3 * n)
    x = x.astype(np.float32)
    targets: Any = {0: (x[:, 3] * x[:, 9] + x[:, 5]).astype(np.float64), 2: (y > 0).astype(np.int64), 3: y}[classes]
    return Task(replicate, classes, x[:n], targets[:n], x[n:], targets[n:], index_sets(n, members, replicate))


def table(trials: list[Trial]) -> Found:
    found = {(trial.arm, trial.x, trial.metric): trial.value for trial in trials}
    assert len(found) == len(trials)
    return found


def of(found: Found, arm: str) -> dict[tuple[float | None, str], float]:
    return {(x, metric): value for (name, x, metric), value in found.items() if name == arm}


# ---------------------------------------------------------------- bags


@pytest.mark.parametrize("scheme", SETS)
def test_out_of_bag_rows_are_disjoint_from_the_bag(scheme: str) -> None:
    problem = task()
    mask = problem.bag(scheme)
    assert mask.shape == (6, 90)
    for member, rows in enumerate(problem.rows[scheme]):
        assert not mask[member, rows].any()
        assert mask[member].sum() == 90 - len(set(rows.tolist()))


def test_a_leak_of_bagged_rows_into_the_out_of_bag_error_would_show() -> None:
    # Fully grown trees know their own rows by heart: judged on them they make no error at all.
    problem = task(members=20)
    found = of(table(library_trials(problem, "tree", ["bagging"], 1, 1)), "tree-bagging")
    assert found[20, "oob_error"] > 0.1
    assert found[20, "error"] > 0.1
    assert abs(found[20, "oob_error"] - found[20, "error"]) < 0.15


# ---------------------------------------------------------------- parity with scikit-learn


MODELS: dict[str, Any] = {
    "tree": lambda state: DecisionTreeClassifier(random_state=state),
    "neighbours": lambda state: KNeighborsClassifier(2),
    "logistic": lambda state: LogisticRegression(max_iter=2000),
}


@pytest.mark.parametrize("scheme", list(SCHEMES))
@pytest.mark.parametrize("learner", list(MODELS))
def test_bagging_is_library_models_fitted_by_hand_on_the_same_rows(learner: str, scheme: str) -> None:
    problem = task()
    sets = SCHEMES[scheme]
    found = of(table(library_trials(problem, learner, [scheme], 2, 1)), f"{learner}-{scheme}")
    members = [
        MODELS[learner](library_seed(1, learner, 0, sets, member)).fit(problem.x[rows], problem.y[rows])
        for member, rows in enumerate(problem.rows[sets])
    ]
    for size in ladder(6):
        mean = np.mean([model.predict_proba(problem.x_test) for model in members[:size]], axis=0)
        assert found[size, "error"] == pytest.approx((mean.argmax(axis=1) != problem.y_test).mean())
        total, judges = np.zeros((90, 3)), np.zeros(90)
        for rows, model in zip(problem.rows[sets][:size], members, strict=False):
            out = np.setdiff1d(np.arange(90), rows)
            total[out] += model.predict_proba(problem.x[out])
            judges[out] += 1
        seen = judges > 0
        expected = (total[seen].argmax(axis=1) != problem.y[seen]).mean()
        assert found[size, "oob_error"] == pytest.approx(expected)
    votes = np.stack([np.eye(3)[model.predict(problem.x_test).astype(int)] for model in members]).sum(axis=0)
    voted = of(table(library_trials(problem, learner, [scheme], 2, 1)), f"{learner}-{scheme}-voting")
    assert voted[6, "error"] == pytest.approx((votes.argmax(axis=1) != problem.y_test).mean())


@pytest.mark.parametrize("members", [7, 25])
def test_the_out_of_bag_error_is_scikit_learn_s_on_its_own_samples(members: int) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    tree = DecisionTreeClassifier(random_state=0)
    bagging = BaggingClassifier(tree, members, random_state=0)
    bagging.fit(x, y)
    rows = np.stack(bagging.estimators_samples_).astype(np.int32)
    predictions = np.stack([model.predict_proba(x) for model in bagging.estimators_])
    mask = resampling.out_of_bag(rows[None], len(x))[0]
    scores = {(size, name): value for size, name, value in classification_scores(predictions, y, predictions, y, mask)}
    # scikit-learn leaves rows in every bag at NaN, whose argmax is the first class; with 25 there are none
    unseen = ~mask.any(axis=0)
    decision = bagging.classes_[np.nansum(predictions * mask[..., None], axis=0).argmax(axis=1)]
    assert scores[members, "oob_error"] == pytest.approx((decision[~unseen] != y[~unseen]).mean(), abs=1e-12)
    if not unseen.any():
        again = BaggingClassifier(tree, members, random_state=0, oob_score=True).fit(x, y)
        assert scores[members, "oob_error"] == pytest.approx(1 - again.oob_score_, abs=1e-12)
    assert unseen.any() == (members == 7)


def test_the_out_of_bag_rmse_is_scikit_learn_s_on_its_own_samples() -> None:
    problem = task(classes=0, n=200)
    bagging = BaggingRegressor(DecisionTreeRegressor(random_state=0), 40, random_state=0, oob_score=True)
    bagging.fit(problem.x, problem.y)
    rows = np.stack(bagging.estimators_samples_).astype(np.int32)
    predictions = np.stack([model.predict(problem.x) for model in bagging.estimators_])
    mask = resampling.out_of_bag(rows[None], 200)[0]
    assert mask.any(axis=0).all()
    scores = {
        (size, name): value
        for size, name, value in regression_scores(predictions, problem.y, predictions, problem.y, mask)
    }
    expected = np.sqrt(((bagging.oob_prediction_ - problem.y) ** 2).mean())
    assert scores[40, "oob_rmse"] == pytest.approx(expected, rel=1e-12)


def test_a_sample_without_some_class_still_predicts_over_all() -> None:
    problem = task()
    rows = problem.rows | {
        "bootstrap": np.stack([np.flatnonzero(problem.y != k)[:40] for k in (0, 1, 2)]).astype(np.int32)
    }
    lacking = Task(0, 3, problem.x, problem.y, problem.x_test, problem.y_test, rows)
    found = of(table(library_trials(lacking, "tree", ["bagging"], 1, 1)), "tree-bagging")
    assert found[1, "error"] < 0.75
    never = problem.y_test == 0
    model = DecisionTreeClassifier(random_state=library_seed(1, "tree", 0, "bootstrap", 0))
    model.fit(problem.x[rows["bootstrap"][0]], problem.y[rows["bootstrap"][0]])
    assert found[1, "error"] == pytest.approx(1 - model.score(problem.x_test, problem.y_test))
    assert found[1, "error"] > never.mean()


# ---------------------------------------------------------------- what more members and replicates change


def test_more_members_change_none_of_the_first() -> None:
    for few, many in [
        (library_trials(task(members=5), "tree", ["bagging"], 1, 1), library_trials(task(), "tree", ["bagging"], 1, 1)),
        (network_trials(task(members=5), "deep", 5, TRAINING, 1), network_trials(task(), "deep", 6, TRAINING, 1)),
        (
            network_trials(task(members=5), "bootstrapped-deep", 5, TRAINING, 1),
            network_trials(task(), "bootstrapped-deep", 6, TRAINING, 1),
        ),
    ]:
        before, after = table(few), table(many)
        curve = {key: value for key, value in before.items() if key[1] is not None}
        assert len(curve) > 8
        assert {key: after[key] for key in curve} == curve


def settings(arms: Arms, epochs: int = 2) -> Ensemble:
    cell = Cell(epochs=epochs, arms=arms)
    return Ensemble(
        members=4, rounds=5, neighbours=1, hidden=[8], batch=16, learning_rate=0.01, cells={"waveform": cell}
    )


ALL = Arms(
    tree=["bagging", "subsample80", "subsample63"],
    neighbours=["bagging"],
    logistic=["bagging"],
    stump=["adaboost", "gradient-boosting"],
    mlp=["deep", "bootstrapped-deep", "bagging", "subsample80"],
)


def test_more_replicates_change_none_of_the_first_and_each_job_stands_alone() -> None:
    tasks = [task(members=4, replicate=r) for r in range(3)]
    arms = Arms(tree=["bagging"], mlp=["deep"])
    few = {name: measure(*job) for name, job in jobs(tasks[:2], "waveform", settings(arms), 1, "cpu")}
    many = dict(reversed(list(jobs(tasks, "waveform", settings(arms), 1, "cpu"))))
    assert set(few) < set(many)
    for name, arrays in few.items():
        again = measure(*many[name])
        for column in arrays:
            np.testing.assert_array_equal(arrays[column], again[column])


def test_replicates_differ() -> None:
    one, two = (table(library_trials(task(replicate=r), "tree", ["bagging"], 1, 1)) for r in (0, 1))
    assert one["tree-bagging", 6, "nll"] != two["tree-bagging", 6, "nll"]


def test_every_arm_that_is_asked_for_is_measured_once() -> None:
    problem = task(classes=2, members=4)
    trials = [
        trial for _, job in jobs([problem], "waveform", settings(ALL), 1, "cpu") for trial in from_arrays(measure(*job))
    ]
    arms = {name.removesuffix("-voting") for name, _, _ in table(trials)}
    expected = {f"{learner}-{scheme}" for learner, schemes in ALL for scheme in schemes or []}
    singles = {f"{learner}-{arm}" for learner, _ in ALL for arm in ("single", "control")}
    assert arms == expected | singles
    assert {trial.replicate for trial in trials} == {0}


def test_the_params_of_the_project_name_jobs_apart() -> None:
    from pathlib import Path

    params = load_params(Path(__file__).parents[2] / "params.yaml")
    problem = task()
    for dataset in params.ensemble.cells:
        names = [name for name, _ in jobs([problem], dataset, params.ensemble, 1, "cpu")]
        assert len(set(names)) == len(names) > 0


def test_no_job_moves_a_global_generator() -> None:
    for classes in (0, 2):
        problem = task(classes=classes, members=4)
        arms = ALL if classes else ALL.model_copy(update={"stump": ["gradient-boosting"]})
        for name, job in jobs([problem], "waveform", settings(arms, epochs=1), 1, "cpu"):
            before = (random.getstate(), str(np.random.get_state(legacy=False)), torch.get_rng_state())  # noqa: NPY002
            first = measure(*job)
            assert random.getstate() == before[0], name
            assert str(np.random.get_state(legacy=False)) == before[1], name  # noqa: NPY002
            assert torch.equal(torch.get_rng_state(), before[2]), name
            torch.rand(3)
            np.random.rand(3)  # noqa: NPY002  a disturbance of the global generators
            random.random()
            again = measure(*job)
            for column in first:
                np.testing.assert_array_equal(first[column], again[column], err_msg=name)


# ---------------------------------------------------------------- networks


def alone(problem: Task, rows: npt.NDArray[Any], start: Any, order: Any) -> list[Trial]:
    test, _ = train_members(problem, rows[None], [start], [order], TRAINING, 1)
    return problem.scored("alone", test)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_single_arm_is_the_first_deep_member_trained_alone(classes: int) -> None:
    problem = task(classes)
    found = table(network_trials(problem, "deep", 6, TRAINING, 1))
    everything = np.arange(90)
    name = ("mlp", 0, 0)
    expected = of(table(alone(problem, everything, name, name)), "alone")
    assert of(found, "mlp-single") == expected
    first = {key: value for key, value in of(found, "mlp-deep").items() if key[0] == 1}
    assert first == {key: value for key, value in expected.items() if key[0] == 1}


def test_the_control_is_another_network_that_differs_in_the_name_of_its_streams_only() -> None:
    problem = task()
    found = table(network_trials(problem, "deep", 6, TRAINING, 1))
    name = ("mlp", 0, CONTROL)
    assert of(found, "mlp-control") == of(table(alone(problem, np.arange(90), name, name)), "alone")
    assert of(found, "mlp-control") != of(found, "mlp-single")


def test_the_control_is_no_member_of_the_ensemble() -> None:
    problem = task()
    names = [("mlp", 0, member) for member in range(6)]
    test, _ = train_members(problem, np.arange(90)[None].repeat(6, axis=0), names, names, TRAINING, 1)
    expected = of(table(problem.scored("all", test)), "all")
    found = of(table(network_trials(problem, "deep", 6, TRAINING, 1)), "mlp-deep")
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(("scheme", "sets"), [("bootstrapped-deep", "bootstrap"), ("subsample80", "subsample80")])
def test_members_of_every_scheme_start_and_shuffle_alike(scheme: str, sets: str) -> None:
    problem = task()
    found = of(table(network_trials(problem, scheme, 6, TRAINING, 1)), f"mlp-{scheme}")
    name = ("mlp", 0, 0)
    expected = of(table(alone(problem, problem.rows[sets][0], name, name)), "alone")
    assert {key: found[key] for key in expected if key[0] == 1} == {
        key: value for key, value in expected.items() if key[0] == 1
    }


def test_bagging_proper_shares_the_start_and_changes_the_data_only() -> None:
    problem = task()
    names = [("mlp", 0, member) for member in range(6)]
    test, _ = train_members(problem, problem.rows["bootstrap"], [names[0]] * 6, names, TRAINING, 1)
    expected = of(table(problem.scored("all", test)), "all")
    found = of(table(network_trials(problem, "bagging", 6, TRAINING, 1)), "mlp-bagging")
    assert {key: found[key] for key in expected} == expected
    assert found != of(table(network_trials(problem, "bootstrapped-deep", 6, TRAINING, 1)), "mlp-bootstrapped-deep")


def test_a_network_of_a_bagged_ensemble_is_fed_its_own_sample_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[npt.NDArray[Any]] = []
    honest = batches_module.Batches.__call__

    def spied(self: batches_module.Batches, step: int) -> batches_module.Batch:
        batch = honest(self, step)
        fed.append(batch.x[..., :21].numpy())
        return batch

    monkeypatch.setattr(batches_module.Batches, "__call__", spied)
    problem = task()
    network_trials(problem, "bootstrapped-deep", 6, TRAINING, 1)
    per_epoch = -(-90 // 16)
    assert len(fed) == 3 * per_epoch
    for epoch in range(3):
        seen = np.concatenate(fed[epoch * per_epoch : (epoch + 1) * per_epoch], axis=1)
        for member, rows in enumerate(problem.rows["bootstrap"]):
            expected = problem.x[rows]
            np.testing.assert_array_equal(np.sort(seen[member], axis=0), np.sort(expected, axis=0))


def test_the_test_rows_have_no_part_in_training() -> None:
    problem = task()
    other = Task(0, 3, problem.x, problem.y, problem.x_test[::-1].copy(), problem.y_test * 0, problem.rows)
    for scheme in ("mlp-bootstrapped-deep", "tree-bagging"):
        found = [
            of(table(network_trials(each, "bootstrapped-deep", 6, TRAINING, 1)), scheme)
            if scheme.startswith("mlp")
            else of(table(library_trials(each, "tree", ["bagging"], 1, 1)), scheme)
            for each in (problem, other)
        ]
        one, two = ({key: value for key, value in each.items() if key[1] == "oob_error"} for each in found)
        assert len(one) > 3
        assert one == two
        assert found[0] != found[1]


def test_networks_learn_and_numbers_come_back_in_their_own_units() -> None:
    problem = task(classes=0, n=300)
    shifted = Task(0, 0, problem.x, problem.y * 50 + 1000, problem.x_test, problem.y_test * 50 + 1000, problem.rows)
    longer = Training(hidden=(32,), epochs=60, batch=16, learning_rate=0.01, device="cpu")
    one = of(table(network_trials(problem, "deep", 3, longer, 1)), "mlp-deep")
    two = of(table(network_trials(shifted, "deep", 3, longer, 1)), "mlp-deep")
    assert two[3, "rmse"] == pytest.approx(50 * one[3, "rmse"], rel=1e-2)
    assert one[3, "rmse"] < 0.75 * problem.y_test.std()


# ---------------------------------------------------------------- identities


@pytest.mark.parametrize("learner", ["tree", "mlp"])
def test_the_ambiguity_identity_holds_for_real_ensembles(learner: str) -> None:
    problem = task(classes=0)
    trials = (
        network_trials(problem, "deep", 6, TRAINING, 1)
        if learner == "mlp"
        else library_trials(problem, "tree", ["bagging"], 1, 1)
    )
    found = {key: value for key, value in table(trials).items() if key[2] == "ambiguity_residual"}
    assert {x for _, x, _ in found} == {2, 3, 5, 6}
    assert all(abs(value) < 1e-9 for value in found.values())


def test_a_learner_without_randomness_is_its_own_control() -> None:
    found = table(library_trials(task(), "neighbours", [], 1, 1))
    assert of(found, "neighbours-single") == of(found, "neighbours-control")


def test_trees_break_ties_by_their_own_name() -> None:
    # Two trees on the same rows differ at most in the order of equal splits: a control that may come out unequal.
    found = table(library_trials(task(n=200), "tree", [], 1, 1))
    single, control = of(found, "tree-single"), of(found, "tree-control")
    assert set(single) == set(control)
    assert abs(single[1, "error"] - control[1, "error"]) < 0.1
