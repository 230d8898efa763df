"""What every data source returns, and the two things all of them do: split rows and standardise features.

A replicate is one draw of a generated data set, or one random split of a finite one. It leads every array, and its
bits do not depend on how many neighbours it has: each replicate is split and scaled on its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from torchstone.core import rng
from torchstone.core.errors import InputError

Array = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Rows = tuple[Array, Array]  # features [sample, feature...] and targets [sample] of one part of one replicate


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of one part: x float32 `[replicate, sample, feature...]`, y int64 or float64 `[replicate, sample]`."""

    x: Singles
    y: Array


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set ready to learn from; ``classes`` is 0 for regression, whose y stays in its own units."""

    train: Split
    valid: Split
    test: Split
    classes: int


class Partition(NamedTuple):
    """Row numbers `[replicate, sample]` of the parts: in each replicate disjoint, and together all rows."""

    train: Indices
    valid: Indices
    test: Indices


def standardised(train: Array, *others: Array, pooled: bool = False) -> list[Singles]:
    """Scale one replicate's parts `[sample, feature...]` to mean 0 and sd 1 of the *train* rows, as float32.

    Statistics of any other row would leak the test set into training. ``pooled`` takes one mean and sd over all
    features, for signals and images, where a feature's scale relative to its neighbours carries the shape.
    A feature that is constant in train becomes 0 in every part: nothing can be learnt of it, and an unseen value
    divided by a vanishing sd would swamp the rest.
    """
    axis = None if pooled else 0
    mean = train.mean(axis=axis, dtype=np.float64)
    sd = train.std(axis=axis, dtype=np.float64)
    # The rounded mean of a constant 0.1 can leave an sd of 1e-17, so constancy is read off the values themselves.
    constant = (train.max(axis=axis) == train.min(axis=axis)) | (sd == 0)
    divisor = np.where(constant, 1.0, sd)
    return [np.where(constant, 0.0, (x - mean) / divisor).astype(np.float32) for x in (train, *others)]


def held_out(y: Array, rows: int, state: int, name: str) -> tuple[Indices, Indices]:
    """Draw ``rows`` rows at random, keeping class shares if y `[sample]` is integer; return (the rest, the drawn)."""
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit  # for finite sets alone

    splitter = StratifiedShuffleSplit if np.issubdtype(y.dtype, np.integer) else ShuffleSplit
    try:
        rest, drawn = next(splitter(1, test_size=rows, random_state=state).split(np.zeros((len(y), 1)), y))
    except ValueError as error:
        raise InputError(
            f"prepare.{name}: cannot hold out {rows} of {len(y)} rows ({error}); change its valid or test"
        ) from None
    return rest.astype(np.int64), drawn.astype(np.int64)


def stratified_splits(
    y: Array, replicates: int, valid_share: float, test_share: float, seed: int, name: str
) -> Partition:
    """Split the rows of y `[sample]` afresh for each replicate, stratified by class where y is integer.

    The test rows are drawn first, from a stream of their own, so that another ``valid_share`` leaves them alone.
    """
    valid_rows, test_rows = round(valid_share * len(y)), round(test_share * len(y))
    parts: list[tuple[Indices, Indices, Indices]] = []
    for replicate in range(replicates):
        state = rng.library_seed(seed, name, "split", replicate, "test")
        rest, test = held_out(y, test_rows, state, name)
        state = rng.library_seed(seed, name, "split", replicate, "valid")
        train, valid = held_out(y[rest], valid_rows, state, name)
        parts.append((rest[train], rest[valid], test))
    return Partition(*(np.stack(part) for part in zip(*parts, strict=True)))


def assembled(replicates: Iterable[Sequence[Rows]], classes: int, pooled: bool = False) -> Prepared:
    """Standardise each replicate's (train, valid, test) rows on their own and stack the replicates."""
    features: list[list[Singles]] = []
    targets: list[list[Array]] = []
    for parts in replicates:
        features.append(standardised(*(x for x, _ in parts), pooled=pooled))
        targets.append([y for _, y in parts])
    train, valid, test = (
        Split(np.stack(x), np.stack(y))
        for x, y in zip(zip(*features, strict=True), zip(*targets, strict=True), strict=True)
    )
    return Prepared(train, valid, test, classes)
