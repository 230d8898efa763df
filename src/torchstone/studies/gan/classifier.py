"""The small frozen classifier in whose features images are compared: one for each replicate, from its training rows.

Features of a network trained on photographs say little about small grey digits; those of a network that tells these
very classes apart do. It never sees a validation, test or generated image in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from torchstone.core.rng import Name
from torchstone.core.streams import stream
from torchstone.learn.batches import Batch, Batches
from torchstone.learn.fit import Player, fit
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.passes import forward
from torchstone.nets.population import MLPPopulation, pad_features

HIDDEN, RATE, BATCH = (128, 64), 0.002, 64
Array = npt.NDArray[Any]


def widths(features: int, classes: int) -> tuple[int, ...]:
    """Return the widths of the classifier; the last but one are the features."""
    return (features, *HIDDEN, classes)


def train_judges(x: Array, y: Array, classes: int, epochs: int, seed: int, names: Sequence[tuple[Name, ...]]) -> Array:
    """Train a classifier on each replicate's rows x [replicate, sample, feature]; return [replicate, parameter]."""
    count, rows = y.shape
    population = MLPPopulation(count, widths(x.shape[2], classes))
    population.initialise([stream(seed, "judge init", *name) for name in names], "kaiming_normal")
    everything = torch.arange(rows).expand(count, -1)
    own = [("judge", *name) for name in names]
    batches = Batches(
        torch.from_numpy(x), torch.from_numpy(y), torch.arange(count), everything, BATCH, seed, own, even=True
    )
    optimiser = FlatOptimiser(population, "adam", RATE)

    def loss(batch: Batch) -> torch.Tensor:
        return cross_entropy(population(batch.x), batch.y)

    player = Player(optimiser, loss, lambda batch: write_gradient(population, batch.x, batch.y))
    fit([player], batches, epochs * batches.per_epoch)
    vectors: Array = population.vectors().numpy()
    return vectors


class JudgeNet:
    """One replicate's classifier, as a function of images."""

    def __init__(self, vector: Array, features: int, classes: int) -> None:
        self._net = MLPPopulation(1, widths(features, classes))
        self._net.load_vectors(torch.from_numpy(np.array(vector))[None])

    def _signals(self, images: Array) -> list[torch.Tensor]:
        with torch.no_grad():
            return forward(self._net, pad_features(torch.from_numpy(images.astype(np.float32)))[None])

    def features(self, images: Array) -> Array:
        """Return the last hidden layer of images [sample, pixel], [sample, feature]."""
        found: Array = self._signals(images)[-2][0].numpy()
        return found

    def labels(self, images: Array) -> Array:
        """Return the class that each image is taken for."""
        found: Array = self._signals(images)[-1][0].argmax(dim=1).numpy()
        return found
