"""studies.yaml read strictly: what the page says of each study and which figures it draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

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
    """Where a replicate lies in a scatter plot; with ``by: x`` once for each x of its arm, each with its own label."""

    x: Reading
    y: Reading
    by: Literal["x"] | None = Field(
        default=None, description="a label for each x: 'batch' becomes 'batch 32' and so on"
    )
    also: list[str] = Field(default=[], description="further arms that are drawn under the same labels")

    @model_validator(mode="after")
    def _x_is_given_once(self) -> Point:
        if self.by is not None and (self.x.x is not None or self.y.x is not None):
            raise ValueError("by: x takes every x; leave x out of the readings")
        return self

    def pairs(self) -> list[tuple[Reading, Reading]]:
        """Return both readings for each arm."""
        return [
            (self.x, self.y),
            *((self.x.model_copy(update={"arm": arm}), self.y.model_copy(update={"arm": arm})) for arm in self.also),
        ]


class Lines(Section):
    """Curves over x: one ``metric`` of several ``arms``, or several ``metrics`` of one ``arm``, with plain labels."""

    metric: str | None = None
    arms: dict[str, str] | None = None
    arm: str | None = None
    metrics: dict[str, str] | None = None

    def lines(self) -> list[tuple[str, str, str]]:
        """Return (arm, metric, label) of each curve."""
        if self.arms is not None and self.metric is not None:
            return [(arm, self.metric, label) for arm, label in self.arms.items()]
        if self.metrics is not None and self.arm is not None:
            return [(self.arm, metric, label) for metric, label in self.metrics.items()]
        return []


class Right(Lines):
    """What a panel draws against a second y axis, on its right: dashed."""

    ylabel: str
    trials: str | None = Field(default=None, description="where they differ from the panel's")
    percent: bool = False
    log: bool = Field(default=False, description="a logarithmic y axis, on the right")


class Ticks(Section):
    """What names the x of curves: the mean over replicates of one arm's metric there, in the panel's own trials."""

    arm: str
    metric: str
    percent: bool = Field(default=False, description="the mean is a share: show it times 100")


class Panel(Lines):
    """One part of a figure: trials of one data set, as curves or as points, or its sample pictures."""

    title: str
    trials: str = Field(description="STAGE/KEY; * matches several keys, whose trials are put together")
    ylabel: str | None = Field(default=None, description="where it differs from the figure's")
    percent: bool | None = Field(default=None, description="where it differs from the figure's")
    ylog: bool | None = Field(default=None, description="where it differs from the figure's")
    right: Right | None = None
    points: dict[str, Point] | None = None
    picture: str | None = Field(default=None, description="an array of data/STAGE/KEY/pictures.npz")
    scale: str | None = Field(default=None, description="how a picture's values are shown; else its kind's first way")

    def labels(self) -> list[str]:
        """Return the plain names of all that the panel may show, but for those that each x of the trials makes."""
        curves = self.lines() + (self.right.lines() if self.right else [])
        points = [label for label, point in (self.points or {}).items() if point.by is None]
        return [label for _, _, label in curves] + points


class Figure(Section):
    """A figure with its caption, which says what to see."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: str = Field(description="an entry of report/kinds.py")
    title: str
    caption: str
    xlabel: str = Field(default="", description="pictures may leave it out")
    ylabel: str = Field(default="", description="pictures may leave it out")
    log: bool = Field(default=False, description="a logarithmic x axis")
    ylog: bool = Field(default=False, description="a logarithmic y axis; means are then those of the logarithm")
    diagonal: bool = True
    percent: bool = Field(default=False, description="show shares times 100; pairs on both axes, but for a log x axis")
    zero: bool = Field(default=False, description="a level line at nothing, for differences")
    marks: dict[float, str] = Field(default={}, description="upright lines at these x, each with its name")
    ticks: Ticks | None = Field(default=None, description="names for the x of curves, where x itself says little")
    panels: list[Panel] = Field(min_length=1)

    @property
    def twin(self) -> bool:
        """Whether a panel has a second y axis."""
        return any(panel.right for panel in self.panels)

    def ylog_of(self, panel: Panel) -> bool:
        """Whether a panel's (left) y axis is logarithmic."""
        return self.ylog if panel.ylog is None else panel.ylog

    def percent_of(self, panel: Panel) -> bool:
        """Whether a panel's (left) y axis shows shares times 100."""
        return self.percent if panel.percent is None else panel.percent

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, name: str) -> str:
        from torchstone.report.kinds import KINDS  # here, since the kinds draw what this module declares

        if name not in KINDS:
            raise ValueError(f"unknown kind; {near_miss(name, KINDS)}")
        return name

    @model_validator(mode="after")
    def _panels_fit_the_kind(self) -> Figure:
        from torchstone.report.kinds import KINDS  # as above

        for complaint in KINDS[self.kind].complaints(self):
            raise ValueError(complaint)
        return self


class Study(Section):
    """A section of the page."""

    title: str
    question: str
    method: str
    colours: dict[str, Colour] = Field(default={}, description="label to colour; other labels take what is left")
    advice: str | None = Field(default=None, description="heading of the study's rows in reports/advice/STUDY.json")
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
