"""What a record says of a claim's effect, and that p before Holm stands beside p after it."""

from __future__ import annotations

from tests.laws.judging import LESS, MORE, SETTINGS, claim, frame, noise
from torchstone.stats.records import as_records, formula_of
from torchstone.stats.verdict import judge


def test_the_formula_names_metric_arm_and_x_of_every_kind_of_effect() -> None:
    assert formula_of(claim("direction")) == "error of more at the last x, minus error of less at the last x"
    assert formula_of(claim("magnitude", estimator="ratio of means")) == (
        "1 - (mean of error of less at the last x) / (mean of error of more at the last x)"
    )
    assert formula_of(claim("trend")) == "minus the least-squares slope of error of more per doubling of x"
    assert formula_of(claim("exact", value={"arm": "a", "metric": "log_loss", "x": 2})) == "log loss of a at x = 2"
    several = MORE | {"x": [1, 2.5]}
    assert formula_of(claim("direction", more=several)).startswith("error of more, mean over x = 1, 2.5, minus")


def test_p_is_adjusted_for_the_claim_and_for_its_contrary_and_kept_as_it_was() -> None:
    trials = frame({"more": 0.3 + 0.01 * noise("plain", 1), "less": 0.3 + 0.01 * noise("plain", 2)})
    claims = [claim("direction"), claim("direction", id="X2", more=LESS, less=MORE)]
    findings = judge([(one, trials, 0.0) for one in claims], SETTINGS, 1)
    waiting = claim("direction", id="X3")
    rows = as_records([*claims, waiting], findings, {"X3": "waits"}, SETTINGS)
    for row in rows[:2]:
        assert row["p"] <= row["p_adjusted"] <= min(1.0, 2 * row["p"] + 1e-9) or row["p_adjusted"] == 1.0
        assert row["p_contrary"] <= row["p_contrary_adjusted"]
        assert row["lost"] == 0
    assert rows[2]["p"] is rows[2]["lost"] is rows[2]["p_contrary"] is None
    assert set(rows[2]) == set(rows[0])
