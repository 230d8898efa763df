"""Laws of the scores: each is what scikit-learn or a count by hand says."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from torchstone.core.rng import numpy_stream
from torchstone.studies.ensembles.scores import (
    SMALLEST,
    Floats,
    Labels,
    brier,
    calibration_error,
    classification_scores,
    disagreement,
    error,
    ladder,
    log_loss,
    regression_scores,
    running_mean,
    votes_of,
    voting_scores,
)


def drawn(members: int, samples: int, classes: int, seed: int = 0) -> tuple[Floats, Labels]:
    generator = numpy_stream(seed, "test", members, samples, classes)
    return generator.dirichlet(np.ones(classes), (members, samples)), generator.integers(0, classes, samples)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_error_likelihood_and_brier_agree_with_scikit_learn(classes: int) -> None:
    (probabilities,), labels = drawn(1, 200, classes)
    truth = np.eye(classes)[labels]
    assert error(probabilities, labels) == pytest.approx(1 - metrics.accuracy_score(labels, probabilities.argmax(1)))
    expected = metrics.log_loss(labels, probabilities, labels=np.arange(classes))
    assert log_loss(probabilities, labels) == pytest.approx(expected, rel=1e-12)
    by_class = [metrics.brier_score_loss(truth[:, k], probabilities[:, k]) for k in range(classes)]
    assert brier(probabilities, labels) == pytest.approx(np.mean(by_class), rel=1e-12)


def test_a_certain_mistake_costs_a_finite_likelihood() -> None:
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert log_loss(certain, np.array([0, 1])) == pytest.approx(-np.log(SMALLEST) / 2)
    assert log_loss(certain, np.array([0, 0])) == 0.0


def test_calibration_error_of_a_case_by_hand() -> None:
    # 30 samples make 15 bins of two by rank of confidence; each bin errs by |share right - mean confidence|
    confidence = np.linspace(0.55, 0.98, 30)
    probabilities = np.column_stack([confidence, 1 - confidence])
    labels = np.tile([0, 1], 15)  # one of each two is right
    expected = np.mean([abs(0.5 - confidence[k : k + 2].mean()) for k in range(0, 30, 2)])
    shuffled = numpy_stream(0, "shuffle").permutation(30)
    assert calibration_error(probabilities[shuffled], labels[shuffled]) == pytest.approx(expected)
    assert calibration_error(np.array([[0.8, 0.2]]), np.array([0])) == pytest.approx(0.2)


def test_a_calibrated_forecast_has_a_small_calibration_error() -> None:
    generator = numpy_stream(0, "calibrated")
    confidence = generator.uniform(0.5, 1.0, 40_000)
    labels = (generator.random(40_000) > confidence).astype(np.int64)
    probabilities = np.column_stack([confidence, 1 - confidence])
    assert calibration_error(probabilities, labels) < 0.01
    assert calibration_error(probabilities, 1 - labels) > 0.4


@given(st.integers(2, 6), st.integers(1, 12), st.integers(2, 4), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_disagreement_is_the_share_of_differing_pairs(members: int, samples: int, classes: int, seed: int) -> None:
    probabilities, _ = drawn(members, samples, classes, seed)
    labels = probabilities.argmax(axis=-1)
    pairs = [float((labels[a] != labels[b]).mean()) for a, b in combinations(range(members), 2)]
    assert disagreement(votes_of(probabilities)) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_disagreement_ends_at_0_and_1() -> None:
    same = np.broadcast_to(np.eye(3)[[0, 1, 2, 0]], (5, 4, 3))
    assert disagreement(np.asarray(same)) == 0.0
    assert disagreement(np.stack([np.eye(2)[[0, 0]], np.eye(2)[[1, 1]]])) == 1.0
    assert disagreement(np.eye(2)[None]) == 0.0


def test_a_vote_is_whole_and_ties_go_to_the_first_class() -> None:
    votes = votes_of(np.array([[[0.5, 0.5], [0.2, 0.8]]]))
    np.testing.assert_array_equal(votes, [[[1, 0], [0, 1]]])


def test_averaging_and_voting_differ_where_one_member_is_sure() -> None:
    members = np.array([[[0.4, 0.6]], [[0.45, 0.55]], [[0.95, 0.05]]])
    labels = np.array([0])
    averaged = {(x, name): value for x, name, value in classification_scores(members, labels)}
    voted = {(x, name): value for x, name, value in voting_scores(members, labels)}
    assert averaged[3, "error"] == 0.0
    assert voted[3, "error"] == 1.0


@pytest.mark.parametrize("members", [1, 2, 3, 4, 50, 51, 100, 4999])
def test_the_ladder_climbs_to_the_last_member(members: int) -> None:
    sizes = ladder(members)
    assert sizes[0] == 1
    assert sizes[-1] == members
    assert sizes == sorted(set(sizes))
    assert all(b / a <= 2 for a, b in pairwise(sizes)) or members > 1000


def test_more_members_leave_the_ladder_and_its_scores_below_as_they_were() -> None:
    members, labels = drawn(12, 50, 3)
    few = {(x, name): value for x, name, value in classification_scores(members[:10], labels) if x}
    many = {(x, name): value for x, name, value in classification_scores(members, labels) if x}
    assert {key: many[key] for key in few} == few


def test_every_score_at_every_size_is_that_of_the_mean_of_the_first_members() -> None:
    members, labels = drawn(7, 60, 4)
    scores = list(classification_scores(members, labels))
    assert sorted({x for x, _, _ in scores if x}) == [1, 2, 3, 5, 7]
    for size, name, value in scores:
        if size is not None:
            mean = members[:size].mean(axis=0)
            function = {"error": error, "nll": log_loss, "brier": brier, "ece": calibration_error}[name]
            assert value == pytest.approx(function(mean, labels), abs=1e-12)
    whole = {name: value for x, name, value in scores if x is None}
    assert whole["member_error"] == pytest.approx(np.mean([error(member, labels) for member in members]))
    assert whole["disagreement_ratio"] == pytest.approx(whole["disagreement"] / whole["member_error"])


def test_a_single_model_has_no_disagreement_and_a_faultless_one_no_ratio() -> None:
    members, labels = drawn(1, 20, 3)
    assert not {"disagreement", "disagreement_ratio"} & {name for _, name, _ in classification_scores(members, labels)}
    sure = np.repeat(np.eye(3)[labels][None], 4, axis=0)
    names = {name for _, name, _ in classification_scores(sure, labels)}
    assert "disagreement" in names
    assert "disagreement_ratio" not in names


def test_an_out_of_bag_estimate_asks_for_each_row_only_the_members_that_never_saw_it() -> None:
    members, labels = drawn(6, 40, 3)
    mask = numpy_stream(0, "mask").random((6, 40)) < 0.3
    mask[:, 0] = False  # a row in every bag is judged by nobody
    found = {
        x: value for x, name, value in classification_scores(members, labels, members, labels, mask) if "oob" in name
    }
    for size, value in found.items():
        assert size is not None
        wrong = []
        for row in range(40):
            judges = [member for member in range(size) if mask[member, row]]
            if judges:
                wrong.append(int(members[judges, row].mean(axis=0).argmax() != labels[row]))
        assert value == pytest.approx(np.mean(wrong))
    assert set(found) == {1, 2, 3, 5, 6}


def test_with_no_row_out_of_any_bag_there_is_no_out_of_bag_score() -> None:
    members, labels = drawn(3, 10, 2)
    nobody = np.zeros((3, 10), dtype=np.bool_)
    assert not [name for _, name, _ in classification_scores(members, labels, members, labels, nobody) if "oob" in name]
    numbers = members[..., 0]
    targets = numbers[0]
    assert not [name for _, name, _ in regression_scores(numbers, targets, numbers, targets, nobody) if "oob" in name]


def test_regression_scores_are_those_of_the_mean_and_out_of_bag_likewise() -> None:
    generator = numpy_stream(0, "regression")
    members, targets = generator.normal(size=(5, 30)), generator.normal(size=30)
    mask = generator.random((5, 30)) < 0.5
    scores = {(x, name): value for x, name, value in regression_scores(members, targets, members, targets, mask)}
    for size in (1, 2, 3, 5):
        mean = members[:size].mean(axis=0)
        assert scores[size, "mse"] == pytest.approx(metrics.mean_squared_error(targets, mean))
        assert scores[size, "rmse"] == pytest.approx(metrics.root_mean_squared_error(targets, mean))
        seen = mask[:size].any(axis=0)
        judged = np.ma.masked_array(members[:size], ~mask[:size]).mean(axis=0)[seen].filled(np.nan)
        assert scores[size, "oob_rmse"] == pytest.approx(metrics.root_mean_squared_error(targets[seen], judged))


@given(st.integers(2, 20), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_squared_error_is_the_members_less_the_ambiguity(members: int, shift: float, scale: float, seed: int) -> None:
    generator = numpy_stream(seed, "ambiguity")
    numbers, targets = generator.normal(shift, scale, (members, 25)), generator.normal(shift + scale, scale, 25)
    scores = {(x, name): value for x, name, value in regression_scores(numbers, targets)}
    assert abs(scores[members, "ambiguity_residual"]) < 1e-5
    assert scores[members, "ambiguity"] >= 0
    assert scores[members, "mse"] <= scores[members, "member_mse"] + 1e-9 * scale**2
    assert (1, "ambiguity") not in scores


def test_the_running_mean_is_the_mean_of_the_first_members() -> None:
    members, _ = drawn(9, 5, 2)
    for size, mean, seen in running_mean(members, [1, 4, 9]):
        np.testing.assert_allclose(mean, members[:size].mean(axis=0), atol=1e-15)
        assert seen.all()
