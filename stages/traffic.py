"""Simulate the weeks of every replicate's city, and repair its link times so that nobody overtakes."""

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import write_trials
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.watching import traffic_trials, weeks


def main(stage: Stage) -> None:
    params = stage.params
    cities = read_arrays(stage.input("network", "network.npz"))
    jobs = {
        f"r{replicate:02d}": (unstacked(cities, replicate), params.traffic, params.shared.seed, replicate)
        for replicate in range(params.network.cities[stage.key].replicates)
    }
    found = list(stage.resume().pieces(weeks, jobs, label=f"traffic@{stage.key}"))
    for name, arrays in zip(jobs, found, strict=True):
        write_arrays(stage.output(f"{name}.npz"), {one: arrays[one] for one in ("seconds", "raw")})
    write_trials(stage.output("trials.csv"), "navigation", traffic_trials(found))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("traffic"))
