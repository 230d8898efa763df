"""claims.yaml read strictly: what is claimed, by whom, and how it will be judged, named before the result is seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from torchstone.core.errors import InputError
from torchstone.core.params import read_yaml, validated
from torchstone.core.schema import Section

Kind = Literal["direction", "magnitude", "equivalence", "trend", "exact"]
Verdict = Literal["supported", "direction only", "refuted", "inconclusive", "not run"]


class Reading(Section):
    """One column of a trials table: a metric of an arm at one x."""

    arm: str
    metric: str
    x: float | int | Annotated[list[float | int], Field(min_length=1)] | Literal["first", "last"] | None = Field(
        default=None,
        description="the value of x, several to average over, or the arm's first or last; absent if it has none",
    )


class Course(Section):
    """A metric of an arm over x, reduced to its slope per doubling of x."""

    arm: str
    metric: str
    goes: Literal["up", "down"]
    least: float | None = Field(
        default=None, gt=0, description="smaller x do not count, such as 0, which nothing doubles"
    )


class Gate(Section):
    """What a replicate must reach, in every arm that the claim speaks of, to count: fair comparisons need it."""

    metric: str
    least: float


class Claim(Section):
    """One sentence that is put to the test; see docs/adding-a-claim.md."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9-]*$")]
    study: str
    sentence: str
    source: str
    grade: Literal["paper", "secondary", "memory", "source text", "theorem", "own"] = Field(
        description="how the published value is known"
    )
    published: str
    kind: Kind
    trials: str = Field(
        pattern=r"^[a-z]+/[A-Za-z0-9_*-]+( \+ [a-z]+/[A-Za-z0-9_*-]+)*$",
        description="STAGE/KEY of the trials; * matches several, + adds others",
    )
    family: str = Field(description="claims adjusted together by Holm's method")
    more: Reading | None = Field(default=None, description="the effect is more - less")
    less: Reading | None = None
    course: Course | None = None
    value: Reading | None = Field(default=None, description="an exact claim's residual, or the effect of a direction")
    gate: Gate | None = Field(default=None, description="replicates that do not reach it are left out, and counted")
    estimator: Literal["mean", "ratio of means", "every"] = Field(
        default="mean",
        description="mean of the paired differences; 1 - mean(less)/mean(more); or what holds in every replicate",
    )
    margin: float | None = Field(default=None, description="the smallest effect that matters")
    margins: dict[str, float] | None = Field(
        default=None, description="the same by data set, of a study that takes one data set at a time"
    )
    size: float | None = Field(default=None, description="magnitude: the published effect")
    tolerance: float | None = Field(default=None, gt=0, description="magnitude: size +- tolerance still agrees")
    bounds: tuple[float | None, float | None] | None = Field(default=None, strict=False, description="exact: the range")
    unit: Literal["pp", "%", "nats", "decades", ""] = Field(
        default="", description="pp and % show shares times 100; decades are log10 of a ratio"
    )
    design: Literal["fresh", "splits", "by data set"] = Field(
        description="replicates are fresh draws of the data, or overlapping splits of one finite set"
    )
    preset: Literal["default", "paper"] = Field(default="default", description="the smallest preset that runs it")
    corrects: str | None = Field(default=None, description="id of the claim that the later literature corrects")
    control: bool = Field(default=False, description="a negative control: must not come out supported")
    figure: str | None = Field(default=None, description="name of the figure that shows it")
    remark: str = Field(default="", description="what a reader should know beside the verdict")

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        needs: dict[str, tuple[str, ...]] = {
            "direction": ("value", "margin") if self.value is not None else ("more", "less", "margin"),
            "equivalence": ("more", "less", "margin"),
            "magnitude": ("more", "less", "margin", "size", "tolerance"),
            "trend": ("course", "margin"),
            "exact": ("value", "bounds"),
        }
        if self.margin is not None and self.margins is not None:
            raise ValueError("give margin or margins, not both")
        given = {name for name in Claim.model_fields if getattr(self, name) is not None}
        given |= {"margin"} if self.margins else set()
        missing = [name for name in needs[self.kind] if name not in given]
        if missing:
            raise ValueError(f"a claim of kind '{self.kind}' needs {', '.join(missing)}")
        columns = ("more", "less", "course", "value")
        spare = [name for name in columns if getattr(self, name) is not None and name not in needs[self.kind]]
        if spare:
            beside = " beside its value" if self.kind == "direction" and self.value is not None else ""
            raise ValueError(f"a claim of kind '{self.kind}' takes no {', '.join(spare)}{beside}")
        margins = [self.margin] if self.margins is None else list(self.margins.values())
        if self.kind == "equivalence" and any(margin is not None and margin <= 0 for margin in margins):
            raise ValueError("an equivalence needs a margin above 0")
        if self.estimator == "every" and self.kind != "exact":
            raise ValueError("the estimator 'every' belongs to an exact claim")
        return self

    def on(self, dataset: str, design: Literal["fresh", "splits"]) -> Claim | None:
        """Return the claim about one data set, with its margin and design; None if it names no margin for it."""
        changes: dict[str, object] = {}
        if self.margins is not None:
            if dataset not in self.margins:
                return None
            changes |= {"margin": self.margins[dataset], "margins": None}
        return self.model_copy(update=changes | ({"design": design} if self.design == "by data set" else {}))

    @property
    def parts(self) -> list[Reading | Course]:
        """The columns of the trials table that the claim speaks of."""
        return [part for part in (self.more, self.less, self.course, self.value) if part is not None]

    @property
    def region(self) -> tuple[float, float]:
        """The effects that agree with the claim."""
        infinity = float("inf")
        if self.kind == "exact":
            low, high = self.bounds or (None, None)
            return (-infinity if low is None else low, infinity if high is None else high)
        if self.kind == "magnitude":
            size, tolerance = self.size or 0.0, self.tolerance or 0.0
            return (size - tolerance, size + tolerance)
        margin = self.margin or 0.0
        return (-margin, margin) if self.kind == "equivalence" else (margin, infinity)


class Ledger(Section):
    """The whole of claims.yaml."""

    claims: list[Claim] = Field(min_length=1)


def load_claims(path: Path) -> list[Claim]:
    """Read the ledger; raises InputError naming the claim, the key and what would be right."""
    content = read_yaml(path)
    claims: list[Claim] = validated(path, Ledger, content).claims
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise InputError(f"{path}: claim id {twice[0]} is given twice")
    known = {claim.id for claim in claims}
    for claim in claims:
        if claim.corrects is not None and claim.corrects not in known:
            raise InputError(f"{path}: claim {claim.id}: corrects '{claim.corrects}', which is no claim")
    return claims
