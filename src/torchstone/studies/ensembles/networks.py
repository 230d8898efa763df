"""Ensembles of networks: does one need resampled data, or is another random start enough?

Lakshminarayanan et al. (2017) train every member on all data from its own random start ("deep"); Nixon et al. (2020)
find that bootstrapping such members does not help. Bagging proper changes the data only, the start being shared. All
members of one replicate are one population.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from torchstone.core.rng import Name
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.learn.batches import Batches
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.losses import cross_entropy, squared_error
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_gradient
from torchstone.nets.population import MLPPopulation, chunks, pad_features
from torchstone.studies.ensembles.task import Predictions, Task

# scheme: (index sets or None for all rows, own random start)
SCHEMES: dict[str, tuple[str | None, bool]] = {
    "deep": (None, True),
    "bootstrapped-deep": ("bootstrap", True),
    "bagging": ("bootstrap", False),
    "subsample80": ("subsample80", True),
}
CONTROL = "control"


@dataclass(frozen=True)
class Training:
    """How each network is trained."""

    hidden: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float
    device: str


def train_members(
    task: Task,
    rows: npt.NDArray[Any],
    starts: Sequence[tuple[Name, ...]],
    orders: Sequence[tuple[Name, ...]],
    training: Training,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> tuple[Predictions, Predictions]:
    """Train one network for each index set, rows [member, position], and predict test and training rows.

    Returns probabilities [member, sample, class], or numbers [member, sample] on the scale of y.
    """
    device = torch.device(training.device)
    outputs = max(task.classes, 1)
    centre, scale = (0.0, 1.0) if task.classes else (float(task.y.mean()), float(task.y.std()))
    x = torch.from_numpy(task.x).to(device)
    y = torch.from_numpy(task.y if task.classes else ((task.y - centre) / scale).astype(np.float32)).to(device)
    population = MLPPopulation(len(rows), (x.shape[1], *training.hidden, outputs))
    population.initialise([stream(seed, "init", *names) for names in starts])
    population.to(device)
    index = torch.from_numpy(rows.astype(np.int64)).to(device)
    sets = torch.zeros(len(rows), dtype=torch.int64, device=device)
    batches = Batches(x[None], y[None], sets, index, training.batch, seed, orders)
    optimiser = FlatOptimiser(population, "adam", training.learning_rate)
    measure = cross_entropy if task.classes else squared_error
    player = Player(
        optimiser,
        loss=lambda batch: measure(population(batch.x), batch.y, batch.weights),
        gradient=lambda batch: write_gradient(population, batch.x, batch.y, batch.weights),
    )
    fit([player], batches, training.epochs * batches.per_epoch, checkpoint=checkpoint)

    def predict(inputs: npt.NDArray[np.float32]) -> Predictions:
        features = pad_features(torch.from_numpy(inputs).to(device))
        raw = population.predict(features.expand(len(rows), -1, -1)).double()
        final = raw.softmax(dim=-1) if task.classes else raw[..., 0] * scale + centre
        return np.asarray(final.cpu().numpy())

    return predict(task.x_test), predict(task.x)


def network_trials(task: Task, scheme: str, members: int, training: Training, seed: int) -> list[Trial]:
    """Train and score one scheme of one replicate.

    Member m starts and shuffles alike in every scheme, so schemes are paired member by member. The first deep member
    is the ``single`` arm; ``control`` is one more network that differs from it in the name of its streams only.
    """
    sets, own_start = SCHEMES[scheme]
    everything = np.arange(len(task.x))[None]
    rows = everything.repeat(members, axis=0) if sets is None else task.rows[sets][:members]
    names: list[tuple[Name, ...]] = [("mlp", task.replicate, member) for member in range(members)]
    starts = names if own_start else [names[0]] * members
    if scheme == "deep":
        extra: tuple[Name, ...] = ("mlp", task.replicate, CONTROL)
        rows, names, starts = np.concatenate([rows, everything]), [*names, extra], [*starts, extra]
    parts = [
        train_members(task, rows[part.start : part.stop], starts[part.start : part.stop],
                      names[part.start : part.stop], training, seed)
        for part in chunks(len(rows))
    ]  # fmt: skip
    test, train = (np.concatenate(part) for part in zip(*parts, strict=True))
    trials = task.scored(f"mlp-{scheme}", test[:members], train[:members], task.bag(sets) if sets else None)
    if scheme == "deep":
        trials += task.scored("mlp-single", test[:1]) + task.scored("mlp-control", test[members:])
    return trials
