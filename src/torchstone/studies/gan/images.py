"""What imitations of images are like: realistic, varied, copied? All from stored samples.

Every comparison is between as many fakes as real images; ``real`` is the arm of as many training images in the place of
the fakes, the floor that no generator can be expected to go below, and ``k-means`` of as many centroids of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.core.files import Arrays
from torchstone.core.rng import library_seed
from torchstone.core.schema import Game, Images
from torchstone.core.trials import Trial, as_arrays
from torchstone.studies.gan.classifier import JudgeNet
from torchstone.studies.gan.distances import frechet, kid
from torchstone.studies.gan.manifold import manifold_scores, nearest
from torchstone.studies.gan.parzen import parzen
from torchstone.studies.gan.scores import as_trials, game_scores, optimum_trials

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Album:
    """One replicate's images [sample, pixel] between 0 and 1, and its classifier."""

    train: Array
    valid: Array
    test: Array
    test_labels: Array
    judge: JudgeNet

    def scores(self, fakes: Array) -> dict[str, float]:
        """Return what fakes (or what stands in their place) are like, beside as many test images."""
        n = min(len(fakes), len(self.test), len(self.train))
        fakes, test, train = fakes[:n], self.test[:n], self.train[:n]
        seen, made = self.judge.features(test), self.judge.features(fakes)
        distance = frechet(seen, made)
        likelihood, width = parzen(fakes, self.valid, self.test)
        found = {"frechet": distance, "kid": kid(seen, made), "parzen": likelihood, "parzen_width": width}
        if distance > 0:
            found["log10_frechet"] = float(np.log10(distance))
        for name, others in (("test", test), ("train", train)):
            mean = float(nearest(fakes, others).mean())
            if mean > 0:
                found[f"log10_nearest_{name}"] = float(np.log10(mean))
        return found | manifold_scores(seen, made)

    def valid_frechet(self, fakes: Array) -> float:
        """Return the Frechet distance to the validation images, by which a game's rate is chosen."""
        n = min(len(fakes), len(self.valid))
        return frechet(self.judge.features(self.valid[:n]), self.judge.features(fakes[:n]))


def pixels(train: Array, *others: Array) -> list[Array]:
    """Scale one replicate's images [sample, ...] to [sample, pixel] between 0 and 1 by the train rows' extremes."""
    low, high = float(train.min()), float(train.max())
    return [((x - low) / (high - low)).clip(0, 1).reshape(len(x), -1).astype(np.float32) for x in (train, *others)]


def albums(rows: dict[str, Arrays], judges: Array, count: int) -> list[Album]:
    """Return the images of each of the first ``count`` replicates of a prepared data set."""
    found = []
    for r in range(count):
        train, valid, test = pixels(rows["train"]["x"][r], rows["valid"]["x"][r], rows["test"]["x"][r])
        judge = JudgeNet(judges[r], train.shape[1], int(rows["train"]["classes"]))
        found.append(Album(train, valid, test, rows["test"]["y"][r], judge))
    return found


def shown(samples: Array) -> Array:
    """Return stored samples, bytes, as pixels between 0 and 1."""
    found: Array = samples.astype(np.float32) / 255
    return found


def chosen_rate(found: dict[float, Arrays], pages: Sequence[Album]) -> float:
    """Return the rate with the lowest mean Frechet distance to validation images at the last budget.

    One rate for all replicates of a game, as one would set it; one at which a replicate diverged is not chosen unless
    all did.
    """

    def badness(rate: float) -> tuple[int, float]:
        kept = found[rate]
        distances = [page.valid_frechet(shown(kept["samples"][-1, r])) for r, page in enumerate(pages)]
        return int((~kept["finite"][-1]).sum()), float(np.mean(distances))

    return min(sorted(found), key=badness)


def measure(arm: str, kept: Arrays, game: Game, rate: float, page: Album, task: Images, replicate: int) -> Arrays:
    """Return the trials of one replicate of a game, whose ``kept`` is [budget, replicate (one), ...], as arrays."""
    trials: list[Trial] = []
    for at, budget in enumerate(task.budgets):
        found = page.scores(shown(kept["samples"][at, 0])) | game_scores(kept, game, at, 0) | {"learning_rate": rate}
        trials += as_trials(arm, float(budget), replicate, found)
    return as_arrays(trials)


def floors(pages: Sequence[Album], task: Images, seed: int) -> Arrays:
    """Return the arms that no generator made: training images, and centroids of them."""
    from sklearn.cluster import KMeans  # slow to load, and for this alone

    trials, last = optimum_trials(float(task.budgets[-1])), float(task.budgets[-1])
    for r, page in enumerate(pages):
        n = min(task.samples, len(page.train), len(page.test))
        right = float((page.judge.labels(page.test) == page.test_labels).mean())
        found = page.scores(page.train[:n]) | {"judge_accuracy": right}
        found.pop("log10_nearest_train", None)  # of an image to itself
        trials += as_trials("real", last, r, found)
        state = library_seed(seed, "gan", task.dataset, r, "k-means")
        centroids = KMeans(n, n_init=1, max_iter=20, random_state=state).fit(page.train).cluster_centers_
        found = page.scores(centroids.astype(np.float32))
        trials += as_trials("k-means", last, r, found)
    return as_arrays(trials)
