"""Which trials speak to a claim, and how far its replicates overlap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

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


def design_of(dataset: str, params: Params) -> Literal["fresh", "splits"]:
    """Return what the replicates of a data set are."""
    return "splits" if isinstance(getattr(params.prepare, dataset, None), Finite | Fixed) else "fresh"


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
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    evidence: list[Evidence] = []
    waiting: dict[str, str] = {}
    for claim in claims:
        rows = params.matching(claim.trials)
        missing = [part for part in claim.trials.split(" + ") if not params.matching(part)]
        if missing:
            where = "the paper preset" if claim.preset == "paper" else f"params with a row {missing[0]}"
            waiting[claim.id] = f"waits for {where}"
            continue
        dataset = params.dataset(*rows[0])
        found = claim.on(dataset, design_of(dataset, params))
        if found is None:
            waiting[claim.id] = f"waits for one of the data sets {', '.join(claim.margins or {})}, this is {dataset}"
            continue
        for stage, key in rows:
            if (stage, key) not in tables:
                tables[stage, key] = read_trials(data / stage / key / "trials.csv")
        trials = pd.concat([tables[row] for row in rows], ignore_index=True)
        waits = _lacking(found, trials)
        if waits:
            waiting[claim.id] = waits
        else:
            evidence.append((found, trials, overlap_of(found, dataset, params)))
    return evidence, waiting


def _lacking(claim: Claim, trials: pd.DataFrame) -> str:
    """Say which arm or round of a claim the params leave out; empty if there is none."""
    present = set(trials["arm"])
    absent = sorted({part.arm for part in claim.parts if part.arm not in present})
    return (
        f"these params have no arm '{absent[0]}' in {claim.trials}; {near_miss(absent[0], present)}" if absent else ""
    )
