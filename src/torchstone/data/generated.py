"""Data sets drawn afresh from a published generator, so that a replicate is an independent experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from torchstone.core import rng
from torchstone.core.schema import Generated
from torchstone.data.prepared import Prepared, Rows, assembled

Draw = Callable[[int, str, int], Rows]  # (rows, part, replicate) -> features and targets

FEATURES = 21
PEAKS = (7, 15, 11)  # attributes counted from 1, in the order of UCI's waveform.c
HEIGHT = 6
PAIRS = ((0, 1), (0, 2), (1, 2))  # the two base waves that each class mixes


def drawn(row: Generated, draw: Draw) -> Iterator[list[Rows]]:
    """Yield each replicate's (train, valid, test) rows.

    ``draw`` must key its stream by part and replicate: then the size of one part never moves another.
    """
    sizes = {"train": row.train, "valid": row.valid, "test": row.test}
    for replicate in range(row.replicates):
        yield [draw(rows, part, replicate) for part, rows in sizes.items()]


def base_waves() -> npt.NDArray[np.float64]:
    """Return the three triangles h(i) = max(6 - |i - peak|, 0) as `[wave, feature]`."""
    distance = np.abs(np.arange(1, FEATURES + 1) - np.array(PEAKS)[:, None])
    waves: npt.NDArray[np.float64] = np.maximum(HEIGHT - distance, 0.0)
    return waves


def mixed_waves(generator: np.random.Generator, rows: int) -> Rows:
    """Draw waveform rows: x_i = u h_a(i) + (1 - u) h_b(i) + N(0, 1), with u uniform on [0, 1] and equal priors."""
    y = generator.integers(len(PAIRS), size=rows)
    share = generator.random((rows, 1))
    noise = generator.standard_normal((rows, FEATURES))
    first, second = base_waves()[np.array(PAIRS)[y].T]
    return share * first + (1 - share) * second + noise, y


def waveform(row: Generated, seed: int) -> Prepared:
    """Draw the waveform problem: 21 features, 3 classes, Bayes error about 14 %.

    Source: Breiman, Friedman, Olshen & Stone, Classification and Regression Trees, 1984, section 2.6.2; waves and
    class order as in UCI's waveform.c. x is `[replicate, sample, 21]`.
    """

    def draw(rows: int, part: str, replicate: int) -> Rows:
        return mixed_waves(rng.numpy_stream(seed, "waveform", part, replicate), rows)

    return assembled(drawn(row, draw), classes=len(PAIRS))


def friedman1(row: Generated, seed: int) -> Prepared:
    """Draw Friedman's first regression problem: 10 uniform features, of which five matter, and noise of sd 1.

    y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5 + N(0, 1), test rows included, so the least mean squared
    error is 1. Source: Friedman, Multivariate adaptive regression splines, 1991; drawn by scikit-learn.
    x is `[replicate, sample, 10]`.
    """
    from sklearn.datasets import make_friedman1  # here, since it takes longer to load than a data set to draw

    def draw(rows: int, part: str, replicate: int) -> Rows:
        state = rng.library_seed(seed, "friedman1", part, replicate)
        x, y = make_friedman1(rows, n_features=10, noise=1.0, random_state=state)
        return x, y

    return assembled(drawn(row, draw), classes=0)
