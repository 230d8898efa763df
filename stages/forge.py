"""Play every game on one set of images, each at its best rate, and measure the fakes."""

import numpy as np

from torchstone.core.errors import InputError
from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.gan import forge as study
from torchstone.studies.gan.classifier import train_judges
from torchstone.studies.gan.images import albums, floors, measure, pixels
from torchstone.studies.gan.training import play


def main(stage: Stage) -> None:
    task, games, seed = stage.params.forge[stage.key], stage.params.gan.games, stage.params.shared.seed
    data = task.dataset
    rows = {name: read_arrays(stage.input("prepare", f"{name}.npz", data)) for name in ("train", "valid", "test")}
    classes = int(rows["train"]["classes"])
    if classes == 0:
        raise InputError(f"params.yaml: forge.{stage.key}.dataset = {data}: no classes, which its judge needs")
    device, resume = resolve(stage.params.shared.device).type, stage.resume()
    workers = None if device == "cpu" else 1  # a GPU is one process's
    named = dict(study.matches(task, games, rows))
    jobs = {name: (match, seed, device, Checkpoint(resume, f"{name}-state")) for name, match in named.items()}
    found = dict(zip(named, resume.pieces(play, jobs, label=f"forge@{stage.key}", workers=workers), strict=True))
    count = task.replicates
    train = np.stack([pixels(rows["train"]["x"][r])[0] for r in range(count)])
    names = [("gan", data, r) for r in range(count)]
    judges = train_judges(train, rows["train"]["y"][:count], classes, task.judge_epochs, seed, names)
    pages = albums(rows, judges, count)
    kept = study.chosen(task, found, pages)
    measured = study.measurements(task, games, kept, pages)
    trials = [one for arrays in resume.pieces(measure, measured, label="measuring") for one in from_arrays(arrays)]
    write_trials(stage.output("trials.csv"), "gan", [*trials, *from_arrays(floors(pages, task, seed))])
    flat = {f"{game}/{name}": value for game, (_, arrays) in kept.items() for name, value in arrays.items()}
    write_arrays(stage.output("kept.npz"), flat | {"judges": judges})
    write_arrays(stage.output("pictures.npz"), study.pictures(task, kept, pages))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("forge"))
