"""Draw a city for each replicate: junctions, links, lengths, free speeds, capacities."""

from torchstone.core.files import write_arrays
from torchstone.core.stage import Stage, run
from torchstone.studies.navigation.city import build, stacked


def main(stage: Stage) -> None:
    settings, seed = stage.params.network.cities[stage.key], stage.params.shared.seed
    cities = [build(settings, seed, replicate) for replicate in range(settings.replicates)]
    write_arrays(stage.output("network.npz"), stacked(cities))


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("network"))
