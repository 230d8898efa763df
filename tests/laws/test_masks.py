"""Laws of masks: exact counts whatever the magnitudes, nothing comes back, and no replicate looks at its neighbours."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from torchstone.core.streams import stream
from torchstone.nets.masks import (
    Masks,
    by_magnitude,
    by_magnitude_of_all,
    counts,
    dense,
    density,
    named,
    pruned,
    remaining,
    shuffled,
    weights_of,
)
from torchstone.nets.population import MLPPopulation
from torchstone.studies.lottery.chain import PRINTED, WIDTHS, ladder

SHAPES = [(7, 5), (5, 4), (4, 3)]
PLAIN = settings(max_examples=40, deadline=None)
levels = st.integers(min_value=0, max_value=4)  # so few levels of magnitude make ties everywhere
rates = st.floats(min_value=0.01, max_value=0.99)


def drawn(name: str, replicates: int = 3, levels: int | None = None) -> list[Tensor]:
    """Return weights of both signs, each replicate's from its own stream; of so many magnitudes if ``levels``."""
    layers = []
    for layer, (inputs, outputs) in enumerate(SHAPES):
        streams = [stream(0, name, layer, replicate) for replicate in range(replicates)]
        if levels is None:
            layers.append(torch.stack([torch.randn(inputs, outputs, generator=one) for one in streams]))
        else:
            whole = [torch.randint(-levels, levels + 1, (inputs, outputs), generator=one) for one in streams]
            layers.append(torch.stack(whole).float())
    return layers


def full(weights: list[Tensor]) -> Masks:
    return [torch.ones(weight.shape, dtype=torch.bool) for weight in weights]


def inside(new: Masks, old: Masks) -> bool:
    return not any(bool((after & ~before).any()) for after, before in zip(new, old, strict=True))


def equal(one: Masks, two: Masks) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


# ---------------------------------------------------------------- exact counts


@PLAIN
@given(level=levels, rate=rates, output_rate=rates, together=st.booleans(), name=st.integers(0, 99))
def test_each_round_removes_exactly_its_share_of_what_is_left_whatever_is_equal(
    level: int, rate: float, output_rate: float, together: bool, name: int
) -> None:
    masks = full(drawn("ties"))
    for number in range(4):
        weights = drawn(f"ties {name} {number}", levels=level)
        following = pruned(weights, masks, rate, output_rate, together=together)
        before, after = counts(masks), counts(following)
        for replicate in range(3):
            hidden, left = before[:-1, replicate], after[:-1, replicate]
            if together:
                assert left.sum() == hidden.sum() - round(rate * int(hidden.sum()))
            else:
                assert left.tolist() == [int(count) - round(rate * int(count)) for count in hidden]
            last = int(before[-1, replicate])
            assert after[-1, replicate] == last - round(output_rate * last)
        assert inside(following, masks)
        masks = following


def test_of_equal_magnitudes_the_first_stay_and_signs_do_not_count() -> None:
    weights = [torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]])]
    (mask,) = by_magnitude(weights, full(weights), torch.tensor([[3]]))
    assert mask.flatten().tolist() == [True, True, True, False]
    weights = [torch.tensor([[[-5.0, 1.0], [0.0, 2.0]]])]
    (mask,) = by_magnitude(weights, full(weights), torch.tensor([[2]]))
    assert mask.flatten().tolist() == [True, False, False, True]


def test_weights_that_are_all_zero_are_pruned_as_exactly_as_others() -> None:
    weights = [torch.zeros(2, *shape) for shape in SHAPES]
    found = pruned(weights, full(weights), 0.2, 0.1, together=False)
    assert counts(found).tolist() == [[28, 28], [16, 16], [11, 11]]


def test_a_weight_that_is_left_and_zero_is_larger_than_one_that_is_pruned() -> None:
    weights = [torch.tensor([[[9.0, 0.0, 0.0, 3.0]]])]
    masks = [torch.tensor([[[False, True, True, True]]])]
    (mask,) = by_magnitude(weights, masks, torch.tensor([[3]]))
    assert mask.flatten().tolist() == [False, True, True, True]


def test_a_weight_that_is_not_a_number_changes_no_count_and_brings_nothing_back() -> None:
    weights = drawn("nan")
    masks = pruned(weights, full(weights), 0.5, 0.5, together=False)
    weights[0][1] = float("nan")
    weights[1][1, 0] = float("nan")
    found = pruned(weights, masks, 0.5, 0.5, together=False)
    assert (counts(found) == counts(found)[:, :1]).all()
    assert inside(found, masks)


@pytest.mark.parametrize(("count", "rate", "left"), [(10, 0.2, 8), (7, 0.2, 6), (8, 0.2, 6), (1, 0.4, 1), (1, 0.6, 0)])
def test_a_share_is_rounded_to_the_nearest_whole_weight(count: int, rate: float, left: int) -> None:
    assert remaining(count, rate) == left


@pytest.mark.parametrize("together", [False, True])
def test_to_keep_more_than_there_are_is_refused(together: bool) -> None:
    weights = drawn("refused")[:2]
    masks = pruned([*weights, weights[0]], [*full(weights), full(weights)[0]], 0.5, 0.5, together=False)[:2]
    left = counts(masks)
    keep = left.sum(0) + torch.tensor([0, 0, 1]) if together else left + torch.tensor([[0, 0, 0], [0, 1, 0]])
    with pytest.raises(ValueError, match=r"to keep .* is not to prune"):
        (by_magnitude_of_all if together else by_magnitude)(weights, masks, keep)


# ---------------------------------------------------------------- which weights go


def test_what_is_kept_of_a_layer_is_larger_than_what_is_taken() -> None:
    weights = drawn("larger")
    masks = full(weights)
    for _ in range(5):
        following = pruned(weights, masks, 0.2, 0.1, together=False)
        for weight, before, after in zip(weights, masks, following, strict=True):
            for replicate in range(3):
                gone = (before & ~after)[replicate]
                assert weight[replicate][gone].abs().max() < weight[replicate][after[replicate]].abs().min()
        masks = following


def test_layers_that_are_pruned_together_lose_their_globally_smallest_and_the_output_its_own() -> None:
    weights = drawn("global")
    weights[1] *= 0.1
    found = pruned(weights, full(weights), 0.3, 0.25, together=True)
    for replicate in range(3):
        hidden = [torch.cat([part[replicate].flatten() for part in parts[:-1]]) for parts in (weights, found)]
        magnitudes, kept = hidden[0].abs(), hidden[1].bool()
        assert int(kept.sum()) == remaining(len(magnitudes), 0.3)
        assert magnitudes[~kept].max() < magnitudes[kept].min()
    assert (counts(found)[-1] == 9).all()
    assert (counts(found)[1] < counts(found)[0] / 2).all()  # the second layer's are smaller


@pytest.mark.parametrize("together", [False, True])
def test_a_network_of_one_layer_has_only_its_output_pruned(together: bool) -> None:
    weights = drawn("single")[:1]
    found = pruned(weights, full(weights), 0.5, 0.2, together=together)
    assert counts(found).tolist() == [[28, 28, 28]]


@pytest.mark.parametrize("together", [False, True])
def test_a_replicates_mask_does_not_depend_on_its_neighbours(together: bool) -> None:
    weights = drawn("neighbours")
    masks = shuffled(pruned(weights, full(weights), 0.5, 0.5, together=False), [stream(0, k) for k in range(3)])
    found = pruned(weights, masks, 0.2, 0.1, together=together)
    for replicate in range(3):
        rows = slice(replicate, replicate + 1)
        alone = pruned([w[rows] for w in weights], [m[rows] for m in masks], 0.2, 0.1, together=together)
        assert equal(alone, [mask[rows] for mask in found])


@pytest.mark.parametrize("rate", [0.2, 0.37])
def test_one_step_is_that_of_torchs_own_pruning_where_nothing_is_equal(rate: float) -> None:
    weights = drawn("torch")
    found = pruned(weights, full(weights), rate, rate, together=False)
    for weight, mask in zip(weights, found, strict=True):
        for replicate in range(3):
            layer = nn.Linear(weight.shape[1], weight.shape[2], bias=False)
            with torch.no_grad():
                layer.weight.copy_(weight[replicate].T)
            torch_prune.l1_unstructured(layer, "weight", amount=rate)  # type: ignore[no-untyped-call]
            assert torch.equal(layer.get_buffer("weight_mask").bool(), mask[replicate].T)


# ---------------------------------------------------------------- shuffled masks


def test_a_shuffled_mask_keeps_the_counts_of_each_layer_and_is_another() -> None:
    weights = drawn("shuffled")
    masks = pruned(weights, full(weights), 0.6, 0.4, together=False)
    mixed = shuffled(masks, [stream(1, "mix", k) for k in range(3)])
    assert torch.equal(counts(mixed), counts(masks))
    for layer in range(len(masks)):
        for replicate in range(3):
            assert not torch.equal(mixed[layer][replicate], masks[layer][replicate])


def test_a_shuffled_mask_depends_on_its_own_stream_and_counts_alone() -> None:
    weights = drawn("streams")
    masks = pruned(weights, full(weights), 0.6, 0.4, together=False)
    mixed = shuffled(masks, [stream(1, "mix", k) for k in range(3)])
    alone = shuffled([mask[2:] for mask in masks], [stream(1, "mix", 2)])
    assert equal(alone, [mask[2:] for mask in mixed])
    assert not equal(mixed, shuffled(masks, [stream(2, "mix", k) for k in range(3)]))


def test_every_place_is_as_likely_in_a_shuffled_mask() -> None:
    mask = torch.zeros(2000, 4, 3, dtype=torch.bool)
    mask[:, 0] = True
    (mixed,) = shuffled([mask], [stream(3, k) for k in range(2000)])
    shares = mixed.double().mean(dim=0)
    assert shares.numpy() == pytest.approx(np.full((4, 3), 0.25), abs=0.05)


# ---------------------------------------------------------------- of a population


def test_a_population_is_pruned_in_its_weights_and_never_in_its_biases_or_its_padding() -> None:
    population = MLPPopulation(2, (7, 5, 3))
    masks = dense(population)
    assert [tuple(mask.shape) for mask in masks] == [(2, 7, 5), (2, 5, 3)]
    assert density(masks).tolist() == [1.0, 1.0]
    for_optimiser = named(population, pruned(weights_of(population), masks, 0.2, 0.2, together=False))
    parameters: dict[str, Any] = dict(population.named_parameters())
    assert set(for_optimiser) == {name for name in parameters if name.endswith("weight")}
    for name, mask in for_optimiser.items():
        assert mask.shape == parameters[name].shape
    assert [float(mask.sum()) for mask in for_optimiser.values()] == [2 * 28, 2 * 12]


def test_the_weights_of_a_population_are_views_without_padding() -> None:
    population = MLPPopulation(2, (7, 5, 3))
    for weight in weights_of(population):
        with torch.no_grad():
            weight.fill_(2.0)
    assert [float(layer.weight.detach().sum()) for layer in population.layers] == [140.0, 60.0]  # type: ignore[operator]


def test_the_printed_ladder_of_lenet_comes_out_of_the_same_masks_as_the_chain() -> None:
    trials = ladder()
    shares = {int(trial.x): trial.value for trial in trials if trial.x is not None}
    assert sum(a * b for a, b in pairwise(WIDTHS)) == 266_200
    assert PRINTED == {3: 0.513, 7: 0.211, 9: 0.135, 15: 0.036, 18: 0.019, 20: 0.012}
    for number, printed in PRINTED.items():
        assert round(100 * shares[number], 1) == round(100 * printed, 1)
    (residual,) = [trial.value for trial in trials if trial.metric == "printed_residual"]
    assert residual == max((shares[k] - PRINTED[k] for k in PRINTED), key=abs) != 0
    assert abs(residual) <= 0.0005
