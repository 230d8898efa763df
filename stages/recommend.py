"""Say which batch size to take for each data set, from the trials of sweep and cost alone."""

from pathlib import Path

import pandas as pd

from torchstone.core.files import write_json
from torchstone.core.stage import Stage, run
from torchstone.core.trials import read_trials, write_trials
from torchstone.stats.evidence import overlap
from torchstone.studies.batchsize.recommendation import choice_trials, choose, regret_trials, sentence

ARMS = ("plain", "tuned", "all three")


def main(stage: Stage) -> None:
    params = stage.params
    sweeps = {
        dataset: pd.concat([
            read_trials(stage.input("sweep", "trials.csv", f"{dataset}-b{size:04d}"))
            for size in params.sweep.sizes(dataset)
        ])
        for dataset in params.sweep.tasks
    }  # fmt: skip
    advice = []
    for dataset, sweep in sweeps.items():
        cost = read_trials(stage.input("cost", "trials.csv", dataset))
        reference = params.sweep.tasks[dataset].reference
        margin, alpha = params.recommend.margins[dataset], params.judge.alpha
        arms = [arm for arm in ARMS if arm in set(sweep["arm"])]
        choices = [choose(sweep, cost, arm, reference, margin, alpha, overlap(dataset, params)) for arm in arms]
        trials = [*regret_trials(sweeps, dataset), *choice_trials(choices)]
        write_trials(Path("data", stage.name, dataset, "trials.csv"), "batch-size", trials)
        sentences = [sentence(choice, reference, params.sweep.tasks[dataset].rows, margin) for choice in choices]
        advice.append({"title": dataset, "text": sentences[0], "note": " ".join(sentences[1:])})
    write_json(Path("reports/advice/batch-size.json"), {"advice": advice})


if __name__ == "__main__":
    run(main)
