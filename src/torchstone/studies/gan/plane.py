"""The games on the ring and the grid: what is played, what is measured, what is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.schema import Gan
from torchstone.core.trials import Trial
from torchstone.studies.gan.modes import Points
from torchstone.studies.gan.scores import plane_trials
from torchstone.studies.gan.targets import centres
from torchstone.studies.gan.training import Match, pieces

SHOWN = 4  # budgets of a scatter picture, the last ones by thirds of the logarithm
POINTS = 600


def matches(gan: Gan, key: str) -> Iterator[tuple[str, Match]]:
    """Yield a name and the match of each data set and piece of the replicates."""
    for dataset in gan.plane.datasets:
        for piece in pieces(gan.plane):
            yield f"{dataset}-{piece.start:04d}", Match(dataset, gan.games[key], gan.plane, gan.plane.rates[0], piece)


def joined(found: list[Arrays]) -> Arrays:
    """Put pieces of the replicates together again, [budget, replicate, ...]."""
    return {name: np.concatenate([piece[name] for piece in found], axis=1) for name in found[0]}


def played(gan: Gan, key: str, kept: Mapping[str, Arrays]) -> list[Trial]:
    """Return the trials of a game from what was kept of it, by data set."""
    return [
        trial
        for dataset, arrays in kept.items()
        for trial in plane_trials(arrays, key, dataset, gan.games[key], gan.plane.budgets)
    ]


def scatter(dataset: str, samples: Points, columns: list[str]) -> Arrays:
    """Return a picture of the first replicate's samples, [column, point, 2] of [column, replicate, sample, 2]."""
    points = samples[:, 0, :POINTS]
    return {dataset: points, f"{dataset}_columns": np.asarray(columns), f"{dataset}_centres": centres(dataset)}


def pictures(gan: Gan, kept: Mapping[str, Arrays]) -> Arrays:
    """Return the first replicate's samples at some budgets, [column, point, 2], with the modes."""
    budgets = gan.plane.budgets
    chosen = sorted({round(place) for place in np.linspace(len(budgets) // 4, len(budgets) - 1, SHOWN)})
    found: Arrays = {}
    for dataset, arrays in kept.items():
        found |= scatter(dataset, arrays["samples"][chosen], [f"{budgets[place]:,} updates" for place in chosen])
    return found
