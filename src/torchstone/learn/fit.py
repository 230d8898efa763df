"""The one training loop of the house.

A game has one player (a population that fits data) or several (generators against discriminators). Each step every
player in turn takes one step on its own loss; no gradient of one reaches another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.resume import Resume
from torchstone.learn.optim import FlatOptimiser

Watcher = Callable[[int], Arrays]


class Until(Protocol):
    """Says when training may end; what it has seen goes into checkpoints."""

    def __call__(self, step: int) -> bool:
        """Look after a step, counted from 1, and tell whether training may end."""
        ...

    def state(self) -> Arrays:
        """Return what it has seen."""
        ...

    def restore(self, arrays: Arrays) -> None:
        """Put back what ``state`` returned."""
        ...


@dataclass(frozen=True)
class Player:
    """A population's optimiser and its loss: batch -> [replicate], whose sum gives each replicate its gradient.

    ``gradient``, where there is one, writes that gradient itself, faster than autograd finds it.
    """

    optimiser: FlatOptimiser
    loss: Callable[[Any], Tensor]
    gradient: Callable[[Any], object] | None = None

    def step(self, batch: object) -> None:
        """Take one step; gradients go to this player's parameters only."""
        if self.gradient is not None:
            self.gradient(batch)
        else:
            self.optimiser.zero()
            torch.autograd.backward(self.loss(batch).sum(), inputs=self.optimiser.leaves)
        self.optimiser.step()


@dataclass
class Checkpoint:
    """Where a fit keeps its latest state, and how often (seconds)."""

    resume: Resume
    name: str
    every: float = 30.0
    last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Tell whether it is time to save again."""
        return time.monotonic() - self.last >= self.every

    def save(
        self,
        step: int,
        players: Sequence[Player],
        history: dict[str, list[np.ndarray[Any, Any]]],
        until: Until | None = None,
    ) -> None:
        """Write step, all players' parameters and optimiser states, and what was watched and seen so far."""
        arrays: Arrays = {"step": np.asarray(step)}
        for place, player in enumerate(players):
            arrays |= {f"player{place}-{name}": value for name, value in player.optimiser.state().items()}
        arrays |= {f"history-{name}": np.stack(values) for name, values in history.items()}
        if until is not None:
            arrays |= {f"until-{name}": value for name, value in until.state().items()}
        self.resume.save(self.name, arrays)
        self.last = time.monotonic()

    def restore(
        self, players: Sequence[Player], history: dict[str, list[np.ndarray[Any, Any]]], until: Until | None = None
    ) -> int:
        """Put back the latest state, if there is one, and return the step to go on from."""
        arrays = self.resume.load(self.name)
        if arrays is None:
            return 0
        for place, player in enumerate(players):
            prefix = f"player{place}-"
            player.optimiser.restore(
                {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
            )
        for name, values in arrays.items():
            if name.startswith("history-"):
                history[name.removeprefix("history-")] = list(values)
        if until is not None:
            seen = {name.removeprefix("until-"): value for name, value in arrays.items() if name.startswith("until-")}
            until.restore(seen)
        return int(arrays["step"])


def fit(
    players: Sequence[Player],
    batches: Callable[[int], object],
    steps: int,
    *,
    watch: Watcher | None = None,
    watch_at: Sequence[int] = (),
    until: Until | None = None,
    checkpoint: Checkpoint | None = None,
) -> Arrays:
    """Let the players take ``steps`` steps and return what was watched, each entry stacked over ``watch_at``.

    They take fewer if ``until``, which is asked after each step, says that training may end.
    ``watch(step)`` is called before the first step if 0 is in ``watch_at``, and after step s for every other s. A fit
    that was killed goes on from its checkpoint and ends with the same bits as one that was not, since a batch is a
    function of its step alone.
    """
    wanted = set(watch_at)
    history: dict[str, list[np.ndarray[Any, Any]]] = {}

    def look(step: int) -> None:
        if watch is not None and step in wanted:
            with torch.no_grad():
                for name, value in watch(step).items():
                    history.setdefault(name, []).append(value)

    start = checkpoint.restore(players, history, until) if checkpoint else 0
    if start == 0:
        look(0)
    for step in range(start, steps):
        batch = batches(step)
        for player in players:
            player.step(batch)
        look(step + 1)
        if until is not None and until(step + 1):
            break
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(step + 1, players, history, until)
    return {name: np.stack(values) for name, values in history.items()}
