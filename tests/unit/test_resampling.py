"""Laws of the index sets: a bootstrap repeats rows, a subsample does not, and more draws move no earlier one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from torchstone.studies.ensembles.resampling import (
    bootstrap,
    expected_unique_share,
    out_of_bag,
    subsample,
    unique_share,
)


def test_a_bootstrap_sample_draws_n_of_n_rows_with_repeats() -> None:
    rows = bootstrap(100, 5, 3, 1, "set")
    assert rows.shape == (3, 5, 100)
    assert rows.dtype == np.int32
    assert rows.min() >= 0
    assert rows.max() < 100
    for drawn in rows.reshape(-1, 100):
        assert 40 < len(set(drawn.tolist())) < 85


@pytest.mark.parametrize(("share", "count"), [(0.8, 80), (0.632, 63), (0.001, 1), (0.999, 100)])
def test_a_subsample_has_the_exact_count_and_no_repeats(share: float, count: int) -> None:
    rows = subsample(100, share, 4, 3, 1, "set", "scheme")
    assert rows.shape == (3, 4, count)
    for drawn in rows.reshape(-1, count):
        assert len(set(drawn.tolist())) == count
        assert set(drawn.tolist()) <= set(range(100))


def test_every_row_is_as_likely_as_any_other() -> None:
    for rows in (bootstrap(20, 500, 4, 1, "set"), subsample(20, 0.5, 500, 4, 1, "set", "half")):
        counts = np.bincount(rows.ravel(), minlength=20)
        expected = rows.size / 20
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_the_bag_and_what_is_out_of_it_are_all_rows_and_disjoint() -> None:
    for rows in (bootstrap(30, 6, 4, 1, "set"), subsample(30, 0.8, 6, 4, 1, "set", "s")):
        mask = out_of_bag(rows, 30)
        assert mask.shape == (4, 6, 30)
        for replicate, member in product(range(4), range(6)):
            out = set(np.flatnonzero(mask[replicate, member]).tolist())
            bag = set(rows[replicate, member].tolist())
            assert not out & bag
            assert out | bag == set(range(30))


@pytest.mark.parametrize("n", [1, 2, 10, 300])
def test_a_bootstrap_sample_holds_the_expected_share_of_distinct_rows(n: int) -> None:
    shares = unique_share(out_of_bag(bootstrap(n, 400, 10, 1, "set"), n))
    assert shares.shape == (10,)
    error = 4 * np.sqrt(0.25 / (n * 4000)) + 1e-12
    assert shares.mean() == pytest.approx(expected_unique_share(n), abs=error)


def test_the_expected_share_tends_to_1_less_1_over_e() -> None:
    assert expected_unique_share(1) == 1.0
    assert expected_unique_share(2) == 0.75
    assert expected_unique_share(10**6) == pytest.approx(1 - np.exp(-1), abs=1e-6)


def test_more_members_and_replicates_change_none_of_the_first() -> None:
    few, many = bootstrap(37, 3, 2, 1, "set"), bootstrap(37, 20, 5, 1, "set")
    np.testing.assert_array_equal(many[:2, :3], few)
    few, many = subsample(37, 0.8, 3, 2, 1, "set", "s"), subsample(37, 0.8, 20, 5, 1, "set", "s")
    np.testing.assert_array_equal(many[:2, :3], few)


def test_members_replicates_data_sets_schemes_and_seeds_draw_apart() -> None:
    rows = bootstrap(50, 6, 4, 1, "set")
    assert len({drawn.tobytes() for drawn in rows.reshape(-1, 50)}) == 24
    assert not np.array_equal(rows, bootstrap(50, 6, 4, 1, "other"))
    assert not np.array_equal(rows, bootstrap(50, 6, 4, 2, "set"))
    one = subsample(50, 0.8, 6, 4, 1, "set", "subsample80")
    assert not np.array_equal(one, subsample(50, 0.8, 6, 4, 1, "set", "subsample63"))
    assert not np.array_equal(one, subsample(50, 0.8, 6, 4, 1, "other", "subsample80"))
