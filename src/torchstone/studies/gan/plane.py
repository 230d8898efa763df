"""The games on the ring and the grid, and the perfect sampler that stands beside each of their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from torchstone.core.files import Arrays
from torchstone.core.schema import Gan
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.studies.gan.dirac import dirac_trials
from torchstone.studies.gan.exact import line_trials
from torchstone.studies.gan.modes import Points, coverage
from torchstone.studies.gan.scores import as_trials, optimum_trials, plane_trials
from torchstone.studies.gan.targets import centres, draw_plane
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


def perfect_samples(gan: Gan, seed: int, which: str) -> Arrays:
    """Return draws from the truth, as many as of a generator, by data set: [budget (one), replicate, sample, 2]."""
    plane = gan.plane
    return {
        dataset: torch.stack(
            [draw_plane(dataset, plane.samples, stream(seed, which, dataset, r)) for r in range(plane.replicates)]
        )[None].numpy()
        for dataset in plane.datasets
    }


def exact(gan: Gan, seed: int) -> tuple[list[Trial], dict[str, Arrays], Arrays]:
    """Return what is known without luck: trials, the perfect samples, and the pictures."""
    trials, last = [], float(gan.plane.budgets[-1])
    kept = {arm: perfect_samples(gan, seed, arm) for arm in ("true sampler", "true sampler again")}
    for arm, by_dataset in kept.items():
        for dataset, samples in by_dataset.items():
            for r, one in enumerate(samples[0]):
                trials += as_trials(arm, last, r, coverage(one, dataset) | {"diverged": 0.0}, f"{dataset}_")
    for dataset in gan.plane.datasets:
        trials += optimum_trials(last, f"{dataset}_")
    trials += line_trials(gan.exact, seed, gan.plane.replicates)
    orbits, first = dirac_trials(gan.exact, seed)
    pictures = {
        "orbits": np.stack(list(first.values())),
        "orbits_columns": np.asarray([arm.removeprefix("dirac ") for arm in first]),
        "orbits_centres": np.zeros((1, 2)),
    }
    for dataset, samples in kept["true sampler"].items():
        pictures |= _scatter(dataset, samples, ["the truth"])
    return [*trials, *orbits], kept, pictures


def _scatter(dataset: str, samples: Points, columns: list[str]) -> Arrays:
    points = samples[:, 0, :POINTS]
    return {dataset: points, f"{dataset}_columns": np.asarray(columns), f"{dataset}_centres": centres(dataset)}


def pictures(gan: Gan, kept: Mapping[str, Arrays]) -> Arrays:
    """Return the first replicate's samples at some budgets, [column, point, 2], with the modes."""
    budgets = gan.plane.budgets
    chosen = sorted({round(place) for place in np.linspace(len(budgets) // 4, len(budgets) - 1, SHOWN)})
    found: Arrays = {}
    for dataset, arrays in kept.items():
        found |= _scatter(dataset, arrays["samples"][chosen], [f"{budgets[place]:,} updates" for place in chosen])
    return found
