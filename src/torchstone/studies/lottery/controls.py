"""What a ticket must beat: other weights in its mask, other masks of the same size, and its own twin.

Every arm keeps as many weights in each layer as the ticket does, and sees the same rows in the same order, but for
``twin`` (the order is what is asked about) and ``control`` (another stream for everything).

    reinit      the ticket's mask, new first weights
    shuffled    its mask shuffled within each layer, its first weights
    random      a random mask, new first weights
    oneshot     the largest weights of the trained dense net, in one step; the first weights
    signs       its mask, the signs of its first weights times their standard deviation by layer (Zhou et al. 2019)
    finetuned   its mask, the trained weights of the round before instead of the first ones
    twin        the ticket in another order of the rows: are the two minima linearly connected?
    control     a dense net with other streams, at round 0
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from torchstone.core.files import Arrays
from torchstone.core.schema import Controls
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.learn.fit import Checkpoint
from torchstone.learn.landscape import interpolated_losses
from torchstone.nets.masks import by_magnitude, counts, shuffled, weights_of
from torchstone.nets.population import MLPPopulation
from torchstone.studies.lottery.chain import SCORES, curve_trials, first_weights, masks_of, part_of, score_trials
from torchstone.studies.lottery.training import Lesson, Start, networks, outputs_on, train

DENSE = ("control", "twin")  # arms that are trained at round 0 too; control only there
ORDERS = {"control": "lottery, control", "twin": "lottery, twin"}
Vectors = npt.NDArray[np.float32]


def arms_at(number: int, settings: Controls) -> list[str]:
    """Return the arms that are trained at a round."""
    return [arm for arm in settings.arms if (arm in DENSE if number == 0 else arm != "control")]


def start_of(arm: str, number: int, ticket: Arrays, dense: Arrays, lesson: Lesson) -> Start:
    """Return where all replicates of an arm start; ``ticket`` and ``dense`` are what their rounds handed on."""
    task, seed, widths = lesson.task, lesson.seed, lesson.widths
    masks, first = masks_of("mask-ticket", ticket), ticket["start"]

    def mixed(name: str) -> list[npt.NDArray[np.bool_]]:
        streams = [stream(seed, name, "lottery", number, replicate) for replicate in range(task.replicates)]
        return [mask.numpy() for mask in shuffled([torch.from_numpy(mask) for mask in masks], streams)]

    match arm:
        case "reinit":
            return Start(first_weights(widths, task, seed, arm, str(number)), masks)
        case "shuffled":
            return Start(first, mixed("shuffled mask"))
        case "random":
            return Start(first_weights(widths, task, seed, arm, str(number)), mixed("random mask"))
        case "oneshot":
            return Start(first, _oneshot(dense, masks, widths))
        case "signs":
            return Start(_signs(first, widths, task.init), masks)
        case "finetuned":
            return Start(ticket["before"], masks)
        case "control":
            return Start(first_weights(widths, task, seed, arm), masks)
        case _:
            return Start(first, masks)


def _oneshot(
    dense: Arrays, like: Sequence[npt.NDArray[np.bool_]], widths: Sequence[int]
) -> list[npt.NDArray[np.bool_]]:
    """Keep the largest weights of the trained dense nets, as many in each layer as ``like`` keeps."""
    population = MLPPopulation(len(dense["trained"]), widths)
    population.load_vectors(torch.from_numpy(dense["trained"]))
    all_of_them = [torch.ones(mask.shape, dtype=torch.bool) for mask in like]
    keep = counts([torch.from_numpy(mask) for mask in like])
    return [mask.numpy() for mask in by_magnitude(weights_of(population), all_of_them, keep)]


def _signs(first: Vectors, widths: Sequence[int], scheme: str) -> Vectors:
    """Return the signs of weights times the standard deviation that each layer was drawn with."""
    population = MLPPopulation(len(first), widths)
    population.load_vectors(torch.from_numpy(first))
    with torch.no_grad():
        for weight in weights_of(population):
            inputs, outputs = weight.shape[1:]
            variance = 2 / inputs if scheme == "kaiming_normal" else 2 / (inputs + outputs)
            weight.copy_(weight.sign() * math.sqrt(variance))
    vectors: Vectors = population.vectors().numpy()
    return vectors


def measure(
    arm: str, start: Start, lesson: Lesson, ticket: Vectors, points: int, checkpoint: Checkpoint | None = None
) -> Arrays:
    """Train one arm of some replicates; of a twin measure the line to the trained ``ticket`` too."""
    lesson = replace(lesson, order=ORDERS.get(arm, lesson.order))
    found = train(start, lesson, checkpoint=checkpoint)
    return found | (line(ticket, found["vectors"], start, lesson, points) if arm == "twin" else {})


def line(first: Vectors, second: Vectors, start: Start, lesson: Lesson, points: int) -> Arrays:
    """Return the barriers between two runs from one start, each [replicate]: on test rows, error (share) and loss.

    Frankle et al. (2020): the highest error on the straight line between them, less the mean of its ends.
    """
    ends = [networks(replace(start, vectors=vectors), lesson) for vectors in (first, second)]
    alphas = np.linspace(0.0, 1.0, points)
    x, y = lesson.rows("test")
    found = interpolated_losses(ends[0], ends[1], alphas.tolist(), x, y, outputs=lambda between: outputs_on(between, x))
    assert found.accuracies is not None
    barriers = {}
    for name, values in (("error_barrier", 1 - found.accuracies), ("loss_barrier", found.losses)):
        barriers[name] = values.max(axis=1) - (values[:, 0] + values[:, -1]) / 2
    return barriers


def jobs(
    arms: Sequence[str], number: int, ticket: Arrays, dense: Arrays, pieces: Sequence[Lesson], points: int
) -> dict[str, tuple[object, ...]]:
    """Return the arguments of ``measure`` for each arm and piece, by name."""
    named: dict[str, tuple[object, ...]] = {}
    for arm in arms:
        start = start_of(arm, number, ticket, dense, pieces[0])
        for lesson in pieces:
            trained = part_of(Start(ticket["trained"], []), lesson).vectors
            named[f"{arm}-{lesson.label}"] = (arm, part_of(start, lesson), lesson, trained, points)
    return named


def control_trials(number: int, found: Mapping[str, Arrays], ticket: Arrays, dense: Arrays) -> list[Trial]:
    """Return the trials of all arms at a round, and the differences that matter.

    "over_dense" is an arm's test accuracy less the dense net's, "over_reinit" the ticket's less that of other first
    weights, "over_midpoint" that of signs alone less the middle between these two: at the lowest validation loss, and
    with "end_" before the name at the end of training. The ticket's own scores stand in the trials of its round.
    """
    scores: dict[str, dict[str, npt.NDArray[np.float64]]] = {"ticket": {}}
    for arm, arrays in found.items():
        scores[arm] = {name: arrays[name] for name in (*SCORES, "error_barrier", "loss_barrier") if name in arrays}
    for prefix, metric in (("", "early_test_accuracy"), ("end_", "test_accuracy")):
        own = ticket[f"score-{metric}"]
        accuracies = {"ticket": own} | {arm: arrays[metric] for arm, arrays in found.items()}
        for arm, values in accuracies.items():
            scores[arm][f"{prefix}over_dense"] = values - dense[f"score-{metric}"]
        if "reinit" in accuracies:
            scores["ticket"][f"{prefix}over_reinit"] = own - accuracies["reinit"]
        if "reinit" in accuracies and "signs" in accuracies:
            middle = (own + accuracies["reinit"]) / 2
            scores["signs"][f"{prefix}over_midpoint"] = accuracies["signs"] - middle
    trials = [trial for arm, values in scores.items() for trial in score_trials(arm, float(number), values)]
    curves = [curve_trials(f"reinit, round {number}", found["reinit"])] if "reinit" in found else []
    return trials + [trial for curve in curves for trial in curve]
