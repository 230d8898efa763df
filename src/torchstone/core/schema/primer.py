"""The PyTorch primer: the sections primer and speed."""

from __future__ import annotations

from pydantic import Field

from torchstone.core.schema.section import Count, Positive, Section


class Primer(Section):
    """The facts that all other studies stand on."""

    replicates: int = Field(ge=2, description="random draws of every check")
    pairs: int = Field(ge=10, description="pairs of arrays of a draw, of random shapes and dtypes")
    width: float = Field(gt=0.0, lt=0.1, description="half of a central difference")
    rows: int = Field(ge=4, description="of the regression, and of each stacked network")
    features: Count = Field(description="of the regression, and of each stacked network")
    rate: Positive = Field(description="learning rate of gradient descent on the regression")
    updates: Count = Field(description="of the regression, and of each stacked network")
    hidden: list[Count] = Field(min_length=1, description="hidden widths of the stacked networks")


class Speed(Section):
    """What is timed, by numpy, by torch and on an accelerator."""

    sides: list[Count] = Field(min_length=2, description="of the square matrices that are multiplied")
    lengths: list[Count] = Field(
        min_length=2, description="of the vectors that are multiplied entry by entry, or summed"
    )
    repeats: int = Field(ge=2, description="processes that time everything once")
    seconds: float = Field(gt=0.0, description="a measurement lasts at least so long")


def check_primer(primer: Primer, speed: Speed) -> None:
    """Refuse a regression without one answer, and sizes that do not rise."""
    if primer.rows < 2 * (primer.features + 1):
        raise ValueError(f"primer.rows = {primer.rows}: take at least twice the {primer.features + 1} coefficients")
    for name in ("sides", "lengths"):
        sizes: list[int] = getattr(speed, name)
        if sorted(set(sizes)) != sizes:
            raise ValueError(f"speed.{name}: they must rise")
