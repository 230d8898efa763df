"""Check what all other studies stand on: arrays, gradients, one regression four ways, and stacked models."""

from torchstone.core.files import write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.studies.primer.checks import checks
from torchstone.studies.primer.graph import graph


def main(stage: Stage) -> None:
    # On the CPU whatever shared.device says: numpy is there, and these bits are to be the same on every machine.
    write_trials(stage.output("trials.csv"), "primer", checks(stage.params.primer, stage.params.shared.seed))
    write_arrays(stage.output("pictures.npz"), graph())


if __name__ == "__main__":
    run(main)
