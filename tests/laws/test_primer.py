"""Laws of the primer: what holds is found to hold, and every planted error is caught."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Primer
from torchstone.core.streams import stream
from torchstone.studies.primer import arrays, stacking
from torchstone.studies.primer.checks import checks
from torchstone.studies.primer.functions import FUNCTIONS, Case, standardise
from torchstone.studies.primer.gradients import by_differences, compared, gradients
from torchstone.studies.primer.graph import graph
from torchstone.studies.primer.regression import WAYS, closed_form, regression, task

SETTINGS = Primer(replicates=5, pairs=60, width=1e-4, rows=20, features=3, rate=0.1, updates=300, hidden=[6])


def random(*names: str | int) -> np.random.Generator:
    return numpy_stream(1, "test", *names)


# ---------------------------------------------------------------- arrays


def test_memory_is_shared_by_from_numpy_and_by_nothing_that_copies() -> None:
    found = arrays.memory(random("memory"), 100)
    assert found == {"from_numpy": {"shared": 1.0}, "tensor": {"shared": 0.0}}
    array = random("array").standard_normal((3, 4))
    assert arrays.shares(torch.from_numpy, array)
    assert not arrays.shares(lambda one: torch.from_numpy(one).clone(), array)


def test_one_way_sharing_is_not_sharing() -> None:
    def stale(array: np.ndarray) -> Tensor:  # sees what is written into the array, but writes into a copy
        @dataclass
        class Window:
            seen: np.ndarray

            def __getitem__(self, place: tuple[int, ...]) -> Tensor:
                return torch.as_tensor(self.seen[place])

            def __setitem__(self, place: tuple[int, ...], value: float) -> None:
                self.seen = self.seen.copy()
                self.seen[place] = value

        return Window(array)  # type: ignore[return-value]

    assert not arrays.shares(stale, np.ones(3))


def test_broadcasting_agrees_and_some_pairs_are_refused_by_both() -> None:
    found = arrays.broadcasting(random("shapes"), 400)["broadcasting"]
    assert found["agreement"] == 1.0
    assert 0.01 < found["refused"] < 0.5


@pytest.mark.parametrize("flaw", ["shape", "value", "accepts", "refuses"])
def test_a_library_that_broadcasts_otherwise_is_caught(flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add = torch.add

    def flawed(a: Tensor, b: Tensor) -> Tensor:
        if flaw == "accepts":
            try:
                return add(a, b)
            except RuntimeError:
                return a
        total = add(a, b)
        if flaw == "refuses" and a.ndim != b.ndim:
            raise RuntimeError
        return total.unsqueeze(0) if flaw == "shape" else total * (1 + 2**-50) if flaw == "value" else total

    monkeypatch.setattr(torch, "add", flawed)
    assert arrays.broadcasting(random("shapes"), 400)["broadcasting"]["agreement"] < 1


def test_the_dtypes_that_are_known_to_differ_are_found_to_differ_and_the_rules_of_torch_hold() -> None:
    found = arrays.dtypes(random("dtypes"), 600)
    for arm in ("two arrays", "integers with floats", "array and number", "array and scalar array"):
        assert 0 < found[arm]["agreement"] < 1, arm
    assert found["two arrays of kin"]["agreement"] == 1
    assert found["integers with floats"]["keeps_floats"] == 1
    assert found["array and number of no higher kind"]["agreement"] == 1
    assert found["array and scalar array of no higher kind"]["keeps_array"] == 1
    assert (np.ones(1, "int32") + np.ones(1, "float32")).dtype == "float64"
    assert (torch.ones(1, dtype=torch.int32) + torch.ones(1)).dtype == torch.float32


def test_shapes_have_empty_axes_and_none_at_all_among_them() -> None:
    drawn = [arrays.random_shape(random("shape", place)) for place in range(300)]
    assert () in drawn
    assert any(0 in shape for shape in drawn)
    assert all(arrays.random_shape(random("least", place), least=1) for place in range(100))


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("name", FUNCTIONS)
def test_three_gradients_of_each_function_are_one(name: str) -> None:
    for draw in range(20):
        found = compared(FUNCTIONS[name](stream(2, "case", name, draw)), 1e-5)
        assert found["against_differences"] < 1e-7
        assert found["against_hand"] < 1e-13


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_wrong_gradient_by_hand_is_caught_in_every_function(name: str) -> None:
    case = FUNCTIONS[name](stream(2, "case", name))
    wrong = Case(case.x, case.f, lambda x: 1.001 * case.gradient(x))
    assert compared(wrong, 1e-5)["against_hand"] > 1e-4


def test_a_gradient_that_autograd_gets_wrong_is_caught_by_both() -> None:
    def half_forgotten(x: Tensor) -> Tensor:
        return (x * x.detach()).sum()  # autograd sees x counted once, the function counts it twice

    x = torch.linspace(1, 2, 5, dtype=torch.float64)
    found = compared(Case(x, half_forgotten, lambda x: 2 * x), 1e-5)
    assert found["against_differences"] == pytest.approx(0.5)
    assert found["against_hand"] == pytest.approx(0.5)


def test_the_planted_error_is_no_error_of_autograd() -> None:
    found = compared(standardise(stream(3, "planted"), forgets=True), 1e-5)
    assert found["against_differences"] < 1e-7
    assert found["against_hand"] > 1e-3
    assert gradients(1, 0, 1e-5)["a term forgotten"]["against_hand"] > 1e-3


def test_the_error_of_central_differences_falls_with_the_square_of_their_width() -> None:
    x = torch.tensor([0.3, 1.1], dtype=torch.float64)
    errors = [float((by_differences(lambda x: x.sin().sum(), x, width) - x.cos()).norm()) for width in (0.1, 0.05)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)


def test_a_function_is_drawn_from_its_stream_alone_and_its_shape_varies() -> None:
    for draw in FUNCTIONS.values():
        assert torch.equal(draw(stream(1, "a")).x, draw(stream(1, "a")).x)
    assert len({FUNCTIONS["network"](stream(1, "shape", place)).x.shape for place in range(10)}) > 3


# ---------------------------------------------------------------- one regression four ways


def test_the_four_ways_agree_with_least_squares_of_numpy() -> None:
    x, y = task(1, 0, 20, 3)
    expected, *_ = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)
    np.testing.assert_allclose(closed_form(x, y).numpy(), expected, rtol=1e-10)
    for way in WAYS.values():
        np.testing.assert_allclose(way(x, y, 0.1, 600).numpy(), expected, rtol=1e-8)


def test_a_descent_that_has_not_arrived_is_caught_in_every_way() -> None:
    short = SETTINGS.model_copy(update={"updates": 3})
    found = regression(short, 1, 0)
    assert min(found[way]["distance"] for way in WAYS) > 1e-3
    assert found["all ways"]["distance"] == max(found[way]["distance"] for way in WAYS)


# ---------------------------------------------------------------- stacked models


def test_a_model_has_the_same_bits_in_every_company_and_one_norm_for_all_is_caught() -> None:
    found = stacking.stacking(SETTINGS, 1)
    assert found["stacked"] == [0.0] * SETTINGS.replicates
    assert min(found["stacked with one norm"]) > 0.5


def test_models_in_a_wrong_order_are_caught() -> None:
    def rolled(names: Sequence[int]) -> Tensor:
        return stacking.train(SETTINGS, 1, names).roll(1, dims=0)

    assert min(stacking.changed(rolled, 4)) > 0.5


def test_one_last_bit_of_one_parameter_of_one_model_is_caught() -> None:
    def nudged(names: Sequence[int]) -> Tensor:
        vectors = stacking.train(SETTINGS, 1, names)
        if len(names) > 2:
            place = list(names).index(2)
            vectors[place, 0] = torch.nextafter(vectors[place, 0], torch.tensor(math.inf))
        return vectors

    found = stacking.changed(nudged, 4)
    assert [share > 0 for share in found] == [False, False, True, False]


def test_training_moves_every_model_away_from_its_start_and_from_the_others() -> None:
    start, end = (stacking.train(SETTINGS.model_copy(update={"updates": n}), 1, range(4)) for n in (1, 300))
    assert (start - end).norm(dim=1).min() > 0.1
    assert torch.pdist(end).min() > 0.1


def test_every_model_is_met_in_each_arrangement_of_all_and_in_a_smaller_one() -> None:
    for count in (2, 5):
        everyone, reverse, *pairs = stacking.arrangements(count)
        assert sorted(everyone) == sorted(reverse) == sorted(chain.from_iterable(pairs)) == list(range(count))


# ---------------------------------------------------------------- the graph and the whole


def test_the_graph_holds_the_values_and_gradients_of_the_published_example() -> None:
    found = graph()
    labels = found["graph_labels"].tolist()
    assert found["graph"][-1] == pytest.approx((11.652, 1.0), abs=5e-4)
    by_name = {label: tuple(row) for label, row in zip(labels, found["graph"].tolist(), strict=True)}
    assert by_name["x1"] == pytest.approx((2.0, 5.5))
    assert by_name["x2"] == pytest.approx((5.0, 2 - math.cos(5)))
    inputs = [low for low, _ in found["graph_edges"].tolist()]
    assert inputs.count(labels.index("x1")) == inputs.count(labels.index("x2")) == 2
    assert len(found["graph_edges"]) == 8


def test_the_checks_are_the_same_again_and_touch_no_global_generator() -> None:
    settings = SETTINGS.model_copy(update={"replicates": 2, "updates": 20})
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002  that it stays is the law
    first = checks(settings, 7)
    assert checks(settings, 7) == first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
    assert {trial.replicate for trial in first} == {0, 1}


def test_another_replicate_changes_no_draw_of_the_others() -> None:
    few, more = (checks(SETTINGS.model_copy(update={"replicates": n, "updates": 20}), 7) for n in (2, 3))
    assert set(few) <= set(more)
