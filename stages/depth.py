"""Say at which round each arm falls below the dense net, and how far one may prune, from trials alone."""

from pathlib import Path

import pandas as pd

from torchstone.core.files import write_json
from torchstone.core.stage import Stage, run
from torchstone.core.trials import read_trials, write_trials
from torchstone.stats.evidence import overlap
from torchstone.studies.lottery.depth import NOTE, WHEN, answer, break_trials, sentence


def main(stage: Stage) -> None:
    params = stage.params
    dataset = params.prune.dataset
    margin = params.depth.margins[dataset]
    prune = pd.concat([read_trials(stage.input("prune", "trials.csv", key)) for key in params.prune.rounds])
    controls = [read_trials(stage.input("control", "trials.csv", key)) for key in params.control.rounds]
    control = pd.concat(controls) if controls else prune.iloc[:0]
    write_trials(stage.output("trials.csv"), "lottery", break_trials(control, prune, margin))
    said = [
        sentence(answer(prune, metric, margin, params.judge.alpha, overlap(dataset, params)), metric, margin)
        for metric in WHEN
    ]
    row = {"title": dataset, "text": " ".join(said), "note": NOTE}
    write_json(Path("reports/advice/lottery.json"), {"advice": [row]})


if __name__ == "__main__":
    run(main)
