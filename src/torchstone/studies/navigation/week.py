"""The same forecasters on a real week of detectors: trained on its first 70 %, scored on its last fifth.

Features and targets are speeds themselves here, since detectors see every bin; learners say how far a speed will be
from the last one. The history of a training day is taken from the other days of its kind, or it would hold the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchstone.core.schema import Forecast, RealWeek
from torchstone.core.trials import Trial
from torchstone.learn.fit import Checkpoint
from torchstone.studies.navigation import learners
from torchstone.studies.navigation.city import Floats, Integers
from torchstone.studies.navigation.features import LAGS, median
from torchstone.studies.navigation.networks import SCALE, Series, forecast, trained
from torchstone.studies.navigation.scores import advantages, persistence, scores
from torchstone.studies.navigation.together import NAMES

TRAIN, VALID = 0.7, 0.1  # of the week, in time
WEEKEND = (5, 6)
FREE = 0.85  # quantile of a detector's training speeds that counts as its free speed
BACK = (1, 2, 3, 6, 12)  # bins


@dataclass(frozen=True)
class Recorded:
    """A week in mph, [detector, time], with the bins a day has, the weekday of its first day, who is near whom."""

    speeds: Floats
    near: Floats
    bins: int
    weekday: int

    @property
    def end(self) -> int:
        """The time at which training ends."""
        return int(TRAIN * self.speeds.shape[1])

    def moments(self, first: int, last: int, ahead: int) -> Integers:
        """Return the times at which a forecast may be made whose target lies before ``last``."""
        return np.arange(first, last - ahead)

    def usual(self) -> Floats:
        """Return the history at each time, [detector, time]: the median of training days of the same kind.

        Each bin is taken with its neighbours; a training day is left out of its own history.
        """
        detectors, total = self.speeds.shape
        known = np.where(np.arange(total) < self.end, self.speeds, np.nan).reshape(detectors, -1, self.bins)
        days = known.shape[1]
        weekend = np.asarray([(self.weekday + day) % 7 in WEEKEND for day in range(days)])
        padded = np.pad(known, ((0, 0), (0, 0), (1, 1)), constant_values=np.nan)
        around = np.stack([padded[:, :, shift : shift + self.bins] for shift in range(3)], axis=-1)
        whole = median(known.reshape(detectors, -1))[:, None]
        found = np.empty_like(known)
        for day in range(days):
            others = [other for other in range(days) if weekend[other] == weekend[day] and other != day]
            past = np.moveaxis(around[:, others], 1, -1).reshape(detectors, self.bins, -1)
            found[:, day] = median(past)
        return np.where(np.isnan(found), whole[:, :, None], found).reshape(detectors, total)


def inputs(week: Recorded, usual: Floats, moments: Integers, ahead: int) -> Floats:
    """Return what is known at each moment, [detector, moment, feature]; nothing after it but history."""
    speeds = week.speeds
    others = week.near - np.diag(np.diag(week.near))
    others = others / np.maximum(others.sum(axis=1, keepdims=True), 1e-9)
    beside = others @ speeds
    deviation = speeds - usual
    everyone = np.broadcast_to(deviation.mean(axis=0), speeds.shape)
    now = speeds[:, moments]
    lags = [now - speeds[:, np.maximum(moments - back, 0)] for back in BACK]
    hour = np.stack([speeds[:, np.maximum(moments - back, 0)] for back in range(12)])
    later = usual[:, moments + ahead]
    columns = [
        now, *lags, hour.mean(axis=0), hour.std(axis=0), hour.min(axis=0), later, later - usual[:, moments],
        now - later, beside[:, moments], beside[:, moments] - beside[:, np.maximum(moments - 3, 0)],
        (others @ deviation)[:, moments], everyone[:, moments],
        np.broadcast_to((moments % week.bins).astype(np.float64), now.shape),
        np.broadcast_to(np.quantile(speeds[:, : week.end], FREE, axis=1)[:, None], now.shape),
    ]  # fmt: skip
    return np.stack(columns, axis=-1)


def learned(
    week: Recorded, usual: Floats, test: Integers, settings: Forecast, ahead: int, most: int, seed: int
) -> dict[str, Floats]:
    """Return the forecasts of all arms but the networks at the test moments, [detector, moment].

    All learners are given the same rows, at most ``most``.
    """
    moments = week.moments(max(BACK), week.end, ahead)
    x = inputs(week, usual, moments, ahead)
    now = week.speeds[:, moments]
    x, y = x.reshape(-1, x.shape[-1]), (week.speeds[:, moments + ahead] - now).ravel()
    rows = learners.sampled(len(y), settings.model_copy(update={"rows": most}), seed, "week", ahead)
    x, y = x[rows], y[rows]
    last = week.speeds[:, test]
    later = inputs(week, usual, test, ahead)
    flat = later.reshape(-1, later.shape[-1])
    names = (seed, "week", ahead)
    return {
        "history": usual[:, test + ahead],
        "last value": last,
        "tree": last + learners.single(x, y, flat, settings, *names).reshape(last.shape),
        "bagged trees": last + learners.bagged(x, y, flat, settings, *names).reshape(last.shape),
        "gradient boosting": last + learners.boosted(x, y, settings, *names).predict(flat).reshape(last.shape),
    }


def _days(table: Floats, bins: int, before: int, after: int) -> Floats:
    """Cut [detector, time] into days, [day, detector, bin], each with so many bins of its neighbours; NaN beyond."""
    padded = np.pad(table, ((0, 0), (before, after)), constant_values=np.nan)
    starts = range(0, table.shape[1], bins)
    return np.stack([padded[:, start : start + before + bins + after] for start in starts])


def network_forecasts(
    week: Recorded, usual: Floats, test: Integers, settings: Forecast, count: int, seed: int, device: torch.device, *,
    graph: bool, checkpoint: Checkpoint | None = None,
) -> Floats:  # fmt: skip
    """Train ``count`` networks and return their forecasts, [network, detector, moment, horizon]."""
    steps = [int(horizon // 5) for horizon in settings.horizons]
    most = max(steps)

    def tensor(table: Floats) -> Tensor:
        single = torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32)).to(device)
        return single.expand(count, *single.shape)

    deviation = week.speeds - usual
    cut = _days(deviation, week.bins, LAGS, 0)
    base = _days(usual, week.bins, LAGS, most)
    later = np.stack([_days(np.roll(deviation, -step, axis=1), week.bins, LAGS, 0) for step in steps], axis=-1)
    others = week.near - np.diag(np.diag(week.near))
    others = others / np.maximum(others.sum(axis=1, keepdims=True), 1e-9)
    weekend = torch.tensor([int((week.weekday + day) % 7 in WEEKEND) for day in range(len(cut))], device=device)
    series = Series(
        tensor(np.nan_to_num(cut) / SCALE), tensor(~np.isnan(cut)), tensor(np.nan_to_num(base) / 100), weekend,
        tensor(others), LAGS, steps,
    )  # fmt: skip

    def when(moments: Integers) -> tuple[Tensor, Tensor]:
        day, place = np.divmod(moments, week.bins)
        return torch.from_numpy(day).to(device), torch.from_numpy(place + LAGS).to(device)

    names = [("week", NAMES[graph], number) for number in range(count)]
    train = when(week.moments(LAGS, week.end, most))
    model = trained(series, tensor(later), train, settings, seed, names, graph=graph, checkpoint=checkpoint)
    found = forecast(model, series, *when(test)).cpu().numpy().astype(np.float64)
    then = np.stack([usual[:, test + step] for step in steps], axis=-1)
    return np.asarray(found.transpose(0, 2, 1, 3) + then)


def measured_with(settings: Forecast, row: RealWeek, seed: int) -> dict[str, Any]:
    """Return all that the trials of a week depend on beside code and file, as a record keeps it."""
    unused = {"train", "valid", "rows", "rounds", "steps"}
    return {
        "shared.seed": seed,
        **{f"forecast.{name}": value for name, value in settings.model_dump(exclude=unused).items()},
        **{f"week.{name}": value for name, value in row.model_dump(exclude={"source"}).items()},
    }


def week_trials(
    week: Recorded, settings: Forecast, row: RealWeek, seed: int, device: torch.device, checkpoints: list[Checkpoint]
) -> list[Trial]:
    """Return the scores of all arms by horizon; a replicate is a block of test time, networks' scores are averaged."""
    tuned = settings.model_copy(update={"rounds": row.rounds, "steps": row.steps, "horizons": settings.horizons[1:]})
    total, most = week.speeds.shape[1], int(max(tuned.horizons) // 5)
    first = int((TRAIN + VALID) * total) + 1
    length = (total - most - first) // row.blocks
    test = np.arange(total - most - row.blocks * length, total - most)
    usual = week.usual()
    free = np.quantile(week.speeds[:, : week.end], FREE, axis=1)[:, None]
    top = np.full_like(free, week.speeds[:, : week.end].max())
    nets = {
        NAMES[graph]: network_forecasts(
            week, usual, test, tuned, row.replicates, seed, device, graph=graph, checkpoint=checkpoints[int(graph)]
        )
        for graph in (False, True)
    }
    trials: list[Trial] = []
    for place, horizon in enumerate(tuned.horizons):
        step = int(horizon // 5)
        arms = {arm: [one] for arm, one in learned(week, usual, test, tuned, step, row.rows, seed).items()}
        arms |= {arm: list(found[..., place]) for arm, found in nets.items()}
        true = week.speeds[:, test + step]
        now, later = ((week.speeds - usual)[:, moments] for moments in (test, test + step))
        for block in range(row.blocks):
            part = slice(block * length, (block + 1) * length)
            trials.append(persistence(horizon, block, now[:, part], later[:, part]))
        for arm, several in arms.items():
            for block in range(row.blocks):
                part = slice(block * length, (block + 1) * length)
                rows: dict[str, list[float]] = {}
                for one in several:
                    truth = true[:, part]
                    limits = (np.broadcast_to(limit, truth.shape) for limit in (free, top))
                    for trial in scores(
                        arm, horizon, block, one[:, part], truth, next(limits), settings.congested, next(limits)
                    ):
                        rows.setdefault(trial.metric, []).append(trial.value)
                trials += [Trial(arm, float(horizon), block, metric, float(np.mean(v))) for metric, v in rows.items()]
    return [*trials, *advantages(trials)]
