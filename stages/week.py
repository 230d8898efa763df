"""Forecast a published week of detectors; by default the trials of a recorded run stand in for it, without network."""

from pathlib import Path

from torchstone.core.files import read_bytes, write_bytes
from torchstone.core.stage import Stage, run
from torchstone.core.trials import read_trials, write_trials
from torchstone.data.metr_la import BINS, FIRST_WEEKDAY, week
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.navigation.week import Recorded, week_trials


def main(stage: Stage) -> None:
    row, shared = stage.params.week.sets[stage.key], stage.params.shared
    record = Path("records", f"{stage.name}-{stage.key}.csv")
    if row.source == "recorded":
        read_trials(record)  # says what is wrong, if it is no trials table
        write_bytes(stage.output("trials.csv"), read_bytes(record, remedy="set week.sets to source: measured"))
        return
    speeds, near = week()
    flat = speeds.transpose(1, 0, 2).reshape(len(near), -1)
    checkpoints = [Checkpoint(stage.resume(), f"networks-{kind}-state") for kind in range(2)]
    recorded = Recorded(flat, near, BINS, FIRST_WEEKDAY)
    trials = week_trials(recorded, stage.params.forecast, row, shared.seed, resolve(shared.device), checkpoints)
    write_trials(stage.output("trials.csv"), "navigation", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("week"))
