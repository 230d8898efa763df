"""Small claims and trials tables, to hold the laws of the verdicts to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Judge
from torchstone.stats.ledger import Claim
from torchstone.stats.verdict import Finding, judge

SETTINGS = Judge(alpha=0.05, power=0.8, draws=999)
N = 20
Values = npt.NDArray[np.float64]
MORE = {"arm": "more", "metric": "error", "x": "last"}
LESS = {"arm": "less", "metric": "error", "x": "last"}
KINDS: dict[str, dict[str, Any]] = {
    "direction": {"more": MORE, "less": LESS, "margin": 0.0},
    "equivalence": {"more": MORE, "less": LESS, "margin": 0.01},
    "magnitude": {"more": MORE, "less": LESS, "margin": 0.05, "size": 0.3, "tolerance": 0.05},
    "trend": {"course": {"arm": "more", "metric": "error", "goes": "down"}, "margin": 0.0},
    "exact": {"value": {"arm": "more", "metric": "error"}, "bounds": [-0.01, 0.01]},
}
ONE: dict[str, Any] = {"more": None, "less": None, "value": MORE}  # turns a direction into that of a single value


def claim(kind: str, **changes: Any) -> Claim:
    content: dict[str, Any] = {
        "id": "X1", "study": "s", "sentence": "It is so.", "source": "us", "grade": "own", "published": "so",
        "kind": kind, "trials": "ensemble/waveform", "family": "one", "design": "fresh",
    }  # fmt: skip
    return Claim.model_validate(content | KINDS[kind] | changes)


def frame(arms: dict[str, Values], x: float | None = 5.0) -> pd.DataFrame:
    rows = [("s", arm, x, k, "error", value) for arm, values in arms.items() for k, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["study", "arm", "x", "replicate", "metric", "value"]).astype({"x": "float64"})


def verdict(which: Claim, trials: pd.DataFrame, overlap: float = 0.0, seed: int = 1) -> Finding:
    (finding,) = judge([(which, trials, overlap)], SETTINGS, seed)
    return finding


def planted(which: Claim, differences: Values, overlap: float = 0.0) -> Finding:
    base = numpy_stream(0, "base", len(differences)).normal(0.3, 0.05, len(differences))
    return verdict(which, frame({"more": base + differences, "less": base}), overlap)


def noise(name: str, k: int, n: int = N) -> Values:
    generator = numpy_stream(0, "judge-law", name, k)
    if name == "skewed":
        return generator.exponential(size=n) - 1.0
    if name == "heavy":
        return np.asarray(generator.standard_t(3, size=n))
    return generator.normal(size=n)
