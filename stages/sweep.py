"""Train every arm of one data set at one batch size, and keep the minima that will be measured."""

from itertools import pairwise

import numpy as np

from torchstone.core.errors import InputError
from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.batchsize import sweep as study
from torchstone.studies.batchsize.training import train


def main(stage: Stage) -> None:
    cell, seed = stage.params.sweep.cells[stage.key], stage.params.shared.seed
    task, dataset = stage.params.sweep.tasks[cell.dataset], cell.dataset
    rows = {name: read_arrays(stage.input("prepare", f"{name}.npz", dataset)) for name in ("train", "valid", "test")}
    count = rows["train"]["y"].shape[1]
    if task.rows > count or rows["train"]["classes"] == 0:
        what = f"{count} training rows" if rows["train"]["classes"] else "no classes, and the study needs labels"
        raise InputError(f"params.yaml: sweep.tasks.{dataset}.rows = {task.rows}: {dataset} has {what}")
    widths = (int(np.prod(rows["train"]["x"].shape[2:])), *task.hidden, int(rows["train"]["classes"]))
    pieces = study.parts(**rows, task=task, parameters=sum(a * b for a, b in pairwise(widths)))
    device = resolve(stage.params.shared.device).type
    resume = stage.resume()
    named = {
        name: (*job, Checkpoint(resume, f"{name}-state"))
        for name, job in study.jobs(pieces, cell.batch, task, seed, device)
    }
    workers = None if device == "cpu" else 1  # a GPU is one process's
    done = list(resume.pieces(train, named, label=f"sweep@{stage.key}", workers=workers))
    runs = study.distinct_runs(cell.batch, task)
    found = {
        one: {name: np.concatenate([piece[name] for piece in done[place * len(pieces) :][: len(pieces)]])
              for name in done[0]}
        for place, one in enumerate(runs)
    }  # fmt: skip
    write_trials(stage.output("trials.csv"), "batch-size", study.sweep_trials(found, cell.batch, task))
    write_arrays(stage.weights(dataset), study.weights(found, cell.batch, task))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("sweep"))
