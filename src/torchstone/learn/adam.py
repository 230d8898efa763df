"""Adam with decay rates of its own, which games between networks need: a long memory of an opponent is stale."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim.adam import adam

from torchstone.learn.optim import FlatOptimiser


class Adam(FlatOptimiser):
    """Adam over all replicates of one population, ``betas`` being the decay rates of its two moments."""

    def __init__(self, population: nn.Module, learning_rate: float, betas: Sequence[float]) -> None:
        super().__init__(population, "adam", learning_rate)
        self._betas = tuple(betas)

    def _apply(self) -> None:
        first, second, step = (self._state[name] for name in ("exp_avg", "exp_avg_sq", "step"))
        adam(
            [self.flat], [self.gradient], [first], [second], [], [step], foreach=False, fused=self._fused,
            amsgrad=False, beta1=self._betas[0], beta2=self._betas[1], lr=self._rate, weight_decay=self._decay,
            eps=1e-8, maximize=False,
        )  # fmt: skip
