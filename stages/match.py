"""Tell the roads from the positions: link speeds of every replicate's city, and how well it can be done in a town."""

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import Trial, from_arrays, write_trials
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.town import MODEL, told, traced
from torchstone.studies.navigation.watching import observed


def main(stage: Stage) -> None:
    params, seed = stage.params, stage.params.shared.seed
    cities = read_arrays(stage.input("network", "network.npz"))
    replicates = range(params.network.cities[stage.key].replicates)
    jobs = {}
    for replicate in replicates:
        traces = read_arrays(stage.input("probes", f"r{replicate:02d}.npz"))
        jobs[f"r{replicate:02d}"] = (unstacked(cities, replicate), traces, params.probes, params.traffic.minutes)
    towns = {f"town{replicate:02d}": (params.match, params.probes, seed, replicate) for replicate in replicates}
    resume = stage.resume()
    trials = []
    for replicate, arrays in enumerate(resume.pieces(observed, jobs, label=f"match@{stage.key}")):
        write_arrays(stage.output(f"r{replicate:02d}.npz"), arrays)
        trials.append(Trial(MODEL, None, replicate, "city_accuracy", float(arrays["right"])))
    for arrays in resume.pieces(told, towns, label=f"match@{stage.key}: town"):
        trials += from_arrays(arrays)
    write_arrays(stage.output("pictures.npz"), traced(params.match, params.probes, seed))
    write_trials(stage.output("trials.csv"), "navigation", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("match"))
