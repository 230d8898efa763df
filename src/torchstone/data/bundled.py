"""Real data sets that come inside scikit-learn, so that nothing is fetched; split afresh for each replicate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# scikit-learn takes longer to load than any of this takes to run, so each function loads what it needs.
from torchstone.core.schema import Finite
from torchstone.data.prepared import Array, Prepared, Rows, assembled, stratified_splits


def split_afresh(x: Array, y: Array, row: Finite, seed: int, name: str) -> Iterator[list[Rows]]:
    """Yield each replicate's (train, valid, test) rows of one data set, x `[sample, feature]` and y `[sample]`."""
    splits = stratified_splits(y, row.replicates, row.valid, row.test, seed, name)
    for parts in zip(*splits, strict=True):
        yield [(x[indices], y[indices]) for indices in parts]


def breast_cancer(row: Finite, seed: int) -> Prepared:
    """Split the diagnostic Wisconsin set: 569 rows, 30 features, benign or malignant.

    Not the 699 rows with 9 features of Breiman 1996. Source: Street, Wolberg & Mangasarian 1993, by scikit-learn.
    """
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return assembled(split_afresh(x, y.astype(np.int64), row, seed, "breast_cancer"), classes=2)


def digits(row: Finite, seed: int) -> Prepared:
    """Split the 8x8 digits: 1797 rows, 10 classes, x `[replicate, sample, 64]`.

    Source: Alpaydin & Kaynak 1998 (the UCI test half), by scikit-learn. One mean and sd over all
    pixels, as images have it: a pixel that is almost always blank would explode if scaled on its own.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return assembled(split_afresh(x, y.astype(np.int64), row, seed, "digits"), classes=10, pooled=True)


def diabetes(row: Finite, seed: int) -> Prepared:
    """Split the diabetes regression: 442 rows, 10 features, y a measure of progression after a year (25 to 346).

    Source: Efron, Hastie, Johnstone & Tibshirani, Least angle regression, 2004, by scikit-learn.
    """
    # Raw units: the default comes scaled by all rows, test rows included, and scaling is each replicate's own.
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return assembled(split_afresh(x, y.astype(np.float64), row, seed, "diabetes"), classes=0)
