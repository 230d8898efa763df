"""Train masked networks together, and say when and how well they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.rng import Name
from torchstone.core.schema import PruneTask
from torchstone.learn.batches import Batches
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.learn.stopping import SmoothedMinimum, first_reach
from torchstone.nets.backprop import write_gradient
from torchstone.nets.masks import Masks, named
from torchstone.nets.population import MLPPopulation, pad_features

AT_ONCE = 1000  # rows
REACH = 3  # looks that must reach an accuracy on average; more would hide what is reached in the first few
Rows = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]  # x [replicate, sample, feature], y [replicate, sample]


@dataclass(frozen=True)
class Lesson:
    """What networks learn from: the data of some replicates, how, and the names of their orders.

    ``order`` names the stream of the order of the rows; arms that name it alike see the same batches.
    """

    replicates: Sequence[int]
    classes: int
    train: Rows
    valid: Rows
    test: Rows
    task: PruneTask
    seed: int
    device: str
    order: str = "lottery"

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the networks, from features to classes."""
        return (self.train[0].shape[2], *self.task.hidden, self.classes)

    @property
    def label(self) -> str:
        """Say which replicates these are, since a run that is resumed may be cut otherwise."""
        return f"{self.replicates[0]:04d}-{self.replicates[-1]:04d}"

    def names(self) -> list[tuple[Name, ...]]:
        """Return the name of each replicate's order."""
        return [(self.order, replicate) for replicate in self.replicates]

    def rows(self, part: str) -> tuple[Tensor, Tensor]:
        """Return padded x and y of "train", "valid" or "test" on the device."""
        x, y = getattr(self, part)
        return pad_features(torch.from_numpy(x).to(self.device)), torch.from_numpy(y).to(self.device)


@dataclass(frozen=True)
class Start:
    """Where some networks start: vectors [replicate, parameter], their masks, and the updates they have behind them."""

    vectors: npt.NDArray[np.float32]
    masks: Sequence[npt.NDArray[np.bool_]] = field(repr=False)
    behind: int = 0

    def tensors(self) -> Masks:
        """Return the masks as tensors, [replicate, in, out] a layer."""
        return [torch.from_numpy(mask) for mask in self.masks]


def outputs_on(population: MLPPopulation, x: Tensor) -> Tensor:
    """Return the outputs on many rows, some at a time: what fits into the cache takes half the time."""
    return torch.cat([population.predict(part) for part in torch.split(x, AT_ONCE, dim=1)], dim=1)


def accuracy(population: MLPPopulation, x: Tensor, y: Tensor) -> Tensor:
    """Return the share of right answers, [replicate], in float64 on the CPU."""
    return (outputs_on(population, x).argmax(dim=2) == y).sum(dim=1).cpu().double() / y.shape[1]


def networks(start: Start, lesson: Lesson) -> MLPPopulation:
    """Return the networks with a start's weights; the optimiser puts the mask on them."""
    population = MLPPopulation(len(lesson.replicates), lesson.widths)
    population.load_vectors(torch.from_numpy(start.vectors))
    return population.to(lesson.device)


def train(start: Start, lesson: Lesson, keep_at: int = 0, checkpoint: Checkpoint | None = None) -> Arrays:
    """Train masked networks to the end; return scores [replicate], curves [replicate, look] and vectors.

    "vectors" [replicate, parameter] are those of the end, "kept" those after ``keep_at`` updates, if it is not 0.
    ``early_...`` is measured at the smallest smoothed validation loss. ``failed`` is 1 where the loss did not stay
    finite; such a replicate has no score.
    """
    task, population = lesson.task, networks(start, lesson)
    optimiser = FlatOptimiser(
        population, task.rule, task.learning_rate, momentum=task.momentum if task.rule == "sgd" else 0.0,
        masks=named(population, start.tensors()),
    )  # fmt: skip
    sets = torch.arange(len(lesson.replicates), device=lesson.device)
    x, y = (torch.from_numpy(part).to(lesson.device) for part in lesson.train)
    everything = torch.arange(y.shape[1], device=lesson.device).expand(len(sets), -1)
    batches = Batches(x, y, sets, everything, task.batch, lesson.seed, lesson.names())
    valid_x, valid_y = lesson.rows("valid")

    def look() -> tuple[Tensor, Tensor]:
        outputs = population(valid_x)
        return cross_entropy(outputs, valid_y), (outputs.argmax(dim=2) == valid_y).float().mean(dim=1)

    stopping = SmoothedMinimum(population, look, every=task.look, window=task.window)
    player = Player(
        optimiser,
        loss=lambda batch: cross_entropy(population(batch.x), batch.y),
        gradient=lambda batch: write_gradient(population, batch.x, batch.y),
    )
    watched = fit(
        [player], lambda step: batches(step + start.behind), task.updates - start.behind,
        watch=lambda _: {"kept": population.vectors().cpu().numpy()}, watch_at=[keep_at] if keep_at else [],
        until=stopping, checkpoint=checkpoint,
    )  # fmt: skip
    found = _measured(population, stopping, lesson, start.behind)
    return found | {name: values[0] for name, values in watched.items()}


def _measured(population: MLPPopulation, stopping: SmoothedMinimum, lesson: Lesson, behind: int) -> Arrays:
    curves, task = stopping.curves(), lesson.task
    steps = curves["steps"] + behind
    early = stopping.step.cpu().numpy() + behind
    failed = ~np.isfinite(curves["valid_loss"][-1])
    train_rows, test_rows = lesson.rows("train"), lesson.rows("test")
    scores: Arrays = {
        "test_accuracy": accuracy(population, *test_rows).numpy(),
        "train_accuracy": accuracy(population, *train_rows).numpy(),
    }
    vectors = population.vectors().cpu().numpy()
    stopping.kept.put_into(population)
    scores |= {
        "early_test_accuracy": accuracy(population, *test_rows).numpy(),
        "early_train_accuracy": accuracy(population, *train_rows).numpy(),
        "early_updates": early.astype(np.float64),
        "log10_early_updates": np.log10(np.where(early > 0, early, np.nan)),
        "early_at_end": (early >= steps[-1 - task.window // 2]).astype(np.float64),
        "updates_to_accuracy": first_reach(curves["valid_accuracy"], steps, task.accuracy, REACH),
    }
    scores = {name: np.where(failed, np.nan, values) for name, values in scores.items()}
    return scores | {
        "failed": failed.astype(np.float64), "vectors": vectors,
        "curve_updates": np.repeat(steps[None], len(early), axis=0),
        "curve_valid_loss": curves["valid_loss"].T, "curve_valid_accuracy": curves["valid_accuracy"].T,
    }  # fmt: skip


def first_layer(vectors: npt.NDArray[np.float32], widths: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return the first layer's weights, [replicate, input, unit], of vectors [replicate, parameter]."""
    weights: npt.NDArray[np.float32] = vectors[:, : widths[0] * widths[1]].reshape(-1, widths[0], widths[1])
    return weights
