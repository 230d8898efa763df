"""Laws of masked training and of the chain of tickets: what is pruned stays 0, and where each round starts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.laws.tickets import (
    PRUNE,
    SEED,
    STILL,
    TASK,
    WIDTHS,
    Trained,
    answers,
    chain,
    data,
    flat,
    layers,
    lesson,
    played,
)
from torchstone.core.streams import stream
from torchstone.learn.optim import FlatOptimiser, Rule
from torchstone.nets.backprop import write_gradient
from torchstone.nets.masks import dense, named, pruned, weights_of
from torchstone.nets.population import MLPPopulation, pad_features
from torchstone.studies.lottery.chain import CHAINS, SCORES, beginning, first_weights, masks_of, round_trials, starts
from torchstone.studies.lottery.training import AT_ONCE, Start, outputs_on, train

TEST_SCORES = {"test_accuracy", "early_test_accuracy"}


# ---------------------------------------------------------------- masked weights


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize(("rule", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("adam", 0.0)])
def test_a_masked_weight_is_exactly_0_after_every_step_and_all_others_move(
    rule: Rule, momentum: float, decay: float
) -> None:
    population = MLPPopulation(3, WIDTHS)
    population.initialise([stream(SEED, "law", k) for k in range(3)], "glorot_normal")
    x, y = (torch.from_numpy(data()["train"][name]) for name in ("x", "y"))
    with torch.no_grad():  # a code that freezes what is below some eps freezes these
        weights_of(population)[0][:, :4] = -1e-7
    masks = pruned(weights_of(population), dense(population), 0.5, 0.3, together=False)
    masks[0][:, :2] = True
    optimiser = FlatOptimiser(
        population, rule, 0.02, momentum=momentum, weight_decay=decay, masks=named(population, masks)
    )
    before = [weight.detach().clone() for weight in weights_of(population)]
    for _ in range(80):
        write_gradient(population, pad_features(x), y)
        optimiser.step()
        for weight, mask in zip(weights_of(population), masks, strict=True):
            assert not weight.detach()[~mask].any()
    for weight, start, mask in zip(weights_of(population), before, masks, strict=True):
        moved = weight.detach() != start
        for kind in (start < 0, start > 0):
            own = kind & mask
            assert moved[own].float().mean() > 0.9  # the rest hangs on units that no row switches on


def test_a_padded_place_stays_0_under_a_mask() -> None:
    population = MLPPopulation(2, WIDTHS)
    population.initialise([stream(SEED, "law", k) for k in range(2)])
    optimiser = FlatOptimiser(population, "adam", 0.05, masks=named(population, dense(population)))
    x, y = (torch.from_numpy(data()["train"][name][:2]) for name in ("x", "y"))
    for _ in range(10):
        write_gradient(population, pad_features(x), y)
        optimiser.step()
    own = sum(int(weight.detach().count_nonzero()) for weight in weights_of(population))
    padded = [value for name, value in population.named_parameters() if name.endswith("weight")]
    assert own == sum(int(value.detach().count_nonzero()) for value in padded)


@pytest.mark.parametrize("changes", [{}, {"rule": "sgd"}, {"rule": "sgd", "momentum": 0.0}])
def test_a_trained_ticket_is_0_outside_its_mask_and_nowhere_else(changes: dict[str, Any]) -> None:
    begin = starts(chain()[1].handed, TASK)["ticket"]
    (one,) = lesson(**changes)
    vectors = train(begin, one)["vectors"]
    kept = flat(list(begin.masks))
    assert not vectors[~kept].any()
    assert (vectors[kept] != 0).mean() > 0.99


# ---------------------------------------------------------------- where a round starts


@pytest.mark.parametrize("number", [1, 2])
def test_a_ticket_starts_at_its_mask_times_the_first_weights_to_the_bit(number: int) -> None:
    taken = chain()[number - 1].handed
    (one,) = lesson(**STILL)
    found = train(starts(taken, TASK)["ticket"], one)
    first = first_weights(WIDTHS, TASK, SEED)
    assert np.array_equal(found["vectors"], np.where(flat(masks_of("next-ticket", taken)), first, 0.0))
    assert np.array_equal(taken["start"], first)


@pytest.mark.parametrize("number", [1, 2])
def test_a_rewound_ticket_starts_at_its_mask_times_the_dense_nets_weights_after_k_updates(number: int) -> None:
    taken = chain()[number - 1].handed
    begin = starts(taken, TASK)["rewound"]
    (one,) = lesson(**STILL)
    dense_net = starts(beginning(WIDTHS, TASK, SEED), TASK)["ticket"]
    (short,) = lesson(updates=TASK.rewind, look=1)
    theta_k = train(dense_net, short)["vectors"]
    assert np.array_equal(train(begin, one)["vectors"], np.where(flat(masks_of("next-rewound", taken)), theta_k, 0.0))
    assert begin.behind == TASK.rewind
    assert not np.array_equal(theta_k, taken["start"])


def test_a_rewound_training_goes_on_with_the_batches_and_the_updates_after_k() -> None:
    (one,) = lesson(rule="sgd", momentum=0.0)  # so that nothing but weights and batches is left of the first k
    begin = starts(beginning(WIDTHS, TASK, SEED), TASK)["ticket"]
    whole = train(begin, one, keep_at=TASK.rewind)
    rest = train(Start(whole["kept"], begin.masks, TASK.rewind), one)
    assert np.array_equal(rest["vectors"], whole["vectors"])
    again = train(Start(whole["kept"], begin.masks), one)
    assert not np.array_equal(again["vectors"], whole["vectors"])
    assert rest["curve_updates"][0].tolist() == list(range(TASK.rewind + TASK.look, TASK.updates + 1, TASK.look))
    assert (rest["early_updates"] > TASK.rewind).all()


def test_at_round_0_both_chains_are_one_dense_net() -> None:
    first = chain()[0]
    assert set(first.found) == {"ticket"}
    assert all(mask.all() for mask in masks_of("mask-ticket", first.handed))
    for ticket, rewound in zip(*(masks_of(f"next-{name}", first.handed) for name in CHAINS), strict=True):
        assert np.array_equal(ticket, rewound)


# ---------------------------------------------------------------- what a round hands on


@pytest.mark.parametrize("scope", ["layer", "all"])
def test_the_masks_that_a_round_hands_on_are_subsets_of_its_own_with_the_smallest_trained_weights_gone(
    scope: str,
) -> None:
    for step in chain(scope):
        for name in CHAINS:
            trained = layers(step.found.get(name, step.found["ticket"])["vectors"])
            own, following = (masks_of(f"{word}-{name}", step.handed) for word in ("mask", "next"))
            for weights, before, after in zip(trained, own, following, strict=True):
                assert not (after & ~before).any()
                for replicate in range(TASK.replicates):
                    gone, left = (before & ~after)[replicate], after[replicate]
                    assert np.abs(weights[replicate][gone]).max() <= np.abs(weights[replicate][left]).min()
            sizes = [[int(mask[0].sum()) for mask in masks] for masks in (own, following)]
            assert all((mask.sum(axis=(1, 2)) == mask[0].sum()).all() for mask in following) or scope == "all"
            hidden = [sum(each[:-1]) for each in sizes]
            if scope == "all":
                assert hidden[1] == hidden[0] - round(PRUNE.rate * hidden[0])
            else:
                assert sizes[1][:-1] == [count - round(PRUNE.rate * count) for count in sizes[0][:-1]]
            assert sizes[1][-1] == sizes[0][-1] - round(PRUNE.output_rate * sizes[0][-1])


def test_a_round_takes_over_what_the_one_before_handed_on() -> None:
    for before, after in pairwise(chain()):
        assert after.taken is before.handed
        for name in CHAINS:
            for one, two in zip(
                masks_of(f"next-{name}", before.handed), masks_of(f"mask-{name}", after.handed), strict=True
            ):
                assert np.array_equal(one, two)
        assert np.array_equal(after.handed["before"], before.handed["trained"])
        for name in ("start", "rewind"):
            assert np.array_equal(after.handed[name], before.handed[name])
        assert np.array_equal(after.handed["trained"], after.found["ticket"]["vectors"])
        assert np.array_equal(after.handed["score-test_accuracy"], after.found["ticket"]["test_accuracy"])


def test_pieces_are_trained_to_the_same_bits_as_all_at_once() -> None:
    together = chain()[1]
    apart = played(chain()[0].handed, 1, lesson(workers=3))
    assert len(lesson(workers=3)) == 3
    assert set(apart.handed) == set(together.handed)
    assert all(np.array_equal(apart.handed[name], together.handed[name]) for name in apart.handed)


# ---------------------------------------------------------------- scores and trials


def test_scores_are_those_of_the_weights_that_are_returned() -> None:
    for step in chain():
        for found in step.found.values():
            for part in ("train", "test"):
                rows = data()[part]
                right = (answers(found["vectors"], rows["x"]) == rows["y"]).mean(axis=1)
                assert found[f"{part}_accuracy"] == pytest.approx(right)
            assert found["curve_valid_accuracy"].shape == found["curve_updates"].shape
            assert found["log10_early_updates"] == pytest.approx(np.log10(found["early_updates"]))


def test_outputs_on_many_rows_are_those_of_all_rows_at_once_in_their_order() -> None:
    population = MLPPopulation(2, WIDTHS)
    population.initialise([stream(SEED, "law", k) for k in range(2)])
    x = pad_features(torch.randn(2, 2 * AT_ONCE + 300, WIDTHS[0], generator=stream(SEED, "rows")))
    assert outputs_on(population, x).numpy() == pytest.approx(population.predict(x).numpy(), rel=1e-5, abs=1e-6)


def test_early_accuracy_is_that_of_the_weights_in_the_middle_of_the_lowest_window() -> None:
    (one,) = lesson()
    begin = starts(chain()[0].handed, TASK)["ticket"]
    found = train(begin, one)
    for replicate, step in enumerate(found["early_updates"]):
        kept = train(begin, one, keep_at=int(step))["kept"]
        right = (answers(kept, data()["test"]["x"]) == data()["test"]["y"]).mean(axis=1)
        assert found["early_test_accuracy"][replicate] == pytest.approx(right[replicate])


def test_no_test_row_reaches_training_stopping_or_pruning() -> None:
    rows = lesson()[0]
    turned = [replace(rows, test=(rows.test[0], rows.test[1][:, ::-1].copy()))]
    one, two = (played(chain()[0].handed, 1, pieces) for pieces in ([rows], turned))
    moved = {name for name in one.handed if not np.array_equal(one.handed[name], two.handed[name])}
    assert moved
    assert moved <= {f"score-{name}" for name in TEST_SCORES}


def frame(step: Trained, number: int) -> pd.DataFrame:
    return pd.DataFrame(round_trials(number, step.found, step.handed))


@pytest.mark.parametrize("number", [0, 1])
def test_every_round_has_all_scores_of_both_chains_densities_and_curves(number: int) -> None:
    trials = frame(chain()[number], number)
    assert not trials.duplicated(["arm", "x", "replicate", "metric"]).any()
    for name in CHAINS:
        own = trials[trials["arm"] == name]
        assert set(own["x"]) == {float(number)}
        always = set(SCORES) - {"updates_to_accuracy"} | {"density", "density_1", "density_2", "density_3"}
        counts = own.groupby("metric")["replicate"].nunique()
        assert (counts[sorted(always)] == TASK.replicates).all()
    (share,) = set(trials[(trials["arm"] == "ticket") & (trials["metric"] == "density")]["value"])
    weights = sum(a * b for a, b in pairwise(WIDTHS))
    assert share == sum(int(mask[0].sum()) for mask in masks_of("mask-ticket", chain()[number].handed)) / weights
    curve = trials[trials["arm"] == f"ticket, round {number}"]
    assert sorted(set(curve["x"])) == list(range(TASK.look, TASK.updates + 1, TASK.look))


def test_a_training_that_diverges_has_no_score_but_is_counted_and_leaves_exact_masks() -> None:
    pieces = lesson(rule="sgd", momentum=0.0, learning_rate=1e30)
    with np.errstate(divide="ignore"):  # the logarithm of the update 0 of a network that has no lowest loss
        step = played(beginning(WIDTHS, TASK, SEED), 0, pieces)
    assert (step.handed["score-failed"] == 1).all()
    trials = frame(step, 0)
    scores = trials[trials["arm"].isin(CHAINS) & trials["metric"].isin(SCORES)]
    assert set(scores["metric"]) == {"failed"}
    whole = chain()[0].handed
    for broken, sound in zip(masks_of("next-ticket", step.handed), masks_of("next-ticket", whole), strict=True):
        assert np.array_equal(broken.sum(axis=(1, 2)), sound.sum(axis=(1, 2)))
