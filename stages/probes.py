"""Let a share of the cars report their positions, with errors, all days of every replicate."""

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.watching import reports


def main(stage: Stage) -> None:
    params = stage.params
    cities = read_arrays(stage.input("network", "network.npz"))
    jobs = {}
    for replicate in range(params.network.cities[stage.key].replicates):
        name = f"r{replicate:02d}"
        seconds = read_arrays(stage.input("traffic", f"{name}.npz"))["seconds"]
        city = unstacked(cities, replicate)
        jobs[name] = (city, seconds, params.traffic, params.probes, params.shared.seed, replicate)
    for name, arrays in zip(jobs, stage.resume().pieces(reports, jobs, label=f"probes@{stage.key}"), strict=True):
        write_arrays(stage.output(f"{name}.npz"), arrays)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("probes"))
