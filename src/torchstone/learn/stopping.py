"""Early stopping by a smoothed validation loss: when was it smallest, and what were the parameters then?

The arg-min of a noisy curve is a poor estimator of where the curve is low: one lucky look decides. So the losses of
``window`` looks in a row are averaged first, and the middle of the lowest window counts. Frankle & Carbin (2019) take
the raw arg-min; an independent re-run found its spread as large as the effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from torchstone.core.files import Arrays
from torchstone.learn.convergence import Kept

Seen = tuple[Tensor, Tensor]
Curve = npt.NDArray[Any]


class SmoothedMinimum:
    """Watches a fit without ever ending it (an ``until`` of ``fit``); ``look`` measures the population as it is now.

    ``look`` returns validation loss (nats) and accuracy (share), each [replicate], and is asked every ``every`` steps.
    A replicate whose loss is not finite has no lower window from then on.
    """

    def __init__(self, population: nn.Module, look: Callable[[], Seen], *, every: int, window: int) -> None:
        if window % 2 == 0:
            raise ValueError(f"a window of {window} looks has no middle")
        self._population, self._look, self._every, self._window = population, look, every, window
        first = next(population.parameters())
        self._lowest = torch.full((first.shape[0],), torch.inf, device=first.device)
        self._recent: deque[Kept] = deque(maxlen=window // 2 + 1)  # from the middle of the window to its end
        self._losses: list[Tensor] = []
        self._accuracies: list[Tensor] = []
        self.kept = Kept(population)
        self.step = torch.zeros(first.shape[0], dtype=torch.int64, device=first.device)

    @torch.no_grad()
    def __call__(self, step: int) -> bool:
        """Look if it is time; training never ends by this."""
        if step % self._every == 0:
            loss, accuracy = self._look()
            self._losses.append(loss.clone())
            self._accuracies.append(accuracy.clone())
            self._recent.append(Kept(self._population))
            if len(self._losses) >= self._window:
                self._compare(step)
        return False

    def _compare(self, step: int) -> None:
        smooth = torch.stack(self._losses[-self._window :]).mean(0)
        lower = smooth < self._lowest
        self._lowest = torch.where(lower, smooth, self._lowest)
        middle = self._recent[0]
        for tensor, of_middle in zip(self.kept.tensors, middle.tensors, strict=True):
            tensor[lower] = of_middle[lower]
        self.step[lower] = step - self._every * (self._window // 2)

    def curves(self) -> Arrays:
        """Return what was seen, each [look, replicate], with the steps of the looks, [look]."""
        steps = self._every * np.arange(1, len(self._losses) + 1)
        seen = {"valid_loss": self._losses, "valid_accuracy": self._accuracies}
        return {"steps": steps} | {name: torch.stack(values).cpu().numpy() for name, values in seen.items()}

    def state(self) -> Arrays:
        """Return all that was seen and kept, for a checkpoint."""
        named = {"lowest": self._lowest, "step": self.step}
        named |= {f"kept{place}": tensor for place, tensor in enumerate(self.kept.tensors)}
        for age, recent in enumerate(self._recent):
            named |= {f"recent{age}-{place}": tensor for place, tensor in enumerate(recent.tensors)}
        if self._losses:
            named |= {"losses": torch.stack(self._losses), "accuracies": torch.stack(self._accuracies)}
        return {name: tensor.cpu().numpy().copy() for name, tensor in named.items()}

    def restore(self, arrays: Arrays) -> None:
        """Put back what ``state`` returned."""
        device = self._lowest.device
        found = {name: torch.from_numpy(np.array(values)).to(device) for name, values in arrays.items()}
        self._lowest, self.step = found["lowest"], found["step"]
        self.kept.tensors = [found[f"kept{place}"] for place in range(len(self.kept.tensors))]
        self._recent.clear()
        while f"recent{len(self._recent)}-0" in found:
            age = len(self._recent)
            recent = Kept(self._population)
            recent.tensors = [found[f"recent{age}-{place}"] for place in range(len(recent.tensors))]
            self._recent.append(recent)
        self._losses = list(found["losses"]) if "losses" in found else []
        self._accuracies = list(found["accuracies"]) if "accuracies" in found else []


def smoothed(curve: Curve, window: int) -> Curve:
    """Return the means of ``window`` values in a row of a curve [look, replicate]: the first is of look window // 2."""
    means: Curve = np.lib.stride_tricks.sliding_window_view(curve, window, axis=0).mean(axis=-1)
    return means


def first_reach(curve: Curve, steps: Curve, level: float, window: int) -> Curve:
    """Return the first step [replicate] at which a smoothed curve [look, replicate] is at ``level`` or above.

    NaN where it never is. The curve is smoothed over ``window`` looks, whose middle counts.
    """
    reached = smoothed(curve, window) >= level
    middles = steps[window // 2 : window // 2 + len(reached)].astype(np.float64)
    return np.where(reached.any(axis=0), middles[reached.argmax(axis=0)], np.nan)
