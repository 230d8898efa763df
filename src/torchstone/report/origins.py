"""Where a number comes from: the stages, files, params and code behind each claim and each figure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torchstone.report.pipeline import WHOLE, Pipeline
from torchstone.report.plan import Figure, Plan

VERDICT = "judge"  # the stage that ends every claim's way


class Origins:
    """What the page says of the way from params and code to a number."""

    def __init__(self, pipeline: Pipeline, plan: Plan, records: Sequence[dict[str, Any]]) -> None:
        self.pipeline = pipeline
        self._figures = [figure for study in plan.studies.values() for figure in study.figures]
        self._claims = records
        self.homes: dict[str, set[str]] = {}
        parts = [(record["study"], record["trials"]) for record in records]
        parts += [
            (name, trials) for name, study in plan.studies.items() for figure in study.figures
            for trials in _trials(figure)
        ]  # fmt: skip
        for study, trials in parts:
            for stage in _stages(trials):
                self.homes.setdefault(stage, set()).add(study)

    def targets(self, trials: str) -> list[str]:
        """Return the stages that made some trials, as dvc names them; a pattern means the whole group."""
        names = []
        for part in trials.split(" + "):
            stage, key = part.split("/")
            step = self.pipeline.steps.get(stage)
            has_keys = step is not None and step.rows is not None and key != WHOLE and "*" not in key
            names.append(f"{stage}@{key}" if has_keys else stage)
        return list(dict.fromkeys(names))

    def chain(self, trials: str) -> list[str]:
        """Return the stages from the first that is needed to the one that made the trials."""
        known = [stage for stage in _stages(trials) if stage in self.pipeline.steps]
        return self.pipeline.ancestors(known)

    def settings(self, trials: str) -> list[str]:
        """Return the params that the stage which made the trials depends on directly."""
        return self.pipeline.settings(trials)

    def of_figure(self, figure: Figure) -> list[str]:
        """Return the stages that made what a figure shows, those that the params leave out aside."""
        there = [part for trials in _trials(figure) for part in trials.split(" + ") if self._is_run(part)]
        return list(dict.fromkeys(name for part in there for name in self.targets(part)))

    def _is_run(self, part: str) -> bool:
        stage, pattern = part.split("/")
        step = self.pipeline.steps.get(stage)
        return step is not None and (step.rows is None or any(fnmatchcase(key, pattern) for key in step.rows))

    def figures_of(self, stage: str) -> list[str]:
        """Return the names of the figures that show a stage's trials."""
        return [figure.name for figure in self._figures if any(stage in _stages(one) for one in _trials(figure))]

    def claims_of(self, stage: str) -> list[str]:
        """Return the ids of the claims that a stage's trials decide."""
        return [record["id"] for record in self._claims if stage in _stages(record["trials"])]


def files(trials: str) -> list[str]:
    """Return the trials tables that a verdict was made from."""
    return [f"data/{part}/trials.csv" for part in trials.split(" + ")]


def _stages(trials: str) -> list[str]:
    return list(dict.fromkeys(part.split("/")[0] for part in trials.split(" + ")))


def _trials(figure: Figure) -> list[str]:
    """Return the trials that the panels of a figure name."""
    beside = [panel.right.trials for panel in figure.panels if panel.right and panel.right.trials]
    return list(dict.fromkeys([*(panel.trials for panel in figure.panels), *beside]))
