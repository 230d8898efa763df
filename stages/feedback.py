"""Simulate days anew in which many drivers follow the same forecast."""

from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.feedback import repeated


def main(stage: Stage) -> None:
    params = stage.params
    cities = read_arrays(stage.input("network", "network.npz"))
    jobs = {}
    for replicate in range(params.network.cities[stage.key].replicates):
        name = f"r{replicate:02d}"
        seconds = read_arrays(stage.input("traffic", f"{name}.npz"))["seconds"]
        beliefs = read_arrays(stage.input("forecast", f"{name}.npz"))
        jobs[name] = (
            unstacked(cities, replicate), seconds, beliefs, params.traffic, params.forecast, params.feedback,
            params.route.blocks, params.probes.main, params.shared.seed, replicate,
        )  # fmt: skip
    pieces = stage.resume().pieces(repeated, jobs, label=f"feedback@{stage.key}")
    write_trials(
        stage.output("trials.csv"), "navigation", [trial for arrays in pieces for trial in from_arrays(arrays)]
    )


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("feedback"))
