"""How a claim finds and reads its trials tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from torchstone.core.errors import InputError
from torchstone.core.params import load_params
from torchstone.core.trials import Trial, write_trials
from torchstone.stats.compare import column
from torchstone.stats.evidence import gather
from torchstone.stats.ledger import Claim, Reading

ROOT = Path(__file__).parents[2]


def test_last_is_each_replicates_own_last_round() -> None:
    rows = [
        ("s", "boost", 1.0, 0, "error", 0.4),
        ("s", "boost", 50.0, 0, "error", 0.1),
        ("s", "boost", 1.0, 1, "error", 0.3),
    ]
    trials = pd.DataFrame(rows, columns=["study", "arm", "x", "replicate", "metric", "value"])
    assert column(trials, Reading(arm="boost", metric="error", x="last"), "X").to_dict() == {0: 0.1, 1: 0.3}
    assert column(trials, Reading(arm="boost", metric="error", x="first"), "X").to_dict() == {0: 0.4, 1: 0.3}


def test_the_cells_of_a_sweep_are_one_table_with_the_design_of_their_data_set(tmp_path: Path) -> None:
    params = load_params(ROOT / "params.yaml")
    sizes = {name: params.sweep.sizes(name) for name in ("mnist1d", "digits")}
    for name, batches in sizes.items():
        for batch in batches:
            rows = [Trial("plain", batch, k, metric, 1.0) for k in (0, 1) for metric in ("accuracy", "trained")]
            write_trials(tmp_path / "sweep" / f"{name}-b{batch:04d}" / "trials.csv", "batch-size", rows)
    claims = [sweep_claim("A1", "mnist1d", "fresh"), sweep_claim("A2", "digits", "splits")]
    found, waiting = gather(claims, params, tmp_path)
    assert waiting == {}
    for (claim, trials, overlap), (name, batches) in zip(found, sizes.items(), strict=True):
        assert claim.trials == f"sweep/{name}-*"
        assert sorted(set(trials["x"])) == batches
        assert overlap == pytest.approx(0.25 / 0.65 if name == "digits" else 0.0)
    with pytest.raises(InputError, match=r"claim A3: design = fresh: digits has splits replicates"):
        gather([sweep_claim("A3", "digits", "fresh")], params, tmp_path)


def test_a_sweep_that_the_params_lack_is_waited_for(tmp_path: Path) -> None:
    params = load_params(ROOT / "params.yaml")
    rows = [sweep_claim("A1", "mnist", "splits", preset="paper"), sweep_claim("A2", "fashion_mnist", "splits")]
    assert gather(rows, params, tmp_path) == (
        [],
        {"A1": "waits for the paper preset", "A2": "waits for params with a row sweep/fashion_mnist-*"},
    )


def sweep_claim(name: str, dataset: str, design: str, **changes: Any) -> Claim:
    content: dict[str, Any] = {
        "id": name, "study": "batch-size", "sentence": "It is so.", "source": "us", "grade": "own", "published": "so",
        "kind": "direction", "trials": f"sweep/{dataset}-*", "family": "one", "design": design, "margin": 0.0,
        "more": {"arm": "plain", "metric": "accuracy", "x": "first"},
        "less": {"arm": "plain", "metric": "accuracy", "x": "last"},
        "gate": {"metric": "trained", "least": 0.99},
    }  # fmt: skip
    return Claim.model_validate(content | changes)
