"""Two networks that forecast all links at once, trained as populations: one network for each replicate.

STID (Shao et al. 2022) knows a link and a time of day by numbers of their own and mixes them with the link's last
hour in a perceptron. The graph network lets neighbouring links talk, along and against the traffic (a diffusion
convolution as in DCRNN, without its recurrence). Both say how far speeds will be from history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchstone.core.rng import Name
from torchstone.core.schema import Forecast
from torchstone.core.streams import stream
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.learn.optim import FlatOptimiser
from torchstone.nets.population import LinearPopulation, pad_features

SCALE = 10.0  # km/h, about the size of a deviation


@dataclass(frozen=True)
class Series:
    """What networks see: deviations with gaps as 0 and whether there was one, [replicate, day, link, bin]."""

    deviations: Tensor
    seen: Tensor
    usual: Tensor  # history as a share of 100 km/h
    weekend: Tensor  # [day]
    links: Tensor  # [replicate, link, link], who follows whom, rows that sum to 1
    lags: int
    ahead: Sequence[int]  # bins

    def inputs(self, day: Tensor, bins: Tensor) -> Tensor:
        """Return what is known of all links at the end of each (day, bin), [replicate, snapshot, link, feature]."""
        back = bins[..., None] - torch.arange(self.lags - 1, -1, -1, device=bins.device)
        replicate = torch.arange(len(self.usual), device=bins.device)[:, None, None]
        recent = [part[replicate, day[..., None], :, back] for part in (self.deviations, self.seen)]
        later = torch.stack([bins, *(bins + step for step in self.ahead)], dim=-1)
        recent.append(self.usual[replicate, day[..., None], :, later])
        return torch.cat(recent, dim=2).transpose(2, 3)

    @property
    def width(self) -> int:
        """How many inputs a link has."""
        return 2 * self.lags + 1 + len(self.ahead)


class Forecaster(nn.Module):
    """R networks that map the inputs of all links to a deviation at each horizon."""

    def __init__(self, series: Series, settings: Forecast, *, graph: bool) -> None:
        super().__init__()
        replicates, _, links, bins = series.deviations.shape
        self.hidden, self.graph = settings.hidden, graph
        self.link = nn.Parameter(torch.zeros(replicates, links, settings.embedding))
        self.time = nn.Parameter(torch.zeros(replicates, bins, settings.embedding))
        self.week = nn.Parameter(torch.zeros(replicates, 2, settings.embedding))
        width = series.width + 3 * settings.embedding
        hops = 3 if graph else 1
        sizes = [(width, settings.hidden), *[(hops * settings.hidden, settings.hidden)] * 2]
        self.layers = nn.ModuleList(LinearPopulation(replicates, a, b) for a, b in sizes)
        self.last = LinearPopulation(replicates, settings.hidden, len(series.ahead))
        self.horizons = len(series.ahead)

    def initialise(self, generators: Sequence[torch.Generator]) -> None:
        """Draw each replicate from its own stream; the last layer starts at zero, so a network starts as history."""
        with torch.no_grad():
            for replicate, generator in enumerate(generators):
                for table in (self.link, self.time, self.week):
                    draw = torch.empty(table.shape[1:]).normal_(0.0, 1 / math.sqrt(table.shape[2]), generator=generator)
                    table[replicate] = draw.to(table.device)
                for layer in self.layers:
                    layer.initialise(replicate, generator, "kaiming_normal")  # type: ignore[operator]

    def forward(self, series: Series, day: Tensor, bins: Tensor) -> Tensor:
        """Map snapshots (day, bin), each [replicate, snapshot], to [replicate, snapshot, link, horizon] in km/h."""
        inputs = series.inputs(day, bins)
        replicates, snapshots, links, _ = inputs.shape
        at = torch.arange(replicates, device=bins.device)[:, None]
        shape = (replicates, snapshots, links, -1)
        known = (self.link[:, None], self.time[at, bins][:, :, None], self.week[at, series.weekend[day]][:, :, None])
        x = torch.cat([inputs, *(part.expand(shape) for part in known)], dim=-1)
        x = pad_features(x).flatten(1, 2)
        follows = series.links[:, None]
        for depth, layer in enumerate(self.layers):
            if depth and self.graph:
                h = x[..., : self.hidden].reshape(replicates, snapshots, links, self.hidden)
                x = pad_features(torch.cat([h, follows @ h, follows.transpose(2, 3) @ h], dim=-1).flatten(1, 2))
            new = torch.relu(layer(x))
            x = new if depth == 0 or self.graph else new + x  # STID's layers add to what comes in
        out: Tensor = self.last(x)[..., : self.horizons]
        return SCALE * out.reshape(replicates, snapshots, links, self.horizons)


def absolute_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute error of each replicate; targets that nobody saw are NaN and do not count."""
    there = ~wanted.isnan()
    error = (found - wanted.nan_to_num()).abs() * there
    return error.flatten(1).sum(dim=1) / there.flatten(1).sum(dim=1).clamp_min(1)


def trained(
    series: Series,
    targets: Tensor,
    train: tuple[Tensor, Tensor],
    settings: Forecast,
    seed: int,
    names: Sequence[tuple[Name, ...]],
    *,
    graph: bool,
    checkpoint: Checkpoint | None = None,
) -> Forecaster:
    """Train on snapshots drawn from ``train`` (days and bins); targets [replicate, day, link, bin, horizon] in km/h."""
    model = Forecaster(series, settings, graph=graph).to(series.usual.device)
    model.initialise([stream(seed, "init", *name) for name in names])
    optimiser = FlatOptimiser(model, "adam", settings.learning_rate)
    size = max(1, settings.batch // series.usual.shape[2])
    replicate = torch.arange(len(names), device=series.usual.device)[:, None]

    def batch(step: int) -> tuple[Tensor, Tensor]:
        chosen = torch.stack([
            torch.randint(len(train[0]), (size,), generator=stream(seed, "order", *name, step)) for name in names
        ]).to(series.usual.device)  # fmt: skip
        return train[0][chosen], train[1][chosen]

    def loss(one: tuple[Tensor, Tensor]) -> Tensor:
        day, bins = one
        return absolute_error(model(series, day, bins), targets[replicate, day, :, bins])

    fit([Player(optimiser, loss)], batch, settings.steps, checkpoint=checkpoint)
    return model


@torch.no_grad()
def forecast(model: Forecaster, series: Series, day: Tensor, bins: Tensor, at_once: int = 64) -> Tensor:
    """Return the deviations that all replicates expect at the same snapshots, [replicate, snapshot, link, horizon]."""
    count = len(series.usual)
    found = []
    for begin in range(0, len(day), at_once):
        some = slice(begin, begin + at_once)
        found.append(model(series, day[some].expand(count, -1), bins[some].expand(count, -1)))
    return torch.cat(found, dim=1)
