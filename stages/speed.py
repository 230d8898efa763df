"""Time torch and numpy by size, and an accelerator if there is one."""

from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.studies.primer.speed import timings, trials


def main(stage: Stage) -> None:
    shared = stage.params.shared
    measured = timings(stage.params.speed, shared.seed, resolve(shared.device).type)
    write_trials(stage.output("trials.csv"), "primer", trials(measured))


if __name__ == "__main__":
    run(main)
