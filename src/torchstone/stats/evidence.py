"""Which trials speak to a claim, and how far its replicates overlap."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from torchstone.core.errors import InputError
from torchstone.core.schema import Finite, Params
from torchstone.core.trials import read_trials
from torchstone.stats.ledger import Claim

Evidence = tuple[Claim, pd.DataFrame, float]


def overlap_of(claim: Claim, dataset: str, params: Params) -> float:
    """Return test/train of a claim whose replicates are splits of one finite set, 0 for fresh data.

    Raises InputError if the claim's design is not that of its data.
    """
    row = getattr(params.prepare, dataset, None)
    is_finite = isinstance(row, Finite)
    if is_finite != (claim.design == "splits") and row is not None:
        right = "splits" if is_finite else "fresh"
        raise InputError(f"claims.yaml: claim {claim.id}: design = {claim.design}: {dataset} has {right} replicates")
    return row.test / (1 - row.test - row.valid) if isinstance(row, Finite) else 0.0


def gather(claims: Sequence[Claim], params: Params, data: Path) -> list[Evidence]:
    """Return each claim that this run's params can speak to, with its trials and overlap.

    Rows are taken from the params, not from the folder, where an earlier run may have left others.
    """
    tables: dict[str, pd.DataFrame] = {}
    evidence: list[Evidence] = []
    for claim in claims:
        stage, pattern = claim.trials.split("/")
        keys = [key for key in params.rows(stage) if fnmatchcase(key, pattern)]
        if not keys:
            continue
        for key in keys:
            name = f"{stage}/{key}"
            if name not in tables:
                tables[name] = read_trials(data / stage / key / "trials.csv")
        trials = pd.concat([tables[f"{stage}/{key}"] for key in keys], ignore_index=True)
        evidence.append((claim, trials, overlap_of(claim, keys[0].split("-")[0], params)))
    return evidence
