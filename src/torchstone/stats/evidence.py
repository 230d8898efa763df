"""Which trials speak to a claim, and how far its replicates overlap."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from torchstone.core.errors import InputError, near_miss
from torchstone.core.schema import Finite, Fixed, Params
from torchstone.core.trials import read_trials
from torchstone.stats.ledger import Claim

Evidence = tuple[Claim, pd.DataFrame, float]
PUBLISHED_TRAIN, PUBLISHED_TEST = 60_000, 10_000  # rows of MNIST and of Fashion-MNIST


def overlap(dataset: str, params: Params) -> float:
    """Return test/train of a data set whose replicates are splits of one finite set, 0 for fresh data.

    A published test set (``Fixed``) is shared by all replicates, and so are most of their training rows: splits too,
    for want of a better correction. An interval is then about this test set, and about starts and orders on it.
    """
    row = getattr(params.prepare, dataset, None)
    if isinstance(row, Fixed):
        return PUBLISHED_TEST / (PUBLISHED_TRAIN - row.valid)
    return row.test / (1 - row.test - row.valid) if isinstance(row, Finite) else 0.0


def overlap_of(claim: Claim, dataset: str, params: Params) -> float:
    """Return the overlap of a claim's replicates; raises InputError if its design is not that of its data."""
    row = getattr(params.prepare, dataset, None)
    is_finite = isinstance(row, Finite | Fixed)
    if is_finite != (claim.design == "splits") and row is not None:
        right = "splits" if is_finite else "fresh"
        raise InputError(f"claims.yaml: claim {claim.id}: design = {claim.design}: {dataset} has {right} replicates")
    return overlap(dataset, params)


def gather(claims: Sequence[Claim], params: Params, data: Path) -> tuple[list[Evidence], dict[str, str]]:
    """Return each claim that this run can speak to, with its trials and overlap, and why the others wait, by id.

    Rows are taken from the params, not from the folder, where an earlier run may have left others. A claim about an
    arm that the params leave out is not run; a metric or an x that an arm does not have is an error.
    """
    tables: dict[str, pd.DataFrame] = {}
    evidence: list[Evidence] = []
    waiting: dict[str, str] = {}
    for claim in claims:
        stage, pattern = claim.trials.split("/")
        keys = [key for key in params.rows(stage) if fnmatchcase(key, pattern)]
        for key in keys:
            name = f"{stage}/{key}"
            if name not in tables:
                tables[name] = read_trials(data / stage / key / "trials.csv")
        if not keys:
            where = "the paper preset" if claim.preset == "paper" else f"params with a row {claim.trials}"
            waiting[claim.id] = f"waits for {where}"
            continue
        trials = pd.concat([tables[f"{stage}/{key}"] for key in keys], ignore_index=True)
        present = set(trials["arm"])
        absent = sorted({part.arm for part in claim.parts if part.arm not in present})
        if absent:
            waiting[claim.id] = (
                f"these params have no arm '{absent[0]}' in {claim.trials}; {near_miss(absent[0], present)}"
            )
            continue
        evidence.append((claim, trials, overlap_of(claim, keys[0].split("-")[0], params)))
    return evidence, waiting
