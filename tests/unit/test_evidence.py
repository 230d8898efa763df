"""How a claim reads a trials table."""

from __future__ import annotations

import pandas as pd

from torchstone.stats.compare import column
from torchstone.stats.ledger import Reading


def test_last_is_each_replicates_own_last_round() -> None:
    rows = [
        ("s", "boost", 1.0, 0, "error", 0.4),
        ("s", "boost", 50.0, 0, "error", 0.1),
        ("s", "boost", 1.0, 1, "error", 0.3),
    ]
    trials = pd.DataFrame(rows, columns=["study", "arm", "x", "replicate", "metric", "value"])
    assert column(trials, Reading(arm="boost", metric="error", x="last"), "X").to_dict() == {0: 0.1, 1: 0.3}
    assert column(trials, Reading(arm="boost", metric="error", x="first"), "X").to_dict() == {0: 0.4, 1: 0.3}
