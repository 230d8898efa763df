"""The data sets that params.yaml may prepare."""

from __future__ import annotations

from pydantic import Field, model_validator

from torchstone.core.errors import near_miss
from torchstone.core.schema.section import Count, Section, Share


class Generated(Section):
    """A data set drawn afresh from its generator for each replicate."""

    replicates: Count = Field(description="independent draws of the data set")
    train: Count = Field(description="rows a replicate")
    valid: Count = Field(description="rows a replicate")
    test: Count = Field(description="test rows a replicate; large, so that test noise is small")


class Finite(Section):
    """A finite data set, split afresh for each replicate."""

    replicates: Count = Field(description="random splits of the one data set, stratified by class")
    valid: Share = Field(description="shares of its rows")
    test: Share = Field(description="shares of its rows")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Finite:
        if self.valid + self.test >= 0.9:
            raise ValueError(f"valid + test = {self.valid + self.test:g} leaves under a tenth to train on")
        return self


class Fixed(Section):
    """A data set with a published test set; only train and validation are split afresh."""

    replicates: Count = Field(description="random splits of the training rows into train and validation")
    valid: Count = Field(description="validation rows, taken from the training rows")


class Prepare(Section):
    """The data sets, each a stage prepare@KEY."""

    waveform: Generated | None = None
    friedman1: Generated | None = None
    mnist1d: Generated | None = None
    breast_cancer: Finite | None = None
    digits: Finite | None = None
    diabetes: Finite | None = None
    mnist: Fixed | None = None
    fashion_mnist: Fixed | None = None

    def row(self, name: str, where: str) -> Generated | Finite | Fixed:
        """Return the row of a data set; raises ValueError, which says ``where`` it is asked for, if there is none."""
        if name not in Prepare.model_fields:
            raise ValueError(f"{where}: unknown data set; {near_miss(name, Prepare.model_fields)}")
        row: Generated | Finite | Fixed | None = getattr(self, name)
        if row is None:
            raise ValueError(f"{where}: not prepared; add a row prepare.{name}")
        return row
