"""Laws of the bundled sets and of the table of sources."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from torchstone.core.errors import InputError
from torchstone.core.schema import Finite, Generated, Prepare
from torchstone.data.prepared import stratified_splits
from torchstone.data.sources import SOURCES, prepare

ROW = Finite(replicates=3, valid=0.2, test=0.2)
LOADED = {
    "breast_cancer": load_breast_cancer(return_X_y=True),
    "digits": load_digits(return_X_y=True),
    "diabetes": load_diabetes(return_X_y=True, scaled=False),
}
CLASSES = {"breast_cancer": 2, "digits": 10, "diabetes": 0}


@pytest.mark.parametrize("name", LOADED)
def test_every_row_of_the_set_is_in_exactly_one_part(name: str) -> None:
    x, y = LOADED[name]
    prepared = prepare(name, ROW, seed=1)
    parts = (prepared.train, prepared.valid, prepared.test)
    assert prepared.classes == CLASSES[name]
    for replicate in range(3):
        found = np.concatenate([part.y[replicate] for part in parts])
        np.testing.assert_array_equal(np.sort(found), np.sort(y))
    for part in parts:
        assert part.x.shape == (3, part.y.shape[1], x.shape[1])
        assert part.x.dtype == np.float32
        assert part.y.dtype == (np.int64 if prepared.classes else np.float64)
        assert np.isfinite(part.x).all()


@pytest.mark.parametrize("name", LOADED)
def test_features_belong_to_their_targets_and_are_scaled_by_train_only(name: str) -> None:
    x, y = LOADED[name]
    prepared = prepare(name, ROW, seed=1)
    splits = stratified_splits(y, 3, 0.2, 0.2, seed=1, name=name)
    train = x[splits.train[1]]
    varies = train.std(0) > 0
    pooled = name == "digits"  # pixels share one mean and sd
    centre, scale = (train.mean(), train.std()) if pooled else (train.mean(0), np.where(varies, train.std(0), 1))
    expected = ((x[splits.test[1]] - centre) / scale)[:, varies]
    np.testing.assert_allclose(prepared.test.x[1][:, varies], expected, rtol=1e-5, atol=1e-6)
    if not pooled:
        np.testing.assert_array_equal(prepared.test.x[1][:, ~varies], 0)
    np.testing.assert_array_equal(prepared.test.y[1], y[splits.test[1]])


@pytest.mark.parametrize("name", LOADED)
def test_a_bundled_replicate_does_not_depend_on_their_number(name: str) -> None:
    few, many = prepare(name, ROW, 1), prepare(name, ROW.model_copy(update={"replicates": 5}), 1)
    np.testing.assert_array_equal(few.train.x, many.train.x[:3])
    np.testing.assert_array_equal(few.test.y, many.test.y[:3])
    assert not np.array_equal(many.test.y[0], many.test.y[1])


def test_every_data_set_of_params_has_a_source() -> None:
    assert set(SOURCES) == set(Prepare.model_fields)


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(InputError, match=r"prepare\.wavform: unknown data set; did you mean 'waveform'\?"):
        prepare("wavform", Generated(replicates=1, train=1, valid=1, test=1), seed=1)


def global_numpy_state() -> tuple[object, ...]:
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002  the global generator is what is watched
    return (state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"], state["gauss"])


@pytest.mark.parametrize("name", ["waveform", "friedman1", "mnist1d", *LOADED])
def test_global_generators_never_move(name: str) -> None:
    before = random.getstate(), global_numpy_state()
    row = ROW if name in LOADED else Generated(replicates=2, train=20, valid=20, test=20)
    prepare(name, row, seed=1)
    assert (random.getstate(), global_numpy_state()) == before


def test_the_state_of_global_generators_changes_nothing() -> None:
    row = Generated(replicates=1, train=20, valid=20, test=20)
    first = prepare("mnist1d", row, seed=1)
    np.random.seed(99)  # noqa: NPY002  the point of the test
    np.testing.assert_array_equal(prepare("mnist1d", row, seed=1).train.x, first.train.x)
