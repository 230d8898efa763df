"""Forecast link speeds from what probe cars saw, by every arm, and score the forecasts on days of their own."""

import numpy as np

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import from_arrays, write_trials
from torchstone.learn.device import resolve
from torchstone.learn.fit import Checkpoint
from torchstone.studies.navigation.city import unstacked
from torchstone.studies.navigation.cityscape import commute
from torchstone.studies.navigation.forecasting import Observed, boosted_forecasts, by_share, compared
from torchstone.studies.navigation.observing import true_speeds
from torchstone.studies.navigation.together import network_trials


def main(stage: Stage) -> None:
    settings, probes, seed = stage.params.forecast, stage.params.probes, stage.params.shared.seed
    cities = read_arrays(stage.input("network", "network.npz"))
    seen: dict[str, list[Observed]] = {f"{share:g}": [] for share in probes.shares}
    for replicate in range(stage.params.network.cities[stage.key].replicates):
        city = unstacked(cities, replicate)
        seconds = read_arrays(stage.input("traffic", f"r{replicate:02d}.npz"))["seconds"]
        matched = read_arrays(stage.input("match", f"r{replicate:02d}.npz"))
        for place, share in enumerate(seen):
            known, entered = (matched[name][place].astype(np.float64) for name in ("known", "entered"))
            truth = true_speeds(city, seconds.astype(np.float64))
            seen[share].append(Observed(city, known, entered, truth, replicate))
    resume, label, main_share = stage.resume(), f"forecast@{stage.key}", f"{probes.main:g}"
    jobs = {f"{share}-{one.replicate:02d}": (one, settings, seed, share) for share in seen for one in seen[share]}
    boosted = dict(zip(jobs, resume.pieces(boosted_forecasts, jobs, label=label), strict=True))
    for one in seen[main_share]:
        found = {
            f"{name}-{share}": part for share in seen for name, part in boosted[f"{share}-{one.replicate:02d}"].items()
        }
        write_arrays(stage.output(f"r{one.replicate:02d}.npz"), found)
    scored = {
        f"arms-{one.replicate:02d}": (one, settings, seed, boosted[f"{main_share}-{one.replicate:02d}"]["forecast"])
        for one in seen[main_share]
    }
    trials = [
        trial for arrays in resume.pieces(compared, scored, label=f"{label}: arms") for trial in from_arrays(arrays)
    ]
    trials += by_share(seen, {name: arrays["forecast"] for name, arrays in boosted.items()}, settings)
    device = resolve(stage.params.shared.device)
    for graph in (False, True):
        checkpoint = Checkpoint(resume, f"networks-{graph:d}-state")
        trials += network_trials(seen[main_share], settings, seed, device, graph=graph, checkpoint=checkpoint)
    picture = commute(seen[main_share][0], boosted[f"{main_share}-00"]["forecast"], settings)
    write_arrays(stage.output("pictures.npz"), picture)
    write_trials(stage.output("trials.csv"), "navigation", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("forecast"))
