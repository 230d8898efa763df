"""The ensemble study of one data set: every arm of every replicate, as jobs that may run anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from torchstone.core.files import Arrays
from torchstone.core.schema import Arms, Ensemble
from torchstone.core.trials import as_arrays
from torchstone.studies.ensembles.boosting import boosting_trials
from torchstone.studies.ensembles.learners import library_trials
from torchstone.studies.ensembles.task import Task

# torch is imported inside functions here: it takes seconds, and most learners do without it.
Job = tuple[Task, str, tuple[str, ...], Ensemble, int, int, str]


def jobs(tasks: list[Task], dataset: str, settings: Ensemble, seed: int, device: str) -> Iterator[tuple[str, Job]]:
    """Yield a name and the arguments of ``measure`` for each learner, replicate and, of networks, each scheme."""
    cell = settings.cells[dataset]
    for learner, schemes in cell.arms:
        if schemes is None:
            continue
        for together in [(scheme,) for scheme in schemes] if learner == "mlp" else [tuple(schemes)]:
            for task in tasks:
                name = "-".join([learner, *together, f"{task.replicate:04d}"])
                yield name, (task, learner, together, settings, cell.epochs, seed, device)


def network_device(arms: Arms, device: str) -> str:
    """Return the kind of device that the networks of these arms train on; "cpu" if there are none.

    Loads torch, before the work is spread over forked processes, only if there are networks. Raises InputError.
    """
    if arms.mlp is None:
        return "cpu"
    import torchstone.studies.ensembles.networks  # noqa: F401  for the forked processes
    from torchstone.learn.device import resolve

    return resolve(device).type


def measure(
    task: Task, learner: str, schemes: tuple[str, ...], settings: Ensemble, epochs: int, seed: int, device: str
) -> Arrays:
    """Run one job and return its trials as arrays."""
    if learner == "mlp":
        from torchstone.studies.ensembles.networks import Training, network_trials

        training = Training(tuple(settings.hidden), epochs, settings.batch, settings.learning_rate, device)
        return as_arrays(network_trials(task, schemes[0], settings.members, training, seed))
    boosts = learner == "stump"
    trials = library_trials(task, learner, () if boosts else schemes, settings.neighbours, seed)
    if boosts:
        trials += boosting_trials(task, schemes, settings.rounds, seed)
    return as_arrays(trials)
