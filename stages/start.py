"""Draw the first weights of every network of the lottery study, which all its tickets come back to."""

from math import prod

from torchstone.core.errors import InputError
from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.studies.lottery.chain import beginning, ladder


def main(stage: Stage) -> None:
    prune = stage.params.prune
    task = prune.tasks[prune.dataset]
    train = read_arrays(stage.input("prepare", "train.npz", prune.dataset))
    features = prod(train["x"].shape[2:])
    if prod(task.shape) != features or train["classes"] == 0:
        what = f"{features} features" if train["classes"] else "no classes, and the study needs labels"
        raise InputError(f"params.yaml: prune.tasks.{prune.dataset}.shape = {task.shape}: {prune.dataset} has {what}")
    widths = (features, *task.hidden, int(train["classes"]))
    write_trials(stage.output("trials.csv"), "lottery", ladder())
    write_arrays(stage.weights("prune"), beginning(widths, task, stage.params.shared.seed))


if __name__ == "__main__":
    run(main)
