"""Draw which rows each member of each ensemble sees, and what share of distinct rows that is."""

import numpy as np

from torchstone.core.files import read_arrays, write_arrays
from torchstone.core.stage import Stage, run
from torchstone.core.trials import Trial, write_trials
from torchstone.studies.ensembles import resampling


def main(stage: Stage) -> None:
    settings, seed, members = stage.params.resample, stage.params.shared.seed, stage.params.ensemble.members
    replicates, n = read_arrays(stage.input("prepare", "train.npz"))["y"].shape
    rows = {"bootstrap": resampling.bootstrap(n, members, replicates, seed, stage.key)}
    for scheme, share in settings:
        rows[scheme] = resampling.subsample(n, share, members, replicates, seed, stage.key, scheme)
    masks = {scheme: resampling.out_of_bag(drawn, n) for scheme, drawn in rows.items()}
    trials = []
    for scheme, mask in masks.items():
        for replicate, share in enumerate(resampling.unique_share(mask)):
            trials.append(Trial(scheme, None, replicate, "unique_share", float(share)))
            if scheme == "bootstrap":
                excess = float(share) - resampling.expected_unique_share(n)
                trials.append(Trial(scheme, None, replicate, "unique_share_excess", excess))
    packed = {f"{scheme}_out_of_bag": np.packbits(mask, axis=2) for scheme, mask in masks.items()}
    write_arrays(stage.output("rows.npz"), {**rows, **packed})
    write_trials(stage.output("trials.csv"), "ensembles", trials)


if __name__ == "__main__":
    run(main, keys=lambda params: params.rows("resample"))
