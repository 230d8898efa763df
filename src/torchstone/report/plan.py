"""studies.yaml read strictly: what the page says of each study and which figures it draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from torchstone.core.errors import near_miss
from torchstone.core.params import read_yaml, validated
from torchstone.core.schema import Section
from torchstone.stats.ledger import Reading

# Okabe & Ito's colours, which all kinds of colour vision tell apart, without their yellow, too pale on white; the last
# three stand in where a figure needs more.
Colour = Literal["blue", "vermillion", "green", "pink", "orange", "sky", "black", "brown", "purple", "grey"]


class Headline(Reading):
    """A number of metrics/summary.json: a reading averaged over replicates."""

    trials: str


class Point(Section):
    """Where a replicate lies in a scatter plot."""

    x: Reading
    y: Reading


class Panel(Section):
    """One part of a figure: trials of one data set.

    Curves: either one ``metric`` of several ``arms`` or several ``metrics`` of one ``arm``, each with a plain label.
    """

    title: str
    trials: str
    ylabel: str | None = Field(default=None, description="where it differs from the figure's")
    percent: bool | None = Field(default=None, description="where it differs from the figure's")
    metric: str | None = None
    arms: dict[str, str] | None = None
    arm: str | None = None
    metrics: dict[str, str] | None = None
    points: dict[str, Point] | None = None

    def lines(self) -> list[tuple[str, str, str]]:
        """Return (arm, metric, label) of each curve."""
        if self.arms is not None and self.metric is not None:
            return [(arm, self.metric, label) for arm, label in self.arms.items()]
        if self.metrics is not None and self.arm is not None:
            return [(self.arm, metric, label) for metric, label in self.metrics.items()]
        return []

    def labels(self) -> list[str]:
        """Return the plain names of all that the panel may show."""
        return [label for _, _, label in self.lines()] + list(self.points or {})


class Figure(Section):
    """A figure with its caption, which says what to see."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: Literal["curves", "pairs"]
    title: str
    caption: str
    xlabel: str
    ylabel: str
    log: bool = False
    diagonal: bool = True
    percent: bool = Field(default=False, description="show shares times 100, pairs on both axes")
    panels: list[Panel] = Field(min_length=1)

    @model_validator(mode="after")
    def _panels_fit_the_kind(self) -> Figure:
        for panel in self.panels:
            if self.kind == "curves" and not panel.lines():
                raise ValueError(f"panel '{panel.title}' of curves needs metric and arms, or arm and metrics")
            if self.kind == "pairs" and not panel.points:
                raise ValueError(f"panel '{panel.title}' of pairs needs points")
        return self


class Study(Section):
    """A section of the page."""

    title: str
    question: str
    method: str
    colours: dict[str, Colour] = Field(default={}, description="label to colour; other labels take what is left")
    figures: list[Figure]

    @model_validator(mode="after")
    def _coloured_labels_are_drawn(self) -> Study:
        drawn = {label for figure in self.figures for panel in figure.panels for label in panel.labels()}
        for label in self.colours:
            if label not in drawn:
                raise ValueError(f"colours: no figure draws '{label}'; {near_miss(label, drawn)}")
        return self


class Plan(Section):
    """The whole of studies.yaml."""

    headlines: dict[str, Headline] = Field(max_length=8)
    studies: dict[str, Study]

    @model_validator(mode="after")
    def _figure_names_are_files(self) -> Plan:
        names = Counter(figure.name for study in self.studies.values() for figure in study.figures)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"figure name {twice[0]} is given twice")
        return self


def load_plan(path: Path) -> Plan:
    """Read and check studies.yaml; raises InputError naming key, value and what would be right."""
    plan: Plan = validated(path, Plan, read_yaml(path))
    return plan
