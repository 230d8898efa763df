"""Laws of what a ticket must beat: as many weights in each layer, and one difference an arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.laws.tickets import SEED, TASK, WIDTHS, answers, chain, data, layers, lesson
from torchstone.core.files import Arrays
from torchstone.core.schema import Controls
from torchstone.core.streams import stream
from torchstone.learn.losses import cross_entropy
from torchstone.nets.masks import dense as all_kept
from torchstone.nets.population import MLPPopulation
from torchstone.studies.lottery.chain import first_weights, joined, masks_of
from torchstone.studies.lottery.controls import arms_at, control_trials, jobs, line, measure, start_of
from torchstone.studies.lottery.training import Start, train

ARMS = ["control", "twin", "reinit", "shuffled", "random", "oneshot", "signs", "finetuned"]
SPARSE = ARMS[1:]
SETTINGS = Controls.model_validate({"rounds": ["r00", "r02"], "arms": ARMS, "points": 5})
FLOAT32 = 1e-6


def begun(arm: str, number: int = 2) -> Start:
    handed = chain()[number].handed
    return start_of(arm, number, handed, chain()[0].handed, lesson()[0])


def measured(arm: str, number: int = 2, start: Start | None = None) -> Arrays:
    handed = chain()[number].handed
    return measure(arm, start or begun(arm, number), lesson()[0], handed["trained"], 5)


def same(one: Start, two: Start) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.masks, two.masks, strict=True))


def ticket(number: int = 2) -> Start:
    handed = chain()[number].handed
    return Start(handed["start"], masks_of("mask-ticket", handed))


def test_the_dense_round_has_a_control_and_a_twin_and_sparse_rounds_all_but_the_control() -> None:
    assert arms_at(0, SETTINGS) == ["control", "twin"]
    assert arms_at(2, SETTINGS) == SPARSE
    few = Controls.model_validate({"rounds": [], "arms": ["signs", "reinit"], "points": 3})
    assert (arms_at(0, few), arms_at(1, few)) == ([], ["signs", "reinit"])


@pytest.mark.parametrize("arm", SPARSE)
def test_every_arm_keeps_as_many_weights_in_each_layer_as_the_ticket(arm: str) -> None:
    for mine, theirs in zip(begun(arm).masks, ticket().masks, strict=True):
        assert np.array_equal(mine.sum(axis=(1, 2)), theirs.sum(axis=(1, 2)))


def test_a_reinit_has_the_tickets_mask_and_other_first_weights_at_every_round() -> None:
    start = begun("reinit")
    assert same(start, ticket())
    assert not np.isin(layers(start.vectors)[0], layers(ticket().vectors)[0]).any()
    assert not np.array_equal(start.vectors, begun("reinit", 1).vectors)
    assert start.vectors.std() == pytest.approx(ticket().vectors.std(), rel=0.1)


def test_a_shuffled_ticket_has_another_mask_in_every_replicate_and_the_first_weights() -> None:
    start, other = begun("shuffled"), begun("random")
    assert np.array_equal(start.vectors, ticket().vectors)
    for mine, drawn, theirs in zip(start.masks, other.masks, ticket().masks, strict=True):
        for replicate in range(TASK.replicates):
            assert not np.array_equal(mine[replicate], theirs[replicate])
            assert not np.array_equal(drawn[replicate], theirs[replicate])
    assert not same(start, other)
    assert not np.isin(layers(other.vectors)[0], layers(start.vectors)[0]).any()


def test_a_oneshot_ticket_keeps_the_largest_weights_of_the_trained_dense_net() -> None:
    start, trained = begun("oneshot"), layers(chain()[0].handed["trained"])
    assert np.array_equal(start.vectors, ticket().vectors)
    assert not same(start, ticket())
    for mask, weights in zip(start.masks, trained, strict=True):
        for replicate in range(TASK.replicates):
            magnitudes, kept = np.abs(weights[replicate]), mask[replicate]
            assert magnitudes[kept].min() > magnitudes[~kept].max()


def test_at_round_1_a_oneshot_ticket_is_the_ticket() -> None:
    assert same(begun("oneshot", 1), ticket(1))


@pytest.mark.parametrize("scheme", ["glorot_normal", "glorot_uniform", "kaiming_normal"])
def test_signs_are_those_of_the_first_weights_times_the_spread_that_each_layer_was_drawn_with(scheme: str) -> None:
    task = TASK.model_copy(update={"init": scheme})
    first = first_weights(WIDTHS, task, SEED)
    handed = chain()[2].handed | {"start": first}
    start = start_of("signs", 2, handed, chain()[0].handed, replace(lesson()[0], task=task))
    assert same(start, ticket())
    for found, weights in zip(layers(start.vectors), layers(first), strict=True):
        inputs, outputs = weights.shape[1:]
        spread = np.sqrt(2 / inputs if scheme == "kaiming_normal" else 2 / (inputs + outputs))
        assert found == pytest.approx(np.sign(weights) * spread, rel=FLOAT32)
        assert weights.std() == pytest.approx(spread, rel=0.25)


def test_a_finetuned_ticket_starts_from_the_trained_weights_of_the_round_before() -> None:
    for number in (1, 2):
        start = begun("finetuned", number)
        assert same(start, ticket(number))
        assert np.array_equal(start.vectors, chain()[number - 1].handed["trained"])


def test_the_control_shares_neither_first_weights_nor_order_with_the_dense_net() -> None:
    start = begun("control", 0)
    assert all(mask.all() for mask in start.masks)
    assert not np.isin(layers(start.vectors)[0], layers(ticket(0).vectors)[0]).any()
    other = replace(lesson()[0], order="lottery, control")
    assert np.array_equal(measured("control", 0)["vectors"], train(start, other)["vectors"])


@pytest.mark.parametrize("number", [0, 2])
def test_a_twin_differs_from_its_ticket_in_the_order_of_the_rows_alone(number: int) -> None:
    start = begun("twin", number)
    assert same(start, ticket(number))
    assert np.array_equal(start.vectors, ticket(number).vectors)
    found = measured("twin", number)
    assert not np.array_equal(found["vectors"], chain()[number].handed["trained"])
    other = replace(lesson()[0], order="lottery, twin")
    assert np.array_equal(found["vectors"], train(start, other)["vectors"])
    assert np.array_equal(train(start, lesson()[0])["vectors"], chain()[number].handed["trained"])


@pytest.mark.parametrize("arm", ["reinit", "shuffled", "random", "oneshot", "signs", "finetuned"])
def test_an_arm_sees_the_rows_in_the_order_in_which_its_ticket_sees_them(arm: str) -> None:
    # from the ticket's own start it ends where the ticket does, to the bit
    assert np.array_equal(measured(arm, start=ticket())["vectors"], chain()[2].handed["trained"])


# ---------------------------------------------------------------- the barrier


def permuted(vectors: np.ndarray) -> np.ndarray:
    """Return the same functions with the units of both hidden layers in another order."""
    population = MLPPopulation(len(vectors), WIDTHS)
    population.load_vectors(torch.from_numpy(vectors))
    with torch.no_grad():
        for depth in (0, 1):
            here, above = population.layers[depth], population.layers[depth + 1]
            order = torch.randperm(WIDTHS[depth + 1], generator=stream(0, "units", depth))
            units = slice(0, WIDTHS[depth + 1])
            here.weight[:, :, units] = here.weight[:, :, order].clone()  # type: ignore[index, operator]
            here.bias[:, :, units] = here.bias[:, :, order].clone()  # type: ignore[index, operator]
            above.weight[:, units] = above.weight[:, order].clone()  # type: ignore[index, operator]
    moved: np.ndarray = population.vectors().numpy()
    return moved


def test_there_is_no_barrier_between_a_network_and_itself_and_one_to_its_own_permutation() -> None:
    trained = chain()[0].handed["trained"]
    start = ticket(0)
    itself = line(trained, trained, start, lesson()[0], 7)
    assert set(itself) == {"error_barrier", "loss_barrier"}
    assert all((barrier == 0).all() for barrier in itself.values())
    other = permuted(trained)
    assert np.array_equal(answers(other, data()["test"]["x"]), answers(trained, data()["test"]["x"]))
    between = line(trained, other, start, lesson()[0], 7)
    assert (between["loss_barrier"] > 0.1).all()
    assert (between["error_barrier"] > 0.02).all()


def test_a_barrier_is_the_highest_on_the_line_less_the_mean_of_its_ends_on_test_rows() -> None:
    one, two = chain()[2].handed["trained"], measured("twin")["vectors"]
    found = line(one, two, ticket(), lesson()[0], 5)
    x, y = (data()["test"][name] for name in ("x", "y"))
    errors, losses = [], []
    for share in np.linspace(0, 1, 5):
        population = MLPPopulation(3, WIDTHS)
        population.load_vectors(torch.from_numpy(((1 - share) * one + share * two).astype(np.float32)))
        outputs = population.predict(torch.nn.functional.pad(torch.from_numpy(x), (0, 4)))
        losses.append(cross_entropy(outputs, torch.from_numpy(y)).numpy())
        errors.append((outputs.argmax(dim=2).numpy() != y).mean(axis=1))
    for name, values in (("error_barrier", np.stack(errors)), ("loss_barrier", np.stack(losses))):
        assert found[name] == pytest.approx(values.max(axis=0) - (values[0] + values[-1]) / 2, abs=1e-5)
        assert np.array_equal(measured("twin")[name], found[name])


# ---------------------------------------------------------------- trials


def test_the_trials_of_a_round_hold_every_arm_and_of_the_ticket_the_differences_that_matter() -> None:
    handed, dense = chain()[2].handed, chain()[0].handed
    named = jobs(SPARSE, 2, handed, dense, lesson(workers=2), 5)
    assert len(named) == 2 * len(SPARSE)
    done = [measure(*job) for job in named.values()]  # type: ignore[arg-type]
    found = {arm: joined(done[2 * place :][:2]) for place, arm in enumerate(SPARSE)}
    for arm in SPARSE:
        assert np.array_equal(found[arm]["vectors"], measured(arm)["vectors"])
    trials = pd.DataFrame(control_trials(2, found, handed, dense))
    assert not trials.duplicated(["arm", "x", "replicate", "metric"]).any()
    assert set(trials["arm"]) == {"ticket", *SPARSE, "reinit, round 2"}

    def values(arm: str, metric: str) -> np.ndarray:
        own = trials[(trials["arm"] == arm) & (trials["metric"] == metric) & (trials["x"] == 2.0)]
        return own.sort_values("replicate")["value"].to_numpy()

    early = {arm: values(arm, "early_test_accuracy") for arm in SPARSE}
    early["ticket"] = handed["score-early_test_accuracy"]
    assert set(trials[trials["arm"] == "ticket"]["metric"]) == {
        "over_dense", "over_reinit", "end_over_dense", "end_over_reinit",
    }  # fmt: skip
    gained = handed["score-test_accuracy"] - found["reinit"]["test_accuracy"]
    assert values("ticket", "end_over_reinit") == pytest.approx(gained)
    for arm, scores in early.items():
        assert values(arm, "over_dense") == pytest.approx(scores - dense["score-early_test_accuracy"])
    assert values("ticket", "over_reinit") == pytest.approx(early["ticket"] - early["reinit"])
    middle = (early["ticket"] + early["reinit"]) / 2
    assert values("signs", "over_midpoint") == pytest.approx(early["signs"] - middle)
    assert len(values("twin", "error_barrier")) == len(values("twin", "loss_barrier")) == TASK.replicates
    assert set(trials[trials["metric"] == "error_barrier"]["arm"]) == {"twin"}


def test_round_0_has_a_control_and_a_twin_and_no_difference_to_a_reinit() -> None:
    handed = chain()[0].handed
    found = {arm: measured(arm, 0) for arm in ("control", "twin")}
    trials = pd.DataFrame(control_trials(0, found, handed, handed))
    assert set(trials["arm"]) == {"ticket", "control", "twin"}
    assert not set(trials["metric"]) & {"over_reinit", "over_midpoint"}
    own = trials[(trials["arm"] == "ticket") & (trials["metric"] == "over_dense")]
    assert (own["value"] == 0).all()


def test_all_masks_of_the_dense_round_keep_everything() -> None:
    whole = all_kept(MLPPopulation(TASK.replicates, WIDTHS))
    for arm in ("control", "twin"):
        assert all(np.array_equal(mine, mask.numpy()) for mine, mask in zip(begun(arm, 0).masks, whole, strict=True))
