"""A tiny chain of tickets, trained as the stages train it, to hold the laws of the lottery study to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from torchstone.core.files import Arrays
from torchstone.core.schema import Prune, PruneTask
from torchstone.core.streams import stream
from torchstone.studies.lottery.chain import beginning, handed_on, jobs, joined, lessons, starts
from torchstone.studies.lottery.training import Lesson, train

Floats = npt.NDArray[np.float32]
SEED = 5
WIDTHS = (12, 10, 7, 3)
TASK = PruneTask(
    replicates=3, hidden=list(WIDTHS[1:-1]), init="glorot_normal", rule="adam", momentum=0.9, learning_rate=0.01,
    batch=8, updates=36, look=3, window=3, accuracy=0.5, rewind=5, shape=[3, 4],
)  # fmt: skip
PRUNE = Prune.model_validate(
    {
        "dataset": "waveform", "scope": "layer", "rate": 0.3, "output_rate": 0.2, "tasks": {"waveform": TASK},
        "rounds": {"r00": {"after": "start"}, "r01": {"after": "r00"}, "r02": {"after": "r01"}},
    }
)  # fmt: skip
STILL: dict[str, Any] = {"rule": "sgd", "momentum": 0.0, "learning_rate": 0.0}  # a training that ends where it starts


def data() -> dict[str, Arrays]:
    """Return separable clusters of three classes, each replicate's from its own stream."""
    parts: dict[str, Arrays] = {}
    for part, count in (("train", 40), ("valid", 20), ("test", 60)):
        x, y = [], []
        for replicate in range(TASK.replicates):
            labels = torch.arange(count) % 3
            centres = torch.randn(3, WIDTHS[0], generator=stream(0, "centres", replicate))
            noise = torch.randn(count, WIDTHS[0], generator=stream(0, part, replicate))
            x.append((0.8 * centres[labels] + noise).numpy())
            y.append(labels.numpy())
        parts[part] = {"x": np.stack(x), "y": np.stack(y), "classes": np.array(3)}
    return parts


def lesson(workers: int = 1, **changes: Any) -> list[Lesson]:
    """Return the lessons of a task with these changes, in so many pieces."""
    return lessons(data(), TASK.model_copy(update=changes), SEED, "cpu", workers)


@dataclass(frozen=True)
class Trained:
    """What a round took over, found and handed on."""

    taken: Arrays
    found: dict[str, Arrays]
    handed: Arrays


def played(taken: Arrays, number: int, pieces: list[Lesson], prune: Prune = PRUNE) -> Trained:
    """Do a round's work, as stages/prune.py does."""
    task = pieces[0].task
    begin = starts(taken, task)
    done = [train(*job) for _, job in jobs(begin, pieces, task.rewind if number == 0 else 0)]  # type: ignore[arg-type]
    found = {arm: joined(done[place * len(pieces) :][: len(pieces)]) for place, arm in enumerate(begin)}
    return Trained(taken, found, handed_on(taken, found, WIDTHS, prune))


@cache
def chain(scope: str = "layer") -> tuple[Trained, ...]:
    """Return three rounds."""
    prune = PRUNE.model_copy(update={"scope": scope})
    rounds = [played(beginning(WIDTHS, TASK, SEED), 0, lesson(), prune)]
    for number in (1, 2):
        rounds.append(played(rounds[-1].handed, number, lesson(), prune))
    return tuple(rounds)


def flat(masks: list[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    """Return masks as one vector a network, [replicate, parameter], in which every bias is kept."""
    pieces = []
    for mask in masks:
        pieces += [mask.reshape(len(mask), -1), np.ones((len(mask), mask.shape[2]), dtype=bool)]
    return np.concatenate(pieces, axis=1)


def layers(vectors: Floats) -> list[Floats]:
    """Return the weights of each layer, [replicate, in, out], of vectors [replicate, parameter]."""
    found, start = [], 0
    for inputs, outputs in pairwise(WIDTHS):
        found.append(vectors[:, start : start + inputs * outputs].reshape(-1, inputs, outputs))
        start += inputs * outputs + outputs
    return found


def answers(vectors: Floats, x: Floats) -> npt.NDArray[np.int64]:
    """Return the class of each row, [replicate, sample], written without anything of ours."""
    hidden, start = x.astype(np.float64), 0
    for inputs, outputs in pairwise(WIDTHS):
        weights = vectors[:, start : start + inputs * outputs].reshape(-1, inputs, outputs)
        start += inputs * outputs
        hidden = hidden @ weights + vectors[:, None, start : start + outputs]
        start += outputs
        hidden = np.maximum(hidden, 0) if start < vectors.shape[1] else hidden
    return np.asarray(hidden.argmax(axis=2))
