"""From what was kept of a game to trials: every number is a function of stored samples and logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.schema import Game
from torchstone.core.trials import Trial
from torchstone.studies.gan.modes import Points, coverage
from torchstone.studies.gan.training import MEASURED

OPTIMUM = {"accuracy": 0.5, "value": -np.log(4.0), "real_output": 0.5, "fake_output": 0.5}  # Theorem 1
AT_OPTIMUM = "at the optimum"


def _log_sigmoid(x: Points) -> Points:
    found: Points = -np.logaddexp(0.0, -x)
    return found


def police(real: Points, fake: Points) -> dict[str, float]:
    """Return how the discriminator does, from its logits on held-out real samples and on fakes.

    ``value`` is E log D(x) + E log(1 - D(G(z))), ``accuracy`` the mean of those on real samples and on fakes.
    """
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    accuracy = ((real > 0).mean() + (fake <= 0).mean()) / 2
    return {
        "accuracy": float(accuracy),
        "accuracy_excess": float(accuracy - 0.5),
        "value": float(_log_sigmoid(real).mean() + _log_sigmoid(-fake).mean()),
        "real_output": float(np.exp(_log_sigmoid(real)).mean()),
        "fake_output": float(np.exp(_log_sigmoid(fake)).mean()),
    }


def game_scores(kept: Arrays, game: Game, at: int, place: int) -> dict[str, float]:
    """Return what the networks of one replicate do at one budget, apart from what their samples are like.

    Of a Wasserstein critic, whose score has no zero, neither accuracy nor value is defined.
    """
    found = {"diverged": float(not kept["finite"][at, place])}
    for loss in MEASURED:
        norm = float(kept[f"gradient_{loss}"][at, place])
        if norm > 0:
            found[f"log10_gradient_{loss}"] = float(np.log10(norm))
    real, fake = (kept[f"{kind}_logits"][at, place] for kind in ("real", "fake"))
    if game.loss != "wasserstein" and np.isfinite(real).all() and np.isfinite(fake).all():
        found |= police(real, fake)
    return found


def as_trials(arm: str, x: float | None, replicate: int, found: Mapping[str, float], prefix: str = "") -> list[Trial]:
    """Return a row for each number that is finite; the others are undefined."""
    return [
        Trial(arm, x, replicate, prefix + metric, float(value)) for metric, value in found.items() if np.isfinite(value)
    ]


def plane_trials(kept: Arrays, arm: str, dataset: str, game: Game, budgets: Sequence[int]) -> list[Trial]:
    """Return all that is measured of a game in the plane; ``kept`` is [budget, replicate, ...]."""
    trials = []
    for at, budget in enumerate(budgets):
        for place, samples in enumerate(kept["samples"][at]):
            found = coverage(samples, dataset) | game_scores(kept, game, at, place)
            trials += as_trials(arm, float(budget), place, found, f"{dataset}_")
    return trials


def optimum_trials(x: float, prefix: str = "") -> list[Trial]:
    """Return where theory says that the game ends, as an arm with one x, which figures draw as a level line."""
    return as_trials(AT_OPTIMUM, x, 0, OPTIMUM, prefix)
