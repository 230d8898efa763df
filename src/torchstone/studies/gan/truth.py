"""What stands beside every table of the plane: a perfect sampler, and the games whose end is known."""

from __future__ import annotations

import numpy as np
import torch

from torchstone.core.files import Arrays
from torchstone.core.schema import Exact, Plane
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.studies.gan.dirac import dirac_trials
from torchstone.studies.gan.exact import line_trials
from torchstone.studies.gan.modes import coverage
from torchstone.studies.gan.plane import scatter
from torchstone.studies.gan.scores import as_trials, optimum_trials
from torchstone.studies.gan.targets import draw_plane


def perfect_samples(plane: Plane, seed: int, which: str) -> Arrays:
    """Return draws from the truth, as many as of a generator, by data set: [budget (one), replicate, sample, 2]."""
    return {
        dataset: torch.stack(
            [draw_plane(dataset, plane.samples, stream(seed, which, dataset, r)) for r in range(plane.replicates)]
        )[None].numpy()
        for dataset in plane.datasets
    }


def known(plane: Plane, settings: Exact, seed: int) -> tuple[list[Trial], dict[str, Arrays], Arrays]:
    """Return what is known without luck: trials, the perfect samples, and the pictures."""
    trials, last = [], float(plane.budgets[-1])
    kept = {arm: perfect_samples(plane, seed, arm) for arm in ("true sampler", "true sampler again")}
    for arm, by_dataset in kept.items():
        for dataset, samples in by_dataset.items():
            for r, one in enumerate(samples[0]):
                trials += as_trials(arm, last, r, coverage(one, dataset) | {"diverged": 0.0}, f"{dataset}_")
    for dataset in plane.datasets:
        trials += optimum_trials(last, f"{dataset}_")
    trials += line_trials(settings, seed, plane.replicates)
    orbits, first = dirac_trials(settings, seed)
    pictures = {
        "orbits": np.stack(list(first.values())),
        "orbits_columns": np.asarray([arm.removeprefix("dirac ") for arm in first]),
        "orbits_centres": np.zeros((1, 2)),
    }
    for dataset, samples in kept["true sampler"].items():
        pictures |= scatter(dataset, samples, ["the truth"])
    return [*trials, *orbits], kept, pictures
