"""Work out the games whose end is known, and measure a perfect sampler as if it were a generator."""

from torchstone.core.files import write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.studies.gan.truth import known


def main(stage: Stage) -> None:
    trials, kept, pictures = known(stage.params.gan.plane, stage.params.exact, stage.params.shared.seed)
    write_trials(stage.output("trials.csv"), "gan", trials)
    samples = {f"{arm}/{dataset}": drawn for arm, found in kept.items() for dataset, drawn in found.items()}
    write_arrays(stage.output("kept.npz"), samples)
    write_arrays(stage.output("pictures.npz"), pictures)


if __name__ == "__main__":
    run(main)
