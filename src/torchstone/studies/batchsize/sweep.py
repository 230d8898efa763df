"""One batch size on one data set: every arm of every replicate, as jobs that may run anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from torchstone.core.files import Arrays
from torchstone.core.schema import Task
from torchstone.core.trials import Trial
from torchstone.learn.convergence import ENDS
from torchstone.nets.population import CHUNK, LARGE, chunks
from torchstone.studies.batchsize.arms import MEASURED, Run, candidates, runs_of
from torchstone.studies.batchsize.training import Part

Job = tuple[Part, Run, int, Task, int, str]


def parts(train: Arrays, valid: Arrays, test: Arrays, task: Task, parameters: int) -> list[Part]:
    """Cut a prepared data set to the task's replicates and training rows, and to pieces that are trained together."""

    def cut(arrays: Arrays, piece: range, rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        x = arrays["x"][piece.start : piece.stop, :rows]
        return x.reshape(*x.shape[:2], -1), arrays["y"][piece.start : piece.stop, :rows]

    pieces = chunks(task.replicates, most=CHUNK if parameters < LARGE else 1)
    return [
        Part(list(piece), int(train["classes"]), cut(train, piece, task.rows), cut(valid, piece), cut(test, piece))
        for piece in pieces
    ]


def distinct_runs(batch: int, task: Task) -> list[Run]:
    """Return what has to be trained, each once, the longest first so that the cores stay busy to the end."""
    wanted = [*runs_of(batch, task).values(), *candidates(batch, task)]
    return sorted(dict.fromkeys(wanted), key=lambda run: -run.updates)


def jobs(pieces: list[Part], batch: int, task: Task, seed: int, device: str) -> Iterator[tuple[str, Job]]:
    """Yield a name and the arguments of ``training.train`` for each run and piece."""
    for place, run in enumerate(distinct_runs(batch, task)):
        for number, piece in enumerate(pieces):
            yield f"{place:03d}-{number:04d}", (piece, run, batch, task, seed, device)


def tuned(found: Mapping[Run, Arrays], offered: list[Run]) -> Run:
    """Return the run with the highest mean validation accuracy at its end, the lower rate on a tie.

    Validation rows alone choose, and one rate for all replicates of a batch size, as one would set it. A run in which
    a replicate failed is not chosen unless all did.
    """
    rising = sorted(offered, key=lambda run: run.rate)
    return max(rising, key=lambda run: (-found[run]["failed"].sum(), found[run]["valid_accuracy"].mean()))


def sweep_trials(found: Mapping[Run, Arrays], batch: int, task: Task) -> list[Trial]:
    """Return the trials of all arms at a batch size, whose x it is. What is not finite has no row."""
    named = runs_of(batch, task)
    offered = candidates(batch, task)
    if offered:
        named["tuned"] = tuned(found, offered)
    trials = []
    for arm, run in named.items():
        scores = {name: values for name, values in found[run].items() if name != "vectors"}
        with np.errstate(divide="ignore"):
            scores["log10_distance"] = np.log10(scores["distance"])
        scores["learning_rate"] = np.full(task.replicates, run.rate)
        if run.updates:  # such a run goes to its end by design: it neither converges nor hits a cap
            scores = {name: values for name, values in scores.items() if name not in ENDS or name == "failed"}
        for metric, values in scores.items():
            trials += [
                Trial(arm, float(batch), replicate, metric, float(value))
                for replicate, value in enumerate(values)
                if np.isfinite(value)
            ]
    return trials


def weights(found: Mapping[Run, Arrays], batch: int, task: Task) -> Arrays:
    """Return what the stage `minima` needs of each measured arm: vectors, [replicate, parameter], and scores.

    An arm that comes to the same as the plain one is not kept a second time.
    """
    kept: Arrays = {}
    named = runs_of(batch, task)
    for arm, run in named.items():
        if arm in MEASURED and (arm == "plain" or run != named["plain"]):
            kept[arm] = found[run]["vectors"]
            kept |= {f"{arm}/{name}": found[run][name] for name in ("train_accuracy", "train_loss", "gap", "failed")}
    return kept
