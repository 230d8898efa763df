"""Say when one will arrive, with P10, P50 and P90, in every replicate's city."""

from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.studies.navigation.arriving import arrivals
from torchstone.studies.navigation.city import unstacked


def main(stage: Stage) -> None:
    params = stage.params
    cities = read_arrays(stage.input("network", "network.npz"))
    jobs = {}
    for replicate in range(params.network.cities[stage.key].replicates):
        name = f"r{replicate:02d}"
        seconds = read_arrays(stage.input("traffic", f"{name}.npz"))["seconds"]
        beliefs = read_arrays(stage.input("forecast", f"{name}.npz"))
        jobs[name] = (
            unstacked(cities, replicate), seconds, beliefs, params.forecast, params.eta, params.route.blocks,
            params.probes.main, params.shared.seed, replicate,
        )  # fmt: skip
    found = list(stage.resume().pieces(arrivals, jobs, label=f"eta@{stage.key}"))
    write_trials(stage.output("trials.csv"), "navigation", [trial for arrays in found for trial in from_arrays(arrays)])


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("eta"))
