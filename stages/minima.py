"""Measure the minima that the batch sizes of one data set ended in."""

import numpy as np

from torchstone.core.errors import InputError
from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import Trial, from_arrays, write_trials
from torchstone.learn.device import resolve
from torchstone.studies.batchsize.arms import MEASURED
from torchstone.studies.batchsize.correlation import rank_correlations
from torchstone.studies.batchsize.minima import Ground, Minimum, jobs, measure


def main(stage: Stage) -> None:
    params, dataset = stage.params, stage.key
    task, device = params.sweep.tasks[dataset], resolve(params.shared.device).type
    device = "cpu" if device == "mps" else device  # curvature needs float64, which mps has not
    rows = {}
    for name in ("train", "test"):
        arrays = read_arrays(stage.input("prepare", f"{name}.npz"))
        x, y = (arrays[axis][: task.replicates, : task.rows if name == "train" else None] for axis in ("x", "y"))
        rows[name] = (x.reshape(*x.shape[:2], -1), y)
    widths = (rows["train"][0].shape[2], *task.hidden, int(arrays["classes"]))
    ground = Ground(widths, **rows, settings=params.minima, seed=params.shared.seed, device=device)
    minima = []
    for batch in sorted(params.minima.sizes[dataset]):
        found = read_arrays(stage.weights(dataset, f"{dataset}-b{batch:04d}"))
        for arm in [arm for arm in MEASURED if arm in found]:
            if not found[f"{arm}/failed"].any():
                scores = (found[f"{arm}/{name}"] for name in ("train_accuracy", "train_loss", "gap"))
                minima.append(Minimum(arm, batch, found[arm], *scores))
            elif arm == "plain" and batch in {task.reference, max(params.minima.sizes[dataset])}:
                lost = int(found[f"{arm}/failed"].sum())
                raise InputError(
                    f"params.yaml: sweep.tasks.{dataset}.learning_rate = {task.learning_rate}: {lost} plain replicates "
                    f"failed at batch size {batch}, which all others are compared with; take a lower rate"
                )
    named = {name: (function, arguments) for name, function, arguments in jobs(ground, minima, task.reference)}
    workers = None if device == "cpu" else 1
    pieces = stage.resume().pieces(measure, named, label=f"minima@{dataset}", workers=workers)
    trials = [trial for arrays in pieces for trial in from_arrays(arrays)]
    phi = f"phi_full_{params.minima.eps[0]:g}"
    sharpness = {(t.arm, int(t.x), t.replicate): t.value for t in trials if t.metric == phi and t.x is not None}
    trials += rank_correlations(minima, sharpness, task.target)
    for minimum in minima:
        for metric in ("train_accuracy", "gap"):
            values = np.asarray(getattr(minimum, metric))
            trials += [Trial(minimum.arm, float(minimum.batch), r, metric, float(v)) for r, v in enumerate(values)]
    write_trials(stage.output("trials.csv"), "batch-size", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("minima"))
