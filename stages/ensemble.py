"""Train every ensemble of one data set and measure it by its number of members."""

from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.studies.ensembles.study import jobs, measure, network_device
from torchstone.studies.ensembles.task import SETS, Task


def main(stage: Stage) -> None:
    params = stage.params
    train = read_arrays(stage.input("prepare", "train.npz"))
    test = read_arrays(stage.input("prepare", "test.npz"))
    rows = read_arrays(stage.input("resample", "rows.npz"))
    device = network_device(params.ensemble.cells[stage.key].arms, params.shared.device)
    tasks = [
        Task(r, int(train["classes"]), train["x"][r], train["y"][r], test["x"][r], test["y"][r],
             {scheme: rows[scheme][r] for scheme in SETS})
        for r in range(len(train["y"]))
    ]  # fmt: skip
    named = dict(jobs(tasks, stage.key, params.ensemble, params.shared.seed, device))
    workers = None if device == "cpu" else 1  # a GPU is one process's
    pieces = stage.resume().pieces(measure, named, label=f"ensemble@{stage.key}", workers=workers)
    trials = [trial for arrays in pieces for trial in from_arrays(arrays)]
    write_trials(stage.output("trials.csv"), "ensembles", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("ensemble"))
