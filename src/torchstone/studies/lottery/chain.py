"""The chain of rounds: train, prune, hand mask and weights on (iterative magnitude pruning).

Frankle & Carbin (2019): a ticket's weights go back to the first ones, m * theta_0. Frankle et al. (2020): a rewound
ticket's go back to those of the dense net after k updates, m * theta_k, and are trained for k updates less. Both are
chains of their own, since other weights find other masks; at round 0 they are the same dense net.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod

import numpy as np
import numpy.typing as npt
import torch

from torchstone.core.files import Arrays
from torchstone.core.schema import Prune, PruneTask
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.nets.masks import Masks, counts, dense, density, pruned, weights_of
from torchstone.nets.population import CHUNK, LARGE, MLPPopulation, chunks
from torchstone.studies.lottery.training import Lesson, Rows, Start

CHAINS = ("ticket", "rewound")
WIDTHS = (784, 300, 100, 10)  # LeNet-300-100
PRINTED = {3: 0.513, 7: 0.211, 9: 0.135, 15: 0.036, 18: 0.019, 20: 0.012}  # Frankle & Carbin 2019, of its weights
SCORES = (
    "test_accuracy", "train_accuracy", "early_test_accuracy", "early_train_accuracy", "early_updates",
    "log10_early_updates", "early_at_end", "updates_to_accuracy", "failed",
)  # fmt: skip


def lessons(
    data: Mapping[str, Arrays], task: PruneTask, seed: int, device: str, workers: int, order: str = "lottery"
) -> list[Lesson]:
    """Cut a prepared data set to the task's replicates, in pieces that are trained together."""

    def cut(part: str, piece: range) -> Rows:
        x = data[part]["x"][piece.start : piece.stop]
        return x.reshape(*x.shape[:2], -1), data[part]["y"][piece.start : piece.stop]

    classes, features = int(data["train"]["classes"]), prod(data["train"]["x"].shape[2:])
    size = sum(a * b for a, b in pairwise((features, *task.hidden, classes)))
    pieces = chunks(task.replicates, workers, most=CHUNK if size < LARGE else 1)
    return [
        Lesson(list(piece), classes, cut("train", piece), cut("valid", piece), cut("test", piece), task, seed, device,
               order)
        for piece in pieces
    ]  # fmt: skip


def first_weights(widths: Sequence[int], task: PruneTask, seed: int, *names: str) -> npt.NDArray[np.float32]:
    """Draw the first weights of every replicate, [replicate, parameter]; ``names`` tell draws apart."""
    population = MLPPopulation(task.replicates, widths)
    streams = [stream(seed, "init", "lottery", *names, replicate) for replicate in range(task.replicates)]
    population.initialise(streams, task.init)
    vectors: npt.NDArray[np.float32] = population.vectors().numpy()
    return vectors


def as_arrays(name: str, masks: Masks) -> Arrays:
    """Return masks as named arrays, for a file."""
    return {f"{name}-{layer}": mask.numpy() for layer, mask in enumerate(masks)}


def masks_of(name: str, arrays: Arrays) -> list[npt.NDArray[np.bool_]]:
    """Undo ``as_arrays``."""
    layers = sum(key.rpartition("-")[0] == name for key in arrays)
    return [arrays[f"{name}-{layer}"] for layer in range(layers)]


def beginning(widths: Sequence[int], task: PruneTask, seed: int) -> Arrays:
    """Return what round 0 takes over: first weights, and masks that keep all of them."""
    masks = dense(MLPPopulation(task.replicates, widths))
    start: Arrays = {"start": first_weights(widths, task, seed)}
    return start | {name: mask for chain in CHAINS for name, mask in as_arrays(f"next-{chain}", masks).items()}


def part_of(start: Start, lesson: Lesson) -> Start:
    """Return the replicates of one lesson."""
    rows = slice(lesson.replicates[0], lesson.replicates[-1] + 1)
    return Start(start.vectors[rows], [mask[rows] for mask in start.masks], start.behind)


def starts(taken: Arrays, task: PruneTask) -> dict[str, Start]:
    """Return where each chain starts this round; the dense net of round 0 is one for both."""
    found = {"ticket": Start(taken["start"], masks_of("next-ticket", taken))}
    if "rewind" in taken:
        found["rewound"] = Start(taken["rewind"], masks_of("next-rewound", taken), task.rewind)
    return found


def jobs(
    begin: Mapping[str, Start], pieces: Sequence[Lesson], keep_at: int
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield a name and the arguments of ``training.train`` for each chain and piece."""
    for arm, start in begin.items():
        for lesson in pieces:
            yield f"{arm}-{lesson.label}", (part_of(start, lesson), lesson, keep_at)


def joined(done: Sequence[Arrays]) -> Arrays:
    """Put the pieces of one arm together again, replicate first."""
    return {name: np.concatenate([piece[name] for piece in done]) for name in done[0]}


def handed_on(taken: Arrays, found: Mapping[str, Arrays], widths: Sequence[int], prune: Prune) -> Arrays:
    """Prune, and return what the next round and the controls take over.

    "start" and "rewind" are weights to go back to; of each chain "mask" is that of this round and "next" that of the
    next; "trained" are the ticket's weights at the end of this round, "before" of the round before it, "score" its
    scores.
    """
    new: Arrays = {name: taken[name] for name in ("start", "rewind") if name in taken}
    if "rewind" not in new:
        new["rewind"] = found["ticket"]["kept"]
    new["trained"] = found["ticket"]["vectors"]
    if "trained" in taken:
        new["before"] = taken["trained"]
    population = MLPPopulation(len(new["start"]), widths)
    for chain in CHAINS:
        arm = chain if chain in found else "ticket"
        masks = masks_of(f"next-{arm}", taken)
        tensors = [torch.from_numpy(mask) for mask in masks]
        population.load_vectors(torch.from_numpy(found[arm]["vectors"]))
        following = pruned(
            weights_of(population), tensors, prune.rate, prune.output_rate, together=prune.scope == "all"
        )
        new |= as_arrays(f"mask-{chain}", tensors) | as_arrays(f"next-{chain}", following)
    return new | {f"score-{name}": found["ticket"][name] for name in SCORES}


def score_trials(arm: str, x: float, scores: Mapping[str, npt.NDArray[np.float64]]) -> list[Trial]:
    """Return trials of scores, each [replicate]; what is not finite has no row."""
    return [
        Trial(arm, x, replicate, metric, float(value))
        for metric, values in scores.items()
        for replicate, value in enumerate(values)
        if np.isfinite(value)
    ]


def curve_trials(arm: str, found: Arrays) -> list[Trial]:
    """Return the validation curves as trials, whose x counts updates."""
    trials = []
    for metric in ("valid_loss", "valid_accuracy"):
        for replicate, (updates, values) in enumerate(
            zip(found["curve_updates"], found[f"curve_{metric}"], strict=True)
        ):
            rows = zip(updates.tolist(), values.tolist(), strict=True)
            trials += [Trial(arm, x, replicate, metric, value) for x, value in rows if np.isfinite(value)]
    return trials


def round_trials(number: int, found: Mapping[str, Arrays], handed: Arrays) -> list[Trial]:
    """Return the trials of a round: scores and densities of each chain, and the ticket's validation curves."""
    trials = curve_trials(f"ticket, round {number}", found["ticket"])
    for chain in CHAINS:
        scores = found[chain if chain in found else "ticket"]
        masks = [torch.from_numpy(mask) for mask in masks_of(f"mask-{chain}", handed)]
        trials += score_trials(chain, float(number), {name: scores[name] for name in SCORES})
        trials += score_trials(chain, float(number), densities(masks))
    return trials


def densities(masks: Masks) -> dict[str, npt.NDArray[np.float64]]:
    """Return the shares of weights that are left, each [replicate]: of all, and by layer from 1."""
    shares = {"density": density(masks).numpy()}
    for layer, (count, mask) in enumerate(zip(counts(masks), masks, strict=True), start=1):
        shares[f"density_{layer}"] = (count.double() / mask[0].numel()).numpy()
    return shares


def ladder() -> list[Trial]:
    """Return the share of LeNet-300-100's weights that each round leaves, counted with masks like those of the chain.

    The published rates are used, whatever the params say: it is the printed ladder that is checked.
    """
    population = MLPPopulation(1, WIDTHS)
    masks, weights = dense(population), weights_of(population)
    trials, worst = [Trial("LeNet-300-100", 0.0, 0, "density", 1.0)], 0.0
    for number in range(1, max(PRINTED) + 1):
        masks = pruned(weights, masks, 0.2, 0.1, together=False)
        share = float(density(masks))
        trials.append(Trial("LeNet-300-100", float(number), 0, "density", share))
        if number in PRINTED:
            worst = max(worst, share - PRINTED[number], PRINTED[number] - share, key=abs)
    return [*trials, Trial("LeNet-300-100", None, 0, "printed_residual", worst)]
