"""Laws of the named streams: an address gives the same numbers, whoever else draws."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import torch

from torchstone.core.rng import Name, key, library_seed, numpy_stream
from torchstone.core.streams import stream

PATHS: list[tuple[int, tuple[Name, ...]]] = [
    (1, ()),
    (2, ()),
    (1, ("init",)),
    (1, ("order",)),
    (1, ("order", 1)),
    (1, ("order", "1")),
    (1, ("order", 1, 2)),
    (1, ("order", 12)),
    (1, ("order1", 2)),
    (1, (1, "order")),
    (1, ("order", "1", "2")),
]
PINNED_KEY = 3723625917744083515
PINNED_SEED = 970598131
PINNED_NUMPY = [157, 373, 13, 742, 544, 872]
PINNED_TORCH = [4, 3, 1, 5, 2, 7, 0, 6]


def test_every_path_of_names_has_a_stream_of_its_own() -> None:
    for (seed, names), (other_seed, other_names) in combinations(PATHS, 2):
        assert key(seed, *names) != key(other_seed, *other_names)
        one, two = numpy_stream(seed, *names).random(4), numpy_stream(other_seed, *other_names).random(4)
        assert not np.array_equal(one, two)
        first = torch.rand(4, generator=stream(seed, *names))
        assert not torch.equal(first, torch.rand(4, generator=stream(other_seed, *other_names)))


def test_thousands_of_neighbouring_addresses_do_not_collide_in_the_keys() -> None:
    keys = {key(seed, "order", replicate, epoch) for seed in range(3) for replicate in range(50) for epoch in range(50)}
    assert len(keys) == 3 * 50 * 50


def test_streams_are_pinned_so_that_an_update_cannot_move_them_unseen() -> None:
    assert key(1, "order", 0, 2) == PINNED_KEY
    assert library_seed(1, "tree", 3) == PINNED_SEED
    np.testing.assert_array_equal(numpy_stream(1, "bootstrap", 0).integers(0, 1000, 6), PINNED_NUMPY)
    assert torch.randperm(8, generator=stream(1, "order", 0)).tolist() == PINNED_TORCH


def test_a_stream_can_be_asked_for_again_and_more_names_move_nothing() -> None:
    alone = numpy_stream(5, "order", 7).random(3)
    for replicate in range(7):
        numpy_stream(5, "order", replicate).random(100)
        numpy_stream(5, "order", 7, replicate).random(100)
    np.testing.assert_array_equal(numpy_stream(5, "order", 7).random(3), alone)


def test_a_library_seed_fits_31_bits() -> None:
    seeds = [library_seed(0, name) for name in range(200)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30
    assert len(set(seeds)) == 200


def test_no_stream_moves_a_global_generator() -> None:
    before = (random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state())  # noqa: NPY002
    numpy_stream(1, "x").random(10)
    torch.rand(10, generator=stream(1, "x"))
    library_seed(1, "x")
    assert random.getstate() == before[0]
    assert str(np.random.get_state(legacy=False)) == str(before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])
