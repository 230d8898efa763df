"""Trees, bags of trees and boosted trees that forecast how far a speed will be from a baseline.

They get the same rows and inputs and are judged by absolute error. Boosting minimises it; a single tree is grown by
squares, which is many times faster, and then says the median of each leaf.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

from torchstone.core.rng import Name, library_seed, numpy_stream
from torchstone.core.schema import Forecast
from torchstone.studies.navigation.city import Floats, Integers

LEAVES = 31


def boosted(x: Floats, y: Floats, settings: Forecast, seed: int, *names: Name) -> HistGradientBoostingRegressor:
    """Boost trees on absolute error; no rows are held out, since days, not rows, are what could be."""
    model = HistGradientBoostingRegressor(
        loss="absolute_error", learning_rate=settings.rate, max_iter=settings.rounds, max_leaf_nodes=LEAVES,
        min_samples_leaf=settings.leaf, early_stopping=False, random_state=library_seed(seed, "boosted", *names),
    )  # fmt: skip
    return model.fit(x, y)


def sampled(count: int, settings: Forecast, seed: int, *names: Name) -> Integers:
    """Draw the rows that all learners are given, without repeats, at most ``settings.rows``."""
    return np.sort(numpy_stream(seed, "rows", *names).permutation(count)[: settings.rows])


def tree(x: Floats, y: Floats, test: Floats, settings: Forecast, seed: int, *names: Name) -> Floats:
    """Grow one tree on these rows, repeats included, and return the median of the leaf of each test row."""
    model = DecisionTreeRegressor(min_samples_leaf=settings.leaf, random_state=library_seed(seed, "tree", *names)).fit(
        x, y
    )
    leaves = model.apply(x)
    order = np.lexsort((y, leaves))
    found, starts, counts = np.unique(leaves[order], return_index=True, return_counts=True)
    ordered = y[order]
    middle = (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2
    value = np.zeros(model.tree_.node_count)
    value[found] = middle
    return np.asarray(value[model.apply(test)])


def single(x: Floats, y: Floats, test: Floats, settings: Forecast, seed: int, *names: Name) -> Floats:
    """Return the forecast of one tree."""
    return tree(x, y, test, settings, seed, *names)


def bagged(x: Floats, y: Floats, test: Floats, settings: Forecast, seed: int, *names: Name) -> Floats:
    """Return the mean forecast of trees, each grown on a bootstrap sample of the same rows."""
    total = np.zeros(len(test))
    for member in range(settings.trees):
        rows = numpy_stream(seed, "bag", *names, member).integers(0, len(y), len(y))
        total += tree(x[rows], y[rows], test, settings, seed, *names, member)
    return total / settings.trees
