"""Laws of neighbours among surviving weights: planted structure is found, chance and marginals explain themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchstone.core.rng import numpy_stream
from torchstone.studies.lottery.structure import Mask, neighbours, pictures, structure_trials

SIGNAL, IMAGE = (1, 40), (6, 7)
UNITS, REPLICATES = 30, 12
OVER = ("neighbours_over_shuffled", "neighbours_over_inputs")


def windows(shape: Sequence[int], width: int = 8) -> Mask:
    """Return masks in which every unit keeps a run of inputs side by side, somewhere."""
    mask = np.zeros((REPLICATES, shape[0] * shape[1], UNITS), dtype=bool)
    for replicate in range(REPLICATES):
        starts = numpy_stream(0, "window", replicate).integers(0, mask.shape[1] - width, UNITS)
        for unit, start in enumerate(starts):
            mask[replicate, start : start + width, unit] = True
    return mask


def moved(mask: Mask, axis: int, name: str) -> Mask:
    """Shuffle within each unit (axis 1) or within each input (axis 2), every replicate by its own stream."""
    streams = [numpy_stream(0, name, replicate) for replicate in range(len(mask))]
    return np.stack([stream.permuted(own, axis=axis - 1) for stream, own in zip(streams, mask, strict=True)])


def counted(mask: Mask, shape: Sequence[int]) -> npt.NDArray[np.float64]:
    """Count neighbouring pairs a survivor by a plain loop, [replicate]."""
    rows, columns = shape
    found = []
    for own in mask:
        grid = own.reshape(rows, columns, -1)
        pairs = 0
        for row in range(rows):
            for column in range(columns):
                for below, beside in ((1, 0), (0, 1)):
                    if row + below < rows and column + beside < columns:
                        pairs += int((grid[row, column] & grid[row + below, column + beside]).sum())
        found.append(pairs / own.sum())
    return np.array(found)


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE, (4, 1)])
def test_neighbours_are_those_of_a_plain_count_and_no_row_runs_into_the_next(shape: tuple[int, int]) -> None:
    mask = numpy_stream(0, "count").random((3, shape[0] * shape[1], 5)) < 0.4
    assert neighbours(mask, shape)["neighbours"] == pytest.approx(counted(mask, shape))
    edge = np.zeros((1, 42, 1), dtype=bool)
    edge[0, [6, 7]] = True  # the last of a row and the first of the next
    assert neighbours(edge, IMAGE)["neighbours"].tolist() == [0.0]
    edge[0, 0] = True  # above the first of the next
    assert neighbours(edge, IMAGE)["neighbours"].tolist() == [pytest.approx(1 / 3)]


def test_a_full_mask_has_all_neighbours_and_is_what_both_nulls_expect() -> None:
    found = neighbours(np.ones((2, 40, UNITS), dtype=bool), SIGNAL)
    for name in ("neighbours", "neighbours_shuffled", "neighbours_inputs"):
        assert found[name] == pytest.approx([39 / 40, 39 / 40])


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE])
def test_planted_neighbours_lie_over_both_nulls_and_a_shuffled_mask_over_none(shape: tuple[int, int]) -> None:
    mask = windows(shape)
    planted, chance = neighbours(mask, shape), neighbours(moved(mask, 1, "chance"), shape)
    for name in OVER:
        assert (planted[name] > 0.3).all()
        assert abs(chance[name].mean()) < 4 * chance[name].std(ddof=1) / np.sqrt(REPLICATES)
        assert abs(chance[name].mean()) < 0.05


def test_inputs_that_keep_more_weights_than_others_fool_the_first_null_and_not_the_second() -> None:
    shares = 0.9 * np.exp(-(((np.arange(40) - 20) / 6) ** 2)) + 0.02
    draws = [numpy_stream(0, "marginal", k).random((40, UNITS)) for k in range(REPLICATES)]
    mask = np.stack([draw < shares[:, None] for draw in draws])
    found = neighbours(mask, SIGNAL)
    assert (found["neighbours_over_shuffled"] > 0.3).all()
    spread = found["neighbours_over_inputs"].std(ddof=1) / np.sqrt(REPLICATES)
    assert abs(found["neighbours_over_inputs"].mean()) < 4 * spread
    assert np.abs(found["neighbours_over_inputs"]).max() < 0.1


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE])
@pytest.mark.parametrize(("null", "axis"), [("neighbours_shuffled", 1), ("neighbours_inputs", 2)])
def test_each_closed_form_is_the_mean_of_many_shuffles(shape: tuple[int, int], null: str, axis: int) -> None:
    own = windows(shape)[:1]
    own[:, 3] = True  # uneven in inputs and units alike
    own[:, :, 5] = True
    many = moved(np.repeat(own, 800, axis=0), axis, "many")
    shuffles = neighbours(many, shape)["neighbours"]
    error = shuffles.std(ddof=1) / np.sqrt(len(shuffles))
    assert abs(shuffles.mean() - neighbours(own, shape)[null][0]) < 4 * error
    assert neighbours(many, shape)[null] == pytest.approx(neighbours(own, shape)[null][0])  # the null is kept by it


@settings(max_examples=30, deadline=None)
@given(name=st.integers(0, 999), share=st.floats(0.05, 1.0))
def test_what_lies_over_a_null_is_the_difference_to_it(name: int, share: float) -> None:
    mask = numpy_stream(0, "any", name).random((2, 42, 6)) < share
    mask[:, 0] = True
    found = neighbours(mask, IMAGE)
    for null in ("shuffled", "inputs"):
        assert found[f"neighbours_over_{null}"] == pytest.approx(found["neighbours"] - found[f"neighbours_{null}"])
        assert (found[f"neighbours_{null}"] >= 0).all()


def test_a_replicate_has_its_own_neighbours_as_trials_of_its_ticket() -> None:
    mask = windows(SIGNAL)[:3]
    trials = pd.DataFrame(structure_trials(4, mask, SIGNAL))
    assert set(trials["arm"]) == {"ticket"}
    assert set(trials["x"]) == {4.0}
    for replicate in range(3):
        alone = neighbours(mask[replicate : replicate + 1], SIGNAL)
        own = trials[trials["replicate"] == replicate].set_index("metric")["value"].to_dict()
        assert own == {name: float(values[0]) for name, values in alone.items()}


# ---------------------------------------------------------------- masks as pictures


def test_the_pictures_of_a_signal_show_each_replicates_inputs_their_mean_and_the_units_by_place() -> None:
    mask = windows(SIGNAL)[:3]
    weights = numpy_stream(0, "weights").normal(size=mask.shape).astype(np.float32)
    found = pictures(mask, weights, SIGNAL)
    assert found["inputs"].shape == (4, 1, 1, 40)
    assert found["inputs_rows"].tolist() == ["0", "1", "2", "mean"]
    assert found["inputs"][:3, 0, 0] == pytest.approx(mask.mean(axis=2))
    assert found["inputs"][3, 0, 0] == pytest.approx(mask.mean(axis=(0, 2)))
    units = found["units"][0, 0]
    assert units.shape == (40, UNITS)
    assert sorted(units.sum(axis=0)) == pytest.approx(sorted(np.where(mask[0], weights[0], 0.0).sum(axis=0)))
    firsts = (units != 0).argmax(axis=0)
    assert (np.diff(firsts) >= 0).all()


def test_the_pictures_of_an_image_show_the_units_with_the_most_weights_first_and_blanks_where_there_are_none() -> None:
    mask = windows(IMAGE)[:2, :, :5]
    mask[0, :, 3] = True
    weights = numpy_stream(0, "weights").normal(size=mask.shape).astype(np.float32)
    found = pictures(mask, weights, IMAGE)
    assert found["inputs"].shape == (1, 3, 6, 7)
    assert found["inputs_columns"].tolist() == ["0", "1", "mean"]
    assert found["units"].shape == (3, 8, 6, 7)
    assert np.array_equal(found["units"][0, 0].ravel(), weights[0, :, 3])
    assert (found["units"].reshape(24, -1) != 0).any(axis=1).sum() == 5


def test_units_without_any_weight_come_last_in_a_signal() -> None:
    mask = windows(SIGNAL)[:1]
    mask[0, :, :4] = False
    units = pictures(mask, np.ones(mask.shape, dtype=np.float32), SIGNAL)["units"][0, 0]
    assert not units[:, -4:].any()
    assert units[:, :-4].any(axis=0).all()


def test_unequal_inputs_and_units_together_fool_neither_the_third_null_nor_leave_the_second_alone() -> None:
    generator = numpy_stream(5, "both marginals")
    inputs, units = np.linspace(0.2, 1.8, 40), np.where(np.arange(120) < 60, 0.02, 1.98)
    chance = np.clip(0.1 * np.outer(inputs, units), 0, 1)
    masks = generator.random((40, 40, 120)) < chance
    found = neighbours(masks, (1, 40))
    error = found["neighbours_over_both"].std(ddof=1) / np.sqrt(len(masks))
    assert abs(found["neighbours_over_both"].mean()) < 4 * error
    assert found["neighbours_over_inputs"].mean() > 0.05
