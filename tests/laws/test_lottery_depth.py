"""Laws of how far one may prune: the first round that fails ends it, and each arm breaks where its loss was planted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from torchstone.core.rng import numpy_stream
from torchstone.core.trials import Trial
from torchstone.stats.intervals import Sample, interval
from torchstone.studies.lottery.depth import METRIC, Answer, answer, break_rounds, break_trials, sentence

NAN = float("nan")
MARGIN = 0.01
ALPHA = 0.05
DENSE = 0.8
N = 8


def accuracies(arm: str, losses: Mapping[int, Sequence[float]]) -> list[Trial]:
    """Return early test accuracies that lie below the dense net's by ``losses`` [round][replicate]; NaN has no row."""
    return [
        Trial(arm, float(number), replicate, METRIC, DENSE - loss)
        for number, row in losses.items()
        for replicate, loss in enumerate(row)
        if not math.isnan(loss)
    ]


def table(trials: Sequence[Trial]) -> pd.DataFrame:
    return pd.DataFrame(trials).assign(x=lambda frame: frame["x"].astype("float64"))


def chain(means: Mapping[int, float], spread: float = 0.002) -> pd.DataFrame:
    """Return the trials of a ticket whose mean losses by round are given, with densities that halve."""
    losses = {number: [0.0] * N for number in means if number == 0}
    for number, mean in means.items():
        if number:
            noise = numpy_stream(0, "depth", number).normal(size=N)
            losses[number] = (mean + spread * (noise - noise.mean()) / noise.std()).tolist()
    rows = accuracies("ticket", losses)
    rows += [Trial("ticket", float(x), k, "density", 0.5**x) for x in means for k in range(N)]
    return table(rows)


# ---------------------------------------------------------------- where an arm breaks


def test_a_replicate_breaks_at_its_first_loss_above_the_margin_and_one_that_never_does_after_the_last_round() -> None:
    losses = pd.DataFrame(
        [
            [0.0, 0.02, 0.0, 0.02],
            [0.0, 0.0, 0.0, 0.011],
            [0.0, -0.05, 0.0, 0.0],
            [0.02, 0.0, 0.0, 0.0],
            [0.0, 0.01, 0.01, 0.01],  # the margin itself is no break
        ],
        columns=[3.0, 7.0, 11.0, 15.0],
        index=[4, 2, 7, 9, 1],
    )
    found = break_rounds(losses, MARGIN)
    assert found.to_dict() == {4: 7.0, 2: 15.0, 7: 16.0, 9: 3.0, 1: 16.0}


def test_a_round_without_a_value_is_a_break() -> None:
    losses = pd.DataFrame([[0.0, NAN, 0.5], [NAN, NAN, NAN], [0.5, NAN, 0.0]], columns=[3.0, 7.0, 11.0])
    assert break_rounds(losses, MARGIN).tolist() == [7.0, 3.0, 3.0]


def test_every_arm_of_the_sparse_rounds_breaks_in_the_same_rounds_and_is_paired_by_replicate() -> None:
    control = table(
        [Trial("ticket", x, k, "over_dense", 0.0) for x in (0.0, 1.0, 3.0, 7.0) for k in (0, 1)]
        + accuracies("reinit", {3: [0.0, 0.02], 7: [0.02, 0.0]})
        + accuracies("oneshot", {3: [0.0, 0.0], 7: [0.0, NAN]})
        + accuracies("control", {0: [0.0, 0.3]})
        + accuracies("twin", {0: [0.0, 0.0], 3: [0.5, 0.0], 7: [0.0, 0.0]})
        + accuracies("late", {7: [0.0, 0.0]})
        + [Trial("reinit, round 3", 40.0, 0, "valid_loss", 1.0)]
    )
    prune = table(
        accuracies("ticket", {0: [0.0, 0.0], 1: [0.9, 0.9], 3: [0.0, 0.0], 7: [0.0, 0.05]})
        + accuracies("rewound", {0: [0.0, 0.0], 1: [0.9, 0.9], 3: [0.02, 0.0], 7: [0.0, 0.0]})
    )
    found = break_trials(control, prune, MARGIN)
    assert {(t.arm, t.replicate): t.value for t in found} == {
        ("ticket", 0): 8.0, ("ticket", 1): 7.0, ("reinit", 0): 7.0, ("reinit", 1): 3.0, ("oneshot", 0): 8.0,
        ("oneshot", 1): 7.0, ("twin", 0): 3.0, ("twin", 1): 8.0, ("rewound", 0): 3.0, ("rewound", 1): 8.0,
    }  # fmt: skip
    assert {(t.metric, t.x) for t in found} == {("break_round", None)}


def test_a_loss_is_that_against_the_same_replicates_dense_net() -> None:
    rows = [Trial(arm, x, k, METRIC, 0.5 + 0.1 * k - (0.02 if (arm, x, k) == ("reinit", 3.0, 1) else 0.0))
            for arm in ("ticket", "reinit", "rewound") for x in (0.0, 3.0) for k in (0, 1)]  # fmt: skip
    found = break_trials(table(rows), table(rows), MARGIN)
    assert {(t.arm, t.replicate): t.value for t in found if t.arm == "reinit"} == {("reinit", 0): 4, ("reinit", 1): 3}


def test_without_a_sparse_round_of_controls_nothing_breaks() -> None:
    prune = table(accuracies("ticket", {0: [0.0], 1: [0.5]}))
    assert break_trials(table(accuracies("ticket", {0: [0.0]})), prune, MARGIN) == []
    assert break_trials(prune.iloc[:0], prune, MARGIN) == []


# ---------------------------------------------------------------- how far


def test_the_first_round_that_fails_ends_it_whatever_comes_later() -> None:
    found = answer(chain({0: 0.0, 1: 0.001, 2: -0.004, 3: 0.02, 4: 0.0}), METRIC, MARGIN, ALPHA, 0.0)
    assert (found.number, found.density, found.next_density) == (2, 0.25, 0.125)
    assert found.loss[0] == pytest.approx(-0.004)
    assert found.next_loss is not None
    assert found.next_loss[0] == pytest.approx(0.02)


def test_a_round_fails_if_its_interval_touches_the_margin_though_its_estimate_does_not() -> None:
    trials = chain({0: 0.0, 1: 0.007}, spread=0.02)
    found = answer(trials, METRIC, MARGIN, ALPHA, 0.0)
    assert (found.number, found.loss, found.next_density) == (0, (0.0, 0.0, 0.0), 0.5)
    assert answer(trials, METRIC, 0.05, ALPHA, 0.0).number == 1


def test_intervals_are_those_of_the_paired_losses_and_widen_with_overlap() -> None:
    trials = chain({0: 0.0, 1: 0.004})
    rows = trials[(trials["metric"] == METRIC) & (trials["x"] == 1.0)].sort_values("replicate")
    losses = DENSE - rows["value"].to_numpy(dtype="float64")
    for overlap in (0.0, 0.4):
        found = answer(trials, METRIC, MARGIN, ALPHA, overlap)
        assert found.loss[1:] == pytest.approx(interval(Sample(losses, overlap), ALPHA))
    assert answer(trials, METRIC, MARGIN, ALPHA, 20.0).number == 0


def test_a_net_that_loses_nothing_is_pruned_as_far_as_was_tried() -> None:
    found = answer(chain({0: 0.0, 1: 0.0, 2: 0.0, 3: 0.0}), METRIC, MARGIN, ALPHA, 0.0)
    assert (found.number, found.density, found.next_density, found.next_loss) == (3, 0.125, None, None)


def test_rounds_are_tried_in_their_order_and_not_in_that_of_the_rows() -> None:
    trials = chain({0: 0.0, 1: 0.0, 2: 0.05, 10: 0.0})
    assert answer(trials.iloc[::-1], METRIC, MARGIN, ALPHA, 0.0).number == 1


def test_one_replicate_rules_nothing_out() -> None:
    trials = chain({0: 0.0, 1: -0.1})
    found = answer(trials[trials["replicate"] == 0], METRIC, MARGIN, ALPHA, 0.0)
    assert found.number == 0
    assert found.next_loss is not None
    assert np.isinf(found.next_loss[1:]).all()


def test_a_round_with_a_failed_training_does_not_pass_however_well_the_others_did() -> None:
    trials = chain({0: 0.0, 1: 0.0, 2: 0.0})
    failed = (trials["metric"] == METRIC) & (trials["x"] == 2.0) & (trials["replicate"] == 1)
    assert answer(trials[~failed], METRIC, MARGIN, ALPHA, 0.0).number == 1
    all_failed = (trials["metric"] == METRIC) & (trials["x"] == 1.0)
    assert answer(trials[~all_failed], METRIC, MARGIN, ALPHA, 0.0).number == 0


# ---------------------------------------------------------------- in words


def test_the_sentence_says_how_far_how_sure_and_what_comes_next() -> None:
    said = sentence(Answer(7, 0.2107, (0.001, -0.002, 0.004), 0.169, (0.006, 0.001, 0.011)), METRIC, 0.01)
    assert said == (
        "Judged at the lowest validation loss: down to 21 % of the weights (round 7) a loss of 1 point of test "
        "accuracy against the dense net is ruled out (estimate 0.10 points, 95 % interval -0.20 to 0.40). At 17 % it "
        "cannot be ruled out (estimate 0.60 points, 95 % interval 0.10 to 1.10)."
    )


def test_the_sentence_says_so_where_no_round_passes_or_none_fails() -> None:
    none = sentence(Answer(0, 1.0, (0.0, 0.0, 0.0), 0.8, (0.02, 0.0, 0.04)), "test_accuracy", 0.005)
    assert none.startswith(
        "Judged at the end of training: not by a single round, a loss of 0.5 points of test accuracy cannot be ruled "
        "out. At 80 %"
    )
    every = sentence(Answer(16, 0.029, (0.0, -0.001, 0.001), None, None), METRIC, 0.005)
    assert every.startswith("Judged at the lowest validation loss: down to 2.9 % of the weights (round 16)")
    assert every.endswith("No sparser network was tried.")
