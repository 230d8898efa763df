"""Train the replicates of one run together and say how well they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.rng import Name
from torchstone.core.schema import Task
from torchstone.core.streams import stream
from torchstone.learn.batches import Batches
from torchstone.learn.convergence import ENDS, Convergence, Kept, Look
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.losses import cross_entropy
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.backprop import write_normalised_gradient
from torchstone.nets.normalised import NormalisedPopulation
from torchstone.nets.population import pad_features
from torchstone.studies.batchsize.arms import SAME, Run

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
LOOK = 5  # updates between two looks at the training loss, at least; few, or fast runs overshoot their target
SELDOM = 25  # the same for runs that have no target


@dataclass(frozen=True)
class Part:
    """Some replicates of a data set: x [replicate, sample, feature], y [replicate, sample], train, valid and test."""

    replicates: Sequence[int]
    classes: int
    train: tuple[Rows, Labels]
    valid: tuple[Rows, Labels]
    test: tuple[Rows, Labels]


def right_answers(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the number of right answers, [replicate], of outputs [replicate, sample, padded class]."""
    return (outputs.argmax(dim=2) == labels).sum(dim=1)


class Session:
    """The population of one run, its data on its device, and what is measured of it."""

    def __init__(self, part: Part, run: Run, batch: int, task: Task, seed: int, device: str) -> None:
        place = torch.device(device)
        self.train, self.valid, self.test = (
            (pad_features(torch.from_numpy(x).to(place)), torch.from_numpy(y).to(place))
            for x, y in (part.train, part.valid, part.test)
        )
        count, features = len(part.replicates), part.train[0].shape[2]
        special = () if run.streams == SAME else (run.streams,)
        names: list[tuple[Name, ...]] = [("batch size", *special, replicate) for replicate in part.replicates]
        self.population = NormalisedPopulation(count, (features, *task.hidden, part.classes), run.ghost)
        self.population.initialise([stream(seed, "init", *name) for name in names])
        self.population.to(place)
        self.start = self.population.vectors()
        everything = torch.arange(part.train[1].shape[1], device=place).expand(count, -1)
        x, y = torch.from_numpy(part.train[0]).to(place), self.train[1]
        # Even batches: a small last one would be a step of another batch size, and normalised by few rows.
        sets = torch.arange(count, device=place)
        self.batches = Batches(x, y, sets, everything, batch, seed, names, even=True)
        momentum = task.momentum if task.rule == "sgd" else 0.0
        self.optimiser = FlatOptimiser(self.population, task.rule, run.rate, momentum=momentum)

    def look(self) -> Look:
        """Measure the population as it is: training and validation rows, normalised by the training set."""
        with torch.no_grad():
            outputs, statistics = self.population.settle(self.train[0])
            valid = self.population.predict_by(statistics, self.valid[0])
            right = right_answers(valid, self.valid[1]).float()
            return Look(cross_entropy(outputs, self.train[1]), cross_entropy(valid, self.valid[1]), right)

    def scores(self) -> dict[str, Tensor]:
        """Return accuracies (shares) and losses (nats) of the population as it is, each [replicate]."""
        with torch.no_grad():
            outputs, statistics = self.population.settle(self.train[0])
            found = {"train": (outputs, self.train[1])}
            for name, (x, y) in (("valid", self.valid), ("test", self.test)):
                found[name] = (self.population.predict_by(statistics, x), y)
            scores = {}
            for name, (answers, y) in found.items():  # in float64 on the CPU, which not every device has
                scores[f"{name}_accuracy"] = right_answers(answers, y).cpu().double() / y.shape[1]
                scores[f"{name}_loss"] = cross_entropy(answers, y).cpu().double()
            return scores


def train(
    part: Part,
    run: Run,
    batch: int,
    task: Task,
    seed: int,
    device: str,
    checkpoint: Checkpoint | None = None,
) -> Arrays:
    """Train one run of some replicates; return their vectors [replicate, parameter] and scores, each [replicate].

    ``early_test_accuracy`` is that of the parameters with the lowest validation loss on the way, ``best_...`` of those
    with the highest validation accuracy. A replicate whose loss is not finite at the end has ``failed`` 1.
    """
    session = Session(part, run, batch, task, seed, device)
    epoch = session.batches.per_epoch
    fixed = run.updates > 0
    steps = run.updates if fixed else max(epoch, min(task.most_updates, task.most_epochs * epoch))
    until = Convergence(
        session.population, session.look, every=epoch * -(-(SELDOM if fixed else LOOK) // epoch),
        target=None if fixed else task.target, patience=None if fixed else task.patience,
    )  # fmt: skip
    player = Player(
        session.optimiser,
        loss=lambda batch: cross_entropy(session.population(batch.x), batch.y),
        gradient=lambda batch: write_normalised_gradient(session.population, batch.x, batch.y),
    )
    fit([player], session.batches, steps, until=until, checkpoint=checkpoint)
    until.finish(steps)
    return _measured(session, until, epoch)


def _measured(session: Session, until: Convergence, epoch: int) -> Arrays:
    scores: dict[str, Tensor] = {}

    def at(kept: Kept) -> dict[str, Tensor]:
        kept.put_into(session.population)
        return session.scores()

    for name, kept in (("early", until.early), ("best", until.best)):
        scores[f"{name}_test_accuracy"] = at(kept)["test_accuracy"]
    scores |= at(until.end)
    vectors = session.population.vectors()
    scores["gap"] = scores["train_accuracy"] - scores["test_accuracy"]
    scores["distance"] = (vectors - session.start).cpu().double().norm(dim=1)
    steps, ends = until.steps.cpu().double(), until.ends.cpu()
    scores["updates"], scores["epochs"] = steps, steps / epoch
    for code, end in enumerate(ENDS):
        scores[end] = (ends == code).double()
    return {"vectors": vectors.cpu().numpy(), **{name: value.numpy() for name, value in scores.items()}}
