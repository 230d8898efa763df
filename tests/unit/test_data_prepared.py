"""Laws of splitting and scaling."""

from __future__ import annotations

import numpy as np
import pytest

from torchstone.core import rng
from torchstone.core.errors import InputError
from torchstone.data.prepared import assembled, standardised, stratified_splits

CLASSES = np.repeat(np.arange(3), [120, 60, 20])
TARGETS = rng.numpy_stream(0, "test", "targets").standard_normal(200)


def test_train_rows_come_out_with_mean_0_and_sd_1_per_feature() -> None:
    x = rng.numpy_stream(0, "test", "x").normal([5.0, -3.0, 1e6], [2.0, 1e-6, 1e3], (500, 3))
    (train,) = standardised(x)
    assert train.dtype == np.float32
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-6)


def test_scaling_uses_train_rows_only() -> None:
    x = rng.numpy_stream(0, "test", "x").standard_normal((100, 4))
    valid, test = x[:10] + 3, x[:20] * 7
    alone = standardised(x)[0]
    train, scaled_valid, scaled_test = standardised(x, valid, test)
    np.testing.assert_array_equal(train, alone)
    np.testing.assert_allclose(scaled_valid, (valid - x.mean(0)) / x.std(0), rtol=1e-6)
    np.testing.assert_allclose(scaled_test, (test - x.mean(0)) / x.std(0), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 0.1, -7.0])
def test_a_feature_constant_in_train_is_0_everywhere(value: float) -> None:
    x = np.column_stack([np.full(30, value), np.arange(30.0)])
    train, test = standardised(x, np.array([[value, 1.0], [value + 9, 2.0]]))
    np.testing.assert_array_equal(train[:, 0], 0)
    np.testing.assert_array_equal(test[:, 0], 0)
    assert np.isfinite(train).all()
    assert train[:, 1].std() == pytest.approx(1)


def test_a_feature_whose_sd_underflows_is_0_and_not_nan() -> None:
    (train,) = standardised(np.column_stack([np.arange(5) * 1e-200, np.arange(5.0)]))
    np.testing.assert_array_equal(train[:, 0], 0)


def test_pooled_scaling_keeps_the_shape_of_a_signal() -> None:
    x = rng.numpy_stream(0, "test", "x").normal(3, 2, (50, 8)) + np.arange(8)
    train, test = standardised(x, x[:5] + 1, pooled=True)
    np.testing.assert_allclose(train, (x - x.mean()) / x.std(), atol=1e-6)
    np.testing.assert_allclose(test, (x[:5] + 1 - x.mean()) / x.std(), atol=1e-6)
    assert standardised(np.full((4, 2), 0.1), pooled=True)[0].tolist() == [[0.0, 0.0]] * 4


@pytest.mark.parametrize("y", [CLASSES, TARGETS], ids=["classes", "regression"])
def test_parts_are_disjoint_and_cover_all_rows(y: np.ndarray) -> None:
    splits = stratified_splits(y, 5, 0.15, 0.25, seed=1, name="law")
    assert [part.shape for part in splits] == [(5, 120), (5, 30), (5, 50)]
    for parts in zip(*splits, strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(200))


def test_every_part_keeps_the_class_shares() -> None:
    for part in stratified_splits(CLASSES, 5, 0.15, 0.25, seed=1, name="law"):
        for rows in part:
            counts = np.bincount(CLASSES[rows], minlength=3)
            assert np.abs(counts - len(rows) * np.array([0.6, 0.3, 0.1])).max() <= 1


@pytest.mark.parametrize("y", [CLASSES, TARGETS], ids=["classes", "regression"])
def test_a_split_does_not_depend_on_the_number_of_replicates(y: np.ndarray) -> None:
    few, many = (stratified_splits(y, replicates, 0.2, 0.2, seed=1, name="law") for replicates in (2, 6))
    for part_few, part_many in zip(few, many, strict=True):
        np.testing.assert_array_equal(part_few, part_many[:2])
        assert len({tuple(rows) for rows in part_many}) == 6


def test_the_valid_share_does_not_move_the_test_rows() -> None:
    small, large = (stratified_splits(CLASSES, 3, share, 0.2, seed=1, name="law") for share in (0.1, 0.4))
    np.testing.assert_array_equal(small.test, large.test)


def test_splits_differ_between_seeds_and_between_data_sets() -> None:
    first = stratified_splits(CLASSES, 2, 0.2, 0.2, seed=1, name="law")
    for other in (
        stratified_splits(CLASSES, 2, 0.2, 0.2, seed=2, name="law"),
        stratified_splits(CLASSES, 2, 0.2, 0.2, seed=1, name="other"),
    ):
        assert not np.array_equal(first.test, other.test)


@pytest.mark.parametrize(("valid", "test"), [(0.001, 0.2), (0.2, 0.005), (0.3, 0.695)])
def test_a_part_too_small_for_its_classes_is_refused_by_name(valid: float, test: float) -> None:
    with pytest.raises(InputError, match=r"prepare\.law: cannot hold out \d+ of \d+ rows.*valid or test"):
        stratified_splits(CLASSES, 1, valid, test, seed=1, name="law")


def test_each_replicate_is_scaled_by_its_own_train_rows() -> None:
    generator = rng.numpy_stream(0, "test", "replicates")
    raw = [[(generator.normal(k, k + 1, (40, 3)), np.arange(40)) for _ in range(3)] for k in range(4)]
    whole, part = assembled(raw, classes=40), assembled(raw[:2], classes=40)
    np.testing.assert_array_equal(whole.test.x[:2], part.test.x)
    for replicate, (train, _, test) in enumerate(raw):
        expected = (test[0] - train[0].mean(0)) / train[0].std(0)
        np.testing.assert_allclose(whole.test.x[replicate], expected, rtol=1e-5, atol=1e-6)
