"""Train the tickets of one round, prune them, and hand masks and weights on to the next round."""

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.processes import worker_count
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.lottery.chain import handed_on, jobs, joined, lessons, masks_of, round_trials, starts
from torchstone.studies.lottery.structure import pictures, structure_trials
from torchstone.studies.lottery.training import first_layer, train


def main(stage: Stage) -> None:
    prune, number = stage.params.prune, int(stage.key.removeprefix("r"))
    task, before = prune.tasks[prune.dataset], prune.rounds[stage.key].after
    parts = ("train", "valid", "test")
    data = {part: read_arrays(stage.input("prepare", f"{part}.npz", prune.dataset)) for part in parts}
    taken = read_arrays(stage.weights("prune", before))
    device = resolve(stage.params.shared.device).type
    workers = worker_count() if device == "cpu" else 1  # a GPU is one process's
    pieces = lessons(data, task, stage.params.shared.seed, device, workers)
    begin, resume = starts(taken, task), stage.resume()
    named = {
        name: (*job, Checkpoint(resume, f"{name}-state"))
        for name, job in jobs(begin, pieces, task.rewind if number == 0 else 0)
    }
    done = list(resume.pieces(train, named, label=f"prune@{stage.key}", workers=workers))
    found = {arm: joined(done[place * len(pieces) :][: len(pieces)]) for place, arm in enumerate(begin)}
    handed = handed_on(taken, found, pieces[0].widths, prune)
    mask = masks_of("mask-ticket", handed)[0]
    trials = round_trials(number, found, handed) + structure_trials(number, mask, task.shape)
    write_trials(stage.output("trials.csv"), "lottery", trials)
    weights = first_layer(found["ticket"]["vectors"], pieces[0].widths)
    write_arrays(stage.output("pictures.npz"), pictures(mask, weights, task.shape))
    write_arrays(stage.weights("prune"), handed)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("prune"))
