"""Bootstrap, bagging and boosting: the sections resample and ensemble."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from torchstone.core.schema.prepare import Prepare
from torchstone.core.schema.section import Count, Section, Share


class Resample(Section):
    """Shares of the index sets that are drawn without replacement."""

    subsample80: Share = Field(description="share of rows in a subsample, as the source text has it")
    subsample63: Share = Field(description="share with as many distinct rows as a bootstrap sample: 1 - 1/e")


Sampled = Literal["bagging", "subsample80", "subsample63"]


class Arms(Section):
    """Which schemes each learner is put into.

    One single model and its control come with every learner; those of the networks are members of ``deep``.
    """

    tree: list[Sampled] | None = None
    neighbours: list[Sampled] | None = None
    logistic: list[Sampled] | None = None
    stump: list[Literal["adaboost", "gradient-boosting"]] | None = None
    mlp: list[Literal["deep", "bootstrapped-deep", "bagging", "subsample80"]] | None = None


class Cell(Section):
    """One data set of the ensemble study, a stage ensemble@KEY."""

    epochs: Count = Field(
        description="passes of each MLP over its own rows, about where one net's validation loss is lowest"
    )
    arms: Arms = Field(description="which schemes each learner is put into")


class Ensemble(Section):
    """Bootstrap, bagging and boosting."""

    members: int = Field(ge=2, le=1000, description="models in an ensemble")
    rounds: int = Field(ge=2, le=5000, description="boosting rounds; Freund & Schapire used 100")
    neighbours: Count = Field(description="k of the nearest-neighbour learner; Breiman 1996 used 1")
    hidden: list[Count] = Field(min_length=1, description="hidden widths of the MLP")
    batch: Count = Field(description="rows in a mini-batch of the MLP")
    learning_rate: float = Field(gt=0.0, description="Adam's rate for the MLP")
    cells: dict[str, Cell] = Field(description="one row a data set: the stages resample@KEY and ensemble@KEY")


def check_ensembles(ensemble: Ensemble, prepare: Prepare) -> None:
    """Refuse a cell of a data set that does not exist or that ``prepare`` does not make."""
    for name in ensemble.cells:
        prepare.row(name, f"ensemble.cells.{name}")
