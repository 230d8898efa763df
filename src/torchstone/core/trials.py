"""The trials table: the one contract between the studies and the judge.

Tidy rows ``study, arm, x, replicate, metric, value``. ``x`` may be empty (NaN in memory); ``value`` is finite; an
undefined value has no row. Anyone can recompute a verdict from it in a spreadsheet.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from torchstone.core.errors import InputError
from torchstone.core.files import Arrays, read_bytes, write_text

COLUMNS = ["study", "arm", "x", "replicate", "metric", "value"]


class Trial(NamedTuple):
    """One measured number: which arm, at which x (or None), in which replicate."""

    arm: str
    x: float | None
    replicate: int
    metric: str
    value: float


def write_trials(path: Path, study: str, trials: Iterable[Trial]) -> None:
    """Write the rows, sorted; raises ValueError on a value that is not finite or on a row given twice."""
    frame = pd.DataFrame(trials, columns=pd.Index(COLUMNS[1:]))
    frame.insert(0, "study", study)
    frame["x"] = frame["x"].astype("float64")
    if not np.isfinite(frame["value"].to_numpy(dtype="float64")).all():
        bad = frame[~np.isfinite(frame["value"])].iloc[0].to_dict()
        raise ValueError(f"{path}: a trial is not finite: {bad}; leave an undefined value out")
    keys = COLUMNS[:-1]
    if frame.duplicated(keys).any():
        raise ValueError(f"{path}: measured twice: {frame[frame.duplicated(keys)].iloc[0].to_dict()}")
    frame = frame.sort_values(["arm", "metric", "x", "replicate"], kind="stable")
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def read_trials(path: Path) -> pd.DataFrame:
    """Read a trials table; raises InputError if it is missing or does not keep the contract."""
    content = read_bytes(path)
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype={"x": "str", "value": "str"})  # for exact numbers in any pandas
        if list(frame.columns) != COLUMNS:
            raise InputError(f"{path}: columns are {list(frame.columns)}, a trials table has {COLUMNS}")
        frame = frame.astype({"x": "float64", "replicate": "int64", "value": "float64"})
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path}: damaged trials table ({error}); run `dvc repro`") from None
    values = frame["value"].to_numpy()
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {int((~np.isfinite(values)).sum())} values are not finite; leave them out")
    return frame


def as_arrays(trials: Iterable[Trial]) -> Arrays:
    """Turn trials into arrays, to keep them in a checkpoint."""
    arms, xs, replicates, metrics, values = zip(*trials, strict=True)
    return {
        "arm": np.asarray(arms),
        "x": np.asarray([np.nan if x is None else x for x in xs], dtype="float64"),
        "replicate": np.asarray(replicates),
        "metric": np.asarray(metrics),
        "value": np.asarray(values, dtype="float64"),
    }


def from_arrays(arrays: Arrays) -> list[Trial]:
    """Undo ``as_arrays``."""
    rows = zip(*(arrays[name].tolist() for name in ("arm", "x", "replicate", "metric", "value")), strict=True)
    return [Trial(arm, None if x != x else x, replicate, metric, value) for arm, x, replicate, metric, value in rows]
