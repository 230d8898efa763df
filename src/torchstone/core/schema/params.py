"""The whole of params.yaml, and what its sections must know of each other."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field, model_validator

from torchstone.core.schema.batchsize import Cost, Minima, Recommend, Sweep, check_cells, check_minima, check_tasks
from torchstone.core.schema.ensembles import Ensemble, Resample, check_ensembles
from torchstone.core.schema.gan import Exact, Gan, Images, check_games
from torchstone.core.schema.lottery import Controls, Depth, Prune, check_prune, check_rounds
from torchstone.core.schema.navigation import (
    Eta,
    Feedback,
    Forecast,
    Match,
    Network,
    Probes,
    Route,
    Traffic,
    Week,
    check_navigation,
)  # fmt: skip
from torchstone.core.schema.prepare import Prepare
from torchstone.core.schema.primer import Primer, Speed, check_primer
from torchstone.core.schema.section import Section, Share


class Shared(Section):
    """What every stage reads."""

    seed: int = Field(ge=0, description="root of every named random stream")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        description="auto takes cuda, then mps, then cpu; bits are promised per device only"
    )


class Judge(Section):
    """How a verdict is reached."""

    alpha: float = Field(gt=0.0, lt=0.5, description="error rate of each interval, and of each family after Holm")
    power: Share = Field(description="power at which the minimum detectable effect is stated")
    draws: int = Field(ge=999, description="sign flips where the exact count is larger")


class Params(Section):
    """The whole of params.yaml."""

    shared: Shared
    primer: Primer
    speed: Speed
    prepare: Prepare
    resample: Resample
    ensemble: Ensemble
    sweep: Sweep
    minima: Minima
    cost: Cost
    recommend: Recommend
    prune: Prune
    control: Controls
    depth: Depth
    gan: Gan
    exact: Exact
    forge: dict[str, Images] = Field(description="one row a set of images: the stages forge@KEY")
    network: Network
    traffic: Traffic
    probes: Probes
    match: Match
    forecast: Forecast
    eta: Eta
    route: Route
    feedback: Feedback
    week: Week
    judge: Judge

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Params:
        """Refuse a section that names what another one does not have; each study checks its own."""
        check_primer(self.primer, self.speed)
        check_ensembles(self.ensemble, self.prepare)
        check_tasks(self.sweep, self.prepare, self.recommend)
        check_cells(self.sweep)
        check_minima(self.minima, self.sweep)
        check_prune(self.prune, self.prepare, self.depth)
        check_rounds(self.prune, self.control)
        check_games(self.gan, self.forge, self.prepare)
        check_navigation(self.probes, self.forecast, self.traffic, self.eta, self.feedback)
        return self

    def rows(self, stage: str) -> list[str]:
        """Return the keys of a stage's rows, as ``foreach`` in dvc.yaml sees them."""
        if stage == "prepare":
            return [name for name, row in self.prepare if row is not None]
        rows: dict[str, Iterable[str]] = {  # of the stages that have rows
            **dict.fromkeys(("resample", "ensemble"), self.ensemble.cells),
            "sweep": self.sweep.cells,
            **dict.fromkeys(("minima", "cost", "recommend"), self.sweep.tasks),
            "prune": self.prune.rounds,
            "control": self.control.rounds,
            **{key: ["all"] for key in ("primer", "speed", "start", "depth", "exact")},
            "gan": self.gan.games,
            "forge": self.forge,
            **dict.fromkeys(("network", "traffic", "probes", "match"), self.network.cities),
            **dict.fromkeys(("forecast", "eta", "route", "feedback"), self.network.cities),
            "week": self.week.sets,
        }
        return list(rows.get(stage, ()))

    def matching(self, trials: str) -> list[tuple[str, str]]:
        """Return stage and key of each row that "STAGE/KEY" names, where * stands for anything and + adds another."""
        found = []
        for part in trials.split(" + "):
            stage, pattern = part.split("/")
            found += [(stage, key) for key in self.rows(stage) if fnmatchcase(key, pattern)]
        return found

    def dataset(self, stage: str, key: str) -> str:
        """Return the data set that a stage's row is about: its key names it, but for the lottery study's."""
        return self.prune.dataset if stage in {"start", "prune", "control", "depth"} else key.split("-")[0]
