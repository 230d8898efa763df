"""Forecast a published week of detectors; by default the trials of a recorded run stand in for it, without network."""

from pathlib import Path
from typing import Any

from torchstone.core.errors import InputError
from torchstone.core.files import read_bytes, read_json, write_bytes, write_json
from torchstone.core.stage import Stage, run
from torchstone.core.trials import read_trials, write_trials
from torchstone.data.metr_la import BINS, FIRST_WEEKDAY, week
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.navigation.week import Recorded, measured_with, week_trials

REMEDY = "set week.sets to source: measured, run this stage and copy its trials.csv and record.json to records/"


def check(record: Path, wanted: dict[str, Any], *, strict: bool) -> None:
    """Refuse a record that was measured with other params, unless it may stand in for them."""
    kept = read_json(record)
    wrong = [name for name in sorted({*kept, *wanted}) if kept.get(name) != wanted.get(name)]
    if wrong and strict:
        name = wrong[0]
        raise InputError(
            f"{record}: measured with {name} = {kept.get(name)}, but it is {wanted.get(name)} now; {REMEDY}, or set it "
            "to source: stand-in to use the record all the same"
        )


def main(stage: Stage) -> None:
    row, shared = stage.params.week.sets[stage.key], stage.params.shared
    record = Path("records", f"{stage.name}-{stage.key}.csv")
    params = measured_with(stage.params.forecast, row, shared.seed)
    if row.source != "measured":
        check(record.with_suffix(".json"), params, strict=row.source == "recorded")
        read_trials(record)  # says what is wrong, if it is no trials table
        write_bytes(stage.output("trials.csv"), read_bytes(record, remedy=REMEDY))
        return
    speeds, near = week()
    flat = speeds.transpose(1, 0, 2).reshape(len(near), -1)
    checkpoints = [Checkpoint(stage.resume(), f"networks-{kind}-state") for kind in range(2)]
    recorded = Recorded(flat, near, BINS, FIRST_WEEKDAY)
    trials = week_trials(recorded, stage.params.forecast, row, shared.seed, resolve(shared.device), checkpoints)
    write_trials(stage.output("trials.csv"), "navigation", trials)
    write_json(stage.output("record.json"), params)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("week"))
