"""Laws of mini-batches: every row its turn, every replicate its own rows and order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from torchstone.core.streams import stream
from torchstone.learn.batches import Batches


def rows_of(draw: Batches, step: int, x: Tensor) -> list[list[int]]:
    """Find which rows a batch holds from its first feature, which numbers them."""
    return [[int(value) for value in part[:, 0]] for part in draw(step).x]


def numbered(rows: Tensor, size: int, names: Sequence[int], sets: Tensor | None = None) -> Batches:
    count = int(rows.max()) + 1
    number = torch.arange(count, dtype=torch.float32)
    where = torch.zeros(len(rows), dtype=torch.int64) if sets is None else sets
    x = torch.stack([number + 1000 * place for place in range(int(where.max()) + 1)])[..., None]
    return Batches(x, x[..., 0], where, rows, size, 0, [("net", name) for name in names])


@pytest.mark.parametrize("size", [1, 7, 8, 50, 51, 0])
def test_an_epoch_visits_every_row_exactly_once_in_a_new_order(size: int) -> None:
    draw = numbered(torch.arange(50).repeat(2, 1), size, [0, 1])
    orders = []
    for epoch in range(3):
        visited: list[list[int]] = [[], []]
        for step in range(epoch * draw.per_epoch, (epoch + 1) * draw.per_epoch):
            for place, part in enumerate(draw(step).x):
                assert (part[:, 1:] == 0).all()
                visited[place] += [int(value) for value in part[:, 0]]
        assert all(sorted(found) == list(range(50)) for found in visited)
        orders += [tuple(found) for found in visited]
    assert len(set(orders)) == 6
    assert draw.per_epoch == (-(-50 // size) if 0 < size < 50 else 1)


@pytest.mark.parametrize("size", [1, 7, 40, 0])
def test_a_bagged_member_visits_its_bootstrap_sample_repeats_included(size: int) -> None:
    # The trap: a bootstrap drawn afresh for each batch, or with its repeats dropped, is no bootstrap.
    rows = torch.randint(40, (3, 40), generator=stream(0, "bootstrap"))
    rows[0, 0] = 39
    draw = numbered(rows, size, [0, 1, 2])
    for epoch in range(2):
        visited: list[Counter[int]] = [Counter(), Counter(), Counter()]
        for step in range(epoch * draw.per_epoch, (epoch + 1) * draw.per_epoch):
            for place, part in enumerate(draw(step).x):
                visited[place].update(int(value) for value in part[:, 0])
        for place in range(3):
            assert visited[place] == Counter(rows[place].tolist())
            assert max(visited[place].values()) > 1
            assert len(visited[place]) < 40


def test_each_replicate_takes_rows_of_its_own_data_set() -> None:
    draw = numbered(torch.arange(10).repeat(3, 1), 0, [0, 1, 2], sets=torch.tensor([1, 0, 1]))
    batch = draw(0)
    for place, base in enumerate((1000, 0, 1000)):
        assert sorted(batch.x[place, :, 0].tolist()) == [base + row for row in range(10)]
    assert torch.equal(batch.y, batch.x[..., 0])


def test_an_order_is_a_function_of_seed_names_and_epoch_alone() -> None:
    many = numbered(torch.arange(30).repeat(3, 1), 7, [0, 5, 9])
    alone = numbered(torch.arange(30).repeat(1, 1), 7, [5])
    for step in (12, 3, 0, 7, 3):  # in any order of asking
        assert torch.equal(many(step).x[1], alone(step).x[0])
    expected = torch.randperm(30, generator=stream(0, "order", "net", 5, 1))[7:14]
    assert alone(6).x[0, :, 0].long().tolist() == expected.tolist()
    assert not torch.equal(many(0).x[0], many(0).x[1])


def test_replicates_of_one_name_share_their_order() -> None:
    draw = numbered(torch.arange(30).repeat(2, 1), 7, [4, 4])
    assert torch.equal(draw(2).x[0], draw(2).x[1])


def test_rows_sets_and_names_must_match() -> None:
    with pytest.raises(ValueError, match="2 index sets, 2 data sets and 1 names do not match"):
        numbered(torch.arange(10).repeat(2, 1), 0, [0])
    x = torch.zeros(1, 5, 2)
    for row in (5, -1):
        with pytest.raises(ValueError, match="of 5"):
            Batches(x, x[..., 0], torch.tensor([0]), torch.tensor([[0, row]]), 0, 0, [("net",)])
