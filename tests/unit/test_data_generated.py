"""Laws of the generated data sets: the published law holds, and every part has a stream of its own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from torchstone.core import rng
from torchstone.core.schema import Generated
from torchstone.data.generated import PAIRS, base_waves, friedman1, mixed_waves, waveform
from torchstone.data.prepared import Prepared
from torchstone.data.sources import prepare

ROW = Generated(replicates=3, train=60, valid=20, test=40)
NAMES = ["waveform", "friedman1", "mnist1d"]
FEATURES = {"waveform": 21, "friedman1": 10, "mnist1d": 40}


def assert_same(first: Prepared, second: Prepared, replicates: int) -> None:
    for part in ("train", "valid", "test"):
        a, b = getattr(first, part), getattr(second, part)
        np.testing.assert_array_equal(a.x[:replicates], b.x[:replicates])
        np.testing.assert_array_equal(a.y[:replicates], b.y[:replicates])


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_types_are_those_of_the_contract(name: str) -> None:
    prepared = prepare(name, ROW, seed=1)
    for split, rows in ((prepared.train, 60), (prepared.valid, 20), (prepared.test, 40)):
        assert split.x.shape == (3, rows, FEATURES[name])
        assert split.x.dtype == np.float32
        assert split.y.shape == (3, rows)
        assert split.y.dtype == (np.int64 if prepared.classes else np.float64)
        assert np.isfinite(split.x).all()
    assert prepared.classes == {"waveform": 3, "friedman1": 0, "mnist1d": 10}[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_replicate_does_not_depend_on_the_number_of_replicates(name: str) -> None:
    alone = prepare(name, ROW.model_copy(update={"replicates": 1}), seed=1)
    many = prepare(name, ROW, seed=1)
    assert_same(alone, many, 1)
    assert not np.array_equal(many.train.x[0], many.train.x[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_test_set_moves_no_other_row(name: str) -> None:
    small, large = prepare(name, ROW, 1), prepare(name, ROW.model_copy(update={"test": 90}), 1)
    np.testing.assert_array_equal(small.train.x, large.train.x)
    np.testing.assert_array_equal(small.train.y, large.train.y)
    np.testing.assert_array_equal(small.valid.x, large.valid.x)


@pytest.mark.parametrize("name", NAMES)
def test_parts_and_seeds_share_no_rows(name: str) -> None:
    row = Generated(replicates=1, train=30, valid=30, test=30)
    first, second = prepare(name, row, seed=1), prepare(name, row, seed=2)
    targets = [split.y for split in (first.train, first.valid, first.test, second.train)]
    assert len({target.tobytes() for target in targets}) == 4


def test_waveform_base_waves_are_the_printed_triangles() -> None:
    rise = [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0]
    expected = [rise + [0] * 8, [0] * 8 + rise, [0] * 4 + rise + [0] * 4]
    np.testing.assert_array_equal(base_waves(), expected)


def test_waveform_classes_are_equal_in_share_and_mean_half_of_two_waves() -> None:
    rows = 60_000
    x, y = mixed_waves(rng.numpy_stream(1, "test"), rows)
    np.testing.assert_allclose(np.bincount(y) / rows, 1 / 3, atol=5 * np.sqrt(2 / 9 / rows))
    for label, (a, b) in enumerate(PAIRS):
        first, second = base_waves()[[a, b]]
        inside = x[y == label]
        variance = 1 + (first - second) ** 2 / 12
        np.testing.assert_allclose(inside.mean(0), (first + second) / 2, atol=5 * np.sqrt(variance.max() / len(inside)))
        np.testing.assert_allclose(inside.var(0), variance, rtol=0.06)


def test_waveform_bayes_error_is_the_published_14_percent() -> None:
    rows = 4_000
    x, y = mixed_waves(rng.numpy_stream(2, "test"), rows)
    share = (np.arange(60) + 0.5)[:, None] / 60  # integrates the density over u by the midpoint rule
    waves = base_waves()
    density = []
    for a, b in PAIRS:
        means = share * waves[a] + (1 - share) * waves[b]
        squares = (x**2).sum(1)[:, None] - 2 * x @ means.T + (means**2).sum(1)
        density.append(np.exp(-squares / 2).mean(1))
    error = (np.argmax(density, axis=0) != y).mean()
    assert error == pytest.approx(0.14, abs=4 * np.sqrt(0.14 * 0.86 / rows))


def test_waveform_features_are_scaled_by_train() -> None:
    prepared = waveform(ROW, seed=1)
    np.testing.assert_allclose(prepared.train.x.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(prepared.train.x.std(1), 1, atol=1e-5)


def test_friedman1_is_scikit_learns_and_y_keeps_its_units() -> None:
    prepared = friedman1(ROW, seed=1)
    for part, rows in (("train", 60), ("valid", 20), ("test", 40)):
        _, y = make_friedman1(rows, noise=1.0, random_state=rng.library_seed(1, "friedman1", part, 2))
        np.testing.assert_array_equal(getattr(prepared, part).y[2], y)


def test_friedman1_leaves_noise_of_sd_1_around_its_formula() -> None:
    x, y = make_friedman1(20_000, noise=1.0, random_state=rng.library_seed(1, "friedman1", "train", 0))
    formula = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    assert (y - formula).std() == pytest.approx(1, abs=0.03)
    prepared = friedman1(Generated(replicates=1, train=20_000, valid=1, test=1), seed=1)
    np.testing.assert_allclose(prepared.train.x[0], (x - x.mean(0)) / x.std(0), atol=1e-5)
    np.testing.assert_array_equal(prepared.train.y[0], y)
