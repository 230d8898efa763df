"""Mini-batches of a population: every replicate goes through its own rows in its own order.

An epoch's order is a pure function of (seed, names of the replicate, epoch), so resuming needs no generator state,
adding a replicate changes no other, and two arms that name a replicate alike see the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchstone.core.rng import Name
from torchstone.core.streams import stream
from torchstone.nets.population import pad_features


@dataclass(frozen=True)
class Batch:
    """Inputs [replicate, sample, padded feature], targets and weights [replicate, sample]."""

    x: Tensor
    y: Tensor
    weights: Tensor | None


class Batches:
    """Batches by step: ``x`` [set, sample, feature], ``y`` [set, sample]; replicate k uses set ``sets[k]``.

    ``rows`` [replicate, position] are the training rows of each replicate, repeats included (a bootstrap sample is
    an index set with repeats); ``weights`` [replicate, position] go with them. The last batch of an epoch is smaller
    if the size does not divide the rows, as is usual; with ``even`` such a batch is left out, so that every batch has
    the same size and each epoch leaves out other rows. ``size`` 0 or above the number of rows takes all in one batch.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        sets: Tensor,
        rows: Tensor,
        size: int,
        seed: int,
        names: Sequence[tuple[Name, ...]],
        weights: Tensor | None = None,
        *,
        even: bool = False,
    ) -> None:
        if len(names) != len(rows) or len(sets) != len(rows):
            raise ValueError(f"{len(rows)} index sets, {len(sets)} data sets and {len(names)} names do not match")
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= x.shape[1]):
            raise ValueError(f"an index set holds row {int(rows.max())} of {x.shape[1]}")
        self._x = pad_features(x).flatten(0, 1)
        self._y = y.flatten()
        self._rows = rows + sets[:, None] * x.shape[1]
        self._weights = weights
        self._size = min(size, rows.shape[1]) or rows.shape[1]
        self._seed, self._names = seed, list(names)
        self._epoch = -1
        self._order = torch.empty(0)
        self.per_epoch = rows.shape[1] // self._size if even else -(-rows.shape[1] // self._size)

    def _shuffle(self, epoch: int) -> None:
        count = self._rows.shape[1]
        orders = [torch.randperm(count, generator=stream(self._seed, "order", *name, epoch)) for name in self._names]
        self._order = torch.stack(orders).to(self._rows.device)
        self._shuffled = self._rows.gather(1, self._order)
        self._epoch = epoch

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0 over all epochs."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._shuffle(epoch)
        part = slice(position * self._size, (position + 1) * self._size)
        rows = self._shuffled[:, part]
        flat = rows.flatten()
        weights = None if self._weights is None else self._weights.gather(1, self._order[:, part])
        x = self._x.index_select(0, flat).view(*rows.shape, -1)
        return Batch(x, self._y.index_select(0, flat).view(rows.shape), weights)
