"""Measure what a batch size costs on one data set: the time and the memory of training steps."""

from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.studies.batchsize.cost import Workload, measurements, trials


def main(stage: Stage) -> None:
    settings, shared = stage.params.cost, stage.params.shared
    task = stage.params.sweep.tasks[stage.key]
    train = read_arrays(stage.input("prepare", "train.npz"))
    x, y = train["x"][0, : task.rows], train["y"][0, : task.rows]  # of the first replicate
    workload = Workload(
        x.reshape(len(x), -1), y, int(train["classes"]), tuple(task.hidden),
        task.rule, task.learning_rate, task.momentum, shared.seed, resolve(shared.device).type,
    )  # fmt: skip
    label = f"cost@{stage.key}"
    measured = list(measurements(workload, settings.sizes, settings.repeats, settings.seconds, label=label))
    write_trials(stage.output("trials.csv"), "batch-size", trials(measured, task.rows))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("cost"))
