"""Laws of the line before each stage: what may run is counted, what is skipped goes, a slower machine is noticed."""

from __future__ import annotations

import networkx as nx
import pytest

from torchstone.core.progress import TRUST, Forecast, may_run, spoken, told, wanted

SECONDS = {"prepare": 10.0, "sweep@a": 100.0, "sweep@b": 100.0, "judge": 10.0}


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


def test_what_may_run_are_changed_stages_and_all_that_depend_on_them() -> None:
    graph = nx.DiGraph([("judge", "sweep@a"), ("judge", "sweep@b"), ("sweep@a", "prepare"), ("sweep@b", "prepare")])
    assert may_run(graph, ["sweep@b"]) == {"sweep@b", "judge"}
    assert may_run(graph, ["prepare"]) == set(graph)
    assert may_run(graph, []) == set()
    assert may_run(graph, ["alone"]) == {"alone"}


def test_of_targets_only_they_and_what_they_need_count() -> None:
    graph = nx.DiGraph([("judge", "sweep@a"), ("judge", "sweep@b"), ("sweep@a", "prepare"), ("sweep@b", "prepare")])
    assert wanted(graph, ["sweep@b"]) == {"sweep@b", "prepare"}
    assert wanted(graph, ["sweep"]) == {"sweep@a", "sweep@b", "prepare"}
    assert wanted(graph, []) == set(graph)


def test_each_stage_that_runs_has_a_line_and_a_skipped_one_none() -> None:
    said = ["Stage 'prepare' didn't change, skipping\n", "Running stage 'sweep@a':\n", "> python -m stages.sweep a\n"]
    forecast = Forecast(dict(SECONDS), clock=Clock())
    found = list(told(said, forecast))
    assert [line for line in found if line in said] == said
    assert [line for line in found if line not in said] == ["[2 of 4] sweep@a, about 4 min left\n"]


def test_time_left_is_what_is_known_of_the_stages_left_on_a_machine_as_fast_as_this_one() -> None:
    clock = Clock()
    forecast = Forecast(dict(SECONDS), clock=clock)
    forecast.start("prepare")
    assert forecast.seconds() == pytest.approx(220.0)
    clock.now = 30.0  # three times as long
    assert forecast.start("sweep@a").startswith("[2 of 4] sweep@a")
    assert forecast.seconds() == pytest.approx(210.0 * (30 + TRUST) / (10 + TRUST))
    clock.now = 330.0
    forecast.skip("sweep@b")
    assert forecast.seconds() == pytest.approx(10.0 * (330 + TRUST) / (110 + TRUST))


def test_a_stage_that_nobody_expected_is_counted_all_the_same() -> None:
    forecast = Forecast({}, clock=Clock())
    assert forecast.start("new").startswith("[1 of 1] new, about 5 s left")


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (4800, "1 h 20 min")])
def test_a_duration_is_said_as_people_do(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
