"""Play one game between generators and discriminators on the ring and the grid."""

from torchstone.core.files import Arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.gan import plane as study
from torchstone.studies.gan.training import play


def main(stage: Stage) -> None:
    gan, seed = stage.params.gan, stage.params.shared.seed
    device, resume = resolve(stage.params.shared.device).type, stage.resume()
    named = dict(study.matches(gan, stage.key))
    jobs = {name: (match, seed, device, Checkpoint(resume, f"{name}-state")) for name, match in named.items()}
    workers = None if device == "cpu" else 1  # a GPU is one process's
    done = dict(zip(named, resume.pieces(play, jobs, label=f"gan@{stage.key}", workers=workers), strict=True))
    kept: dict[str, Arrays] = {
        dataset: study.joined([done[name] for name, match in named.items() if match.dataset == dataset])
        for dataset in gan.plane.datasets
    }
    write_trials(stage.output("trials.csv"), "gan", study.played(gan, stage.key, kept))
    arrays = {f"{dataset}/{name}": value for dataset, found in kept.items() for name, value in found.items()}
    write_arrays(stage.output("kept.npz"), arrays)
    write_arrays(stage.output("pictures.npz"), study.pictures(gan, kept))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("gan"))
