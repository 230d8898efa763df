"""Route by every rung, from the free-flow map to the oracle, and look at the search itself."""

from torchstone.core.files import read_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.routing import explored, ladder


def main(stage: Stage) -> None:
    params, seed = stage.params, stage.params.shared.seed
    city = params.network.cities[stage.key]
    cities = read_arrays(stage.input("network", "network.npz"))
    ladders, searches = {}, {}
    for replicate in range(city.replicates):
        name = f"r{replicate:02d}"
        seconds = read_arrays(stage.input("traffic", f"{name}.npz"))["seconds"]
        beliefs = read_arrays(stage.input("forecast", f"{name}.npz"))
        ladders[name] = (
            unstacked(cities, replicate), seconds, beliefs, params.forecast, params.route, params.probes.shares,
            params.probes.main, seed, replicate,
        )  # fmt: skip
        searches[f"search{replicate:02d}"] = (city, params.route, seed, replicate)
    resume = stage.resume()
    pieces = [*resume.pieces(ladder, ladders, label=f"route@{stage.key}")]
    pieces += resume.pieces(explored, searches, label=f"route@{stage.key}: search")
    write_trials(
        stage.output("trials.csv"), "navigation", [trial for arrays in pieces for trial in from_arrays(arrays)]
    )


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("route"))
