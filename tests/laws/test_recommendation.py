"""Laws of the advice: which size is chosen, how often wrongly, what another task's best size costs, how it reads."""

from __future__ import annotations

import pandas as pd
import pytest

from torchstone.core.rng import numpy_stream
from torchstone.core.trials import Trial
from torchstone.studies.batchsize import recommendation


def sweep_table(loss: dict[int, float], spread: float = 0.002, updates: float = 100.0) -> pd.DataFrame:
    """Return accuracies of 0.9 less a planted loss at each size, and updates that do not depend on it."""
    found = []
    for size, lost in loss.items():
        for replicate in range(10):
            noise = spread * (-1) ** replicate * (1 + (size > 32))
            found += [
                Trial("plain", float(size), replicate, "test_accuracy", 0.9 - lost + noise),
                Trial("plain", float(size), replicate, "valid_accuracy", 0.9 - lost),
                Trial("plain", float(size), replicate, "updates", updates),
                Trial("plain", float(size), replicate, "reached", 1.0),
            ]
    return pd.DataFrame(found)


def cost_table(fixed: float, each: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            Trial("network", float(s), r, "step_seconds", fixed + each * s)
            for s in (1, 32, 64, 128, 1024)
            for r in range(3)
        ]
    )


def test_the_largest_size_without_a_loss_is_chosen_and_a_pass_beyond_a_failure_does_not_count() -> None:
    table = sweep_table({8: 0.0, 32: 0.0, 64: 0.001, 128: 0.05, 256: 0.0})
    choice = recommendation.choose(table, cost_table(1.0, 0.0), "plain", 32, 0.01, 0.05, 0.0)
    assert (choice.size, choice.next_size) == (64, 128)
    assert choice.speed_up == pytest.approx(1.0)  # as many updates of the same length
    assert choice.faster_epoch == pytest.approx(2.0)  # half as many updates an epoch
    assert "take 64" in recommendation.sentence(choice, 32, 256, 0.01)


def test_where_the_next_size_already_loses_the_reference_is_recommended() -> None:
    choice = recommendation.choose(sweep_table({32: 0.0, 64: 0.02}), cost_table(1.0, 0.1), "plain", 32, 0.01, 0.05, 0.0)
    assert (choice.size, choice.next_size) == (32, 64)
    said = recommendation.sentence(choice, 32, 64, 0.01)
    assert "stay at 32" in said
    assert "cannot be ruled out (estimate 2.00 points" in said


def test_an_interval_that_reaches_the_margin_does_not_pass_however_small_the_estimate() -> None:
    table = sweep_table({32: 0.0, 64: 0.0}, spread=0.05)
    assert recommendation.choose(table, cost_table(1.0, 0.1), "plain", 32, 0.01, 0.05, 0.0).size == 32
    exact = sweep_table({32: 0.0, 64: 0.0}, spread=0.001)
    assert recommendation.choose(exact, cost_table(1.0, 0.1), "plain", 32, 0.01, 0.05, 0.0).size == 64


def test_regret_is_the_accuracy_lost_at_the_other_tasks_best_size() -> None:
    tables = {"one": sweep_table({8: 0.1, 32: 0.0, 64: 0.05}), "two": sweep_table({8: 0.0, 32: 0.1, 70: 0.1})}
    trials = recommendation.regret_trials(tables, "one")
    means = pd.DataFrame(trials).groupby(["arm", "metric"])["value"].mean()
    assert means["own best", "test_accuracy"] == pytest.approx(0.9, abs=0.01)
    assert means["best of two", "test_accuracy"] == pytest.approx(0.8, abs=0.01)
    assert means["best of two", "batch"] == 8
    alone = recommendation.regret_trials({"one": tables["one"]}, "one")
    assert {trial.arm for trial in alone} == {"own best"}


def test_a_size_that_was_not_trained_to_its_target_is_not_the_best() -> None:
    table = sweep_table({8: 0.0, 32: 0.1})
    cut = (table["metric"] == "reached") & (table["x"] == 8) & (table["replicate"] == 3)
    assert recommendation.best_size(table) == 8
    table.loc[cut, "value"] = 0.0
    assert recommendation.best_size(table) == 32


def test_a_loss_as_large_as_the_margin_is_passed_over_no_more_often_than_the_error_rate_allows() -> None:
    draws = numpy_stream(1, "sequence")
    wrong = 0
    for _ in range(400):
        found = []
        for size, lost in ((32, 0.0), (64, 0.01), (128, 0.01), (256, 0.01)):
            for replicate, noise in enumerate(0.005 * draws.standard_normal(10)):
                found.append(Trial("plain", float(size), replicate, "test_accuracy", 0.9 - lost + float(noise)))
                found.append(Trial("plain", float(size), replicate, "updates", 100.0))
        choice = recommendation.choose(pd.DataFrame(found), cost_table(1, 0), "plain", 32, 0.01, 0.05, 0.0)
        wrong += choice.size > 32
    assert wrong <= 20, "2.5 % of 400 is 10"


def test_the_advice_reads_as_a_sentence() -> None:
    table, cost = sweep_table({32: 0.0, 64: 0.0, 128: 0.05}), cost_table(1.0, 0.0)
    choice = recommendation.choose(table, cost, "plain", 32, 0.01, 0.05, 0.0)
    assert recommendation.sentence(choice, 32, 128, 0.01) == (
        "With the learning rate left alone, take 64: up to it a loss of 1 point of test accuracy against 32 is ruled "
        "out (estimate 0.00 points, 95 % interval -0.15 to 0.15). Training ends as fast as with 32; an epoch is 2.0 "
        "times as fast as with 32. At 128, a loss of 1 point of test accuracy against 32 cannot be ruled out "
        "(estimate 5.00 points, 95 % interval 4.85 to 5.15)."
    )
    slower = recommendation.Choice("plain", 64, (0.0, 0.0, 0.0), 0.5, 1.0, None, None)
    said = recommendation.sentence(slower, 32, 128, 0.02)
    assert "2.0 times slower than with 32" in said
    assert said.endswith("No larger size was tried.")
    assert "a loss of 2 points" in said
    stay = recommendation.Choice("plain", 32, (0.0, 0.0, 0.0), 1.0, 1.0, None, None)
    assert recommendation.sentence(stay, 32, 32, 0.01).endswith("stay at 32: no larger size was tried.")
