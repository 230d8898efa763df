"""The networks' forecasts: all cities' networks are trained as one population and scored like the other arms."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from torchstone.core.schema import Forecast
from torchstone.core.trials import Trial
from torchstone.learn.fit import Checkpoint
from torchstone.studies.navigation.city import Floats
from torchstone.studies.navigation.demand import is_weekend
from torchstone.studies.navigation.features import FIRST, LAGS, neighbours
from torchstone.studies.navigation.forecasting import Observed, ahead, outlook
from torchstone.studies.navigation.networks import SCALE, Series, forecast, trained
from torchstone.studies.navigation.observing import KMH
from torchstone.studies.navigation.scores import advantages, scores

NAMES = {False: "STID", True: "graph network"}


def padded(table: Floats, lags: int) -> Floats:
    """Put so many empty bins before a day's first, so that a network may look back beyond it."""
    return np.pad(table, [(0, 0)] * (table.ndim - 1) + [(lags, 0)], constant_values=np.nan)


def series_of(seen: list[Observed], usual: list[Floats], settings: Forecast, device: torch.device) -> Series:
    """Put what all replicates know together as tensors, each day LAGS bins longer at its begin."""

    def tensor(tables: list[Floats]) -> Tensor:
        return torch.from_numpy(np.stack(tables).astype(np.float32)).to(device)

    deviations = [padded(one.known - base, LAGS) for one, base in zip(seen, usual, strict=True)]
    steps = [ahead(horizon) for horizon in settings.horizons]
    days = seen[0].known.shape[0]
    longer = [np.pad(base, ((0, 0), (0, 0), (LAGS, max(steps))), mode="edge") / 100 for base in usual]
    return Series(
        tensor([np.nan_to_num(one) / SCALE for one in deviations]),
        tensor([~np.isnan(one) for one in deviations]),
        tensor(longer),
        torch.tensor([int(is_weekend(day)) for day in range(days)], device=device),
        tensor([neighbours(one.network)[0] for one in seen]),
        LAGS, steps,
    )  # fmt: skip


def targets_of(seen: list[Observed], usual: list[Floats], series: Series) -> Tensor:
    """Return the deviations that probe cars met, NaN where none was or the day is over, [..., bin, horizon]."""
    wanted = []
    for one, base in zip(seen, usual, strict=True):
        gone = padded(one.entered - base, LAGS)
        later = np.pad(gone, ((0, 0), (0, 0), (0, max(series.ahead))), constant_values=np.nan)
        wanted.append(np.stack([later[:, :, step : step + gone.shape[2]] for step in series.ahead], axis=-1))
    return torch.from_numpy(np.stack(wanted).astype(np.float32)).to(series.usual.device)


def snapshots(days: range, bins: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return day and (shifted) bin of every moment at which a forecast may be made."""
    both = torch.cartesian_prod(torch.tensor(list(days)), torch.arange(FIRST + LAGS, bins + LAGS)).to(device)
    return both[:, 0], both[:, 1]


def network_trials(
    seen: list[Observed], settings: Forecast, seed: int, device: torch.device, *, graph: bool,
    checkpoint: Checkpoint | None = None,
) -> list[Trial]:  # fmt: skip
    """Train one kind of network for every replicate and score its forecasts of the test days."""
    usual = [outlook(one, settings).usual for one in seen]
    series = series_of(seen, usual, settings, device)
    days, _, bins = seen[0].known.shape
    nearest = min(series.ahead)
    model = trained(
        series, targets_of(seen, usual, series), snapshots(range(settings.train), bins - nearest, device), settings,
        seed, [(NAMES[graph], one.replicate) for one in seen], graph=graph, checkpoint=checkpoint,
    )  # fmt: skip
    first = settings.train + settings.valid
    moments = snapshots(range(first, days), bins, device)
    found = forecast(model, series, *moments).cpu().numpy()
    found = found.reshape(len(seen), days - first, bins - FIRST, *found.shape[2:]).transpose(0, 1, 3, 2, 4)
    trials: list[Trial] = []
    for one, base, said in zip(seen, usual, found, strict=True):
        for place, (horizon, step) in enumerate(zip(settings.horizons, series.ahead, strict=True)):
            target = base[first:, :, FIRST + step :]
            free = np.broadcast_to(KMH * one.network.speeds[None, :, None], target.shape)
            speeds = target + said[:, :, : target.shape[2], place]
            true = one.truth[first:, :, FIRST + step :]
            trials += scores(NAMES[graph], horizon, one.replicate, speeds, true, free, settings.congested)
            trials += scores("history", horizon, one.replicate, target, true, free, settings.congested)
    return [trial for trial in [*trials, *advantages(trials)] if trial.arm != "history"]
