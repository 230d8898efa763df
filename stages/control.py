"""Train what the ticket of one round must beat, at the same number of weights."""

from torchstone.core.files import read_arrays
from torchstone.core.processes import worker_count
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.lottery.chain import joined, lessons
from torchstone.studies.lottery.controls import arms_at, control_trials, jobs, measure


def main(stage: Stage) -> None:
    params, number = stage.params, int(stage.key.removeprefix("r"))
    task, settings = params.prune.tasks[params.prune.dataset], params.control
    parts = ("train", "valid", "test")
    data = {part: read_arrays(stage.input("prepare", f"{part}.npz", params.prune.dataset)) for part in parts}
    ticket, dense = (read_arrays(stage.weights("prune", key)) for key in (stage.key, "r00"))
    device = resolve(params.shared.device).type
    workers = worker_count() if device == "cpu" else 1  # a GPU is one process's
    pieces, arms = lessons(data, task, params.shared.seed, device, workers), arms_at(number, settings)
    resume = stage.resume()
    named = {
        name: (*job, Checkpoint(resume, f"{name}-state"))
        for name, job in jobs(arms, number, ticket, dense, pieces, settings.points).items()
    }
    done = list(resume.pieces(measure, named, label=f"control@{stage.key}", workers=workers))
    found = {arm: joined(done[place * len(pieces) :][: len(pieces)]) for place, arm in enumerate(arms)}
    write_trials(stage.output("trials.csv"), "lottery", control_trials(number, found, ticket, dense))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("control"))
