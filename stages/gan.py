"""Play one game between generators and discriminators in the plane, or work out what is known exactly."""

from torchstone.core.files import write_arrays
from torchstone.core.schema.gan import EXACT
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.gan import plane as study
from torchstone.studies.gan.training import play


def main(stage: Stage) -> None:
    gan, seed = stage.params.gan, stage.params.shared.seed
    if stage.key == EXACT:
        trials, kept, pictures = study.exact(gan, seed)
    else:
        device = resolve(stage.params.shared.device).type
        resume = stage.resume()
        named = dict(study.matches(gan, stage.key))
        jobs = {name: (match, seed, device, Checkpoint(resume, f"{name}-state")) for name, match in named.items()}
        workers = None if device == "cpu" else 1  # a GPU is one process's
        done = dict(zip(named, resume.pieces(play, jobs, label=f"gan@{stage.key}", workers=workers), strict=True))
        kept = {
            dataset: study.joined([done[name] for name, match in named.items() if match.dataset == dataset])
            for dataset in gan.plane.datasets
        }
        trials, pictures = study.played(gan, stage.key, kept), study.pictures(gan, kept)
    arrays = {f"{group}/{name}": value for group, found in kept.items() for name, value in found.items()}
    write_trials(stage.output("trials.csv"), "gan", trials)
    write_arrays(stage.output("kept.npz"), arrays)
    write_arrays(stage.output("pictures.npz"), pictures)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("gan"))
