"""torch.optim on a whole population: one flat tensor, one fused call a step.

The parameters of a population become views of one flat buffer, their gradients of another, so the optimiser sees a
single tensor. Masks and learning rates may differ by replicate.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch._dynamo  # torch.optim loads it at its first use, over a second; here it is paid once, before a fork
from torch import Tensor, nn

from torchstone.core.files import Arrays

Rule = Literal["sgd", "adam"]


class FlatOptimiser:
    """An optimiser over all replicates of one population.

    ``learning_rate`` is one number or a tensor [replicate]; ``masks`` maps parameter names to 0/1 tensors of the
    parameter's shape: masked entries are set to exactly 0 and stay there, since their gradient, and with it the
    optimiser's state, is 0 from the first step on.
    """

    def __init__(
        self,
        population: nn.Module,
        rule: Rule,
        learning_rate: float | Tensor,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        masks: dict[str, Tensor] | None = None,
    ) -> None:
        named = dict(population.named_parameters())
        self.leaves = list(named.values())
        device = self.leaves[0].device
        total = sum(leaf.numel() for leaf in self.leaves)
        self.flat = nn.Parameter(torch.empty(total, device=device))
        self.flat.grad = torch.zeros(total, device=device)
        self._mask = torch.ones(total, device=device) if masks else None
        replicates = self.leaves[0].shape[0]
        rates = torch.as_tensor(learning_rate, dtype=torch.float32, device=device)
        # Rates by replicate: the step is taken at rate 1, then scaled, so that no rate touches a neighbour's bits.
        common = float(rates) if rates.ndim == 0 else 1.0
        self._scale = None if rates.ndim == 0 else torch.empty(total, device=device)
        start = 0
        for name, leaf in named.items():
            if leaf.shape[0] != replicates:
                raise ValueError(f"{name} has {leaf.shape[0]} replicates, the first parameter {replicates}")
            part = slice(start, start + leaf.numel())
            start += leaf.numel()
            self.flat.data[part] = leaf.data.flatten()
            leaf.data = self.flat.data[part].view(leaf.shape)
            leaf.grad = self.flat.grad[part].view(leaf.shape)
            if self._mask is not None and masks and name in masks:
                self._mask[part] = masks[name].to(device, torch.float32).flatten()
            if self._scale is not None:
                by_replicate = rates.view(-1, *[1] * (leaf.ndim - 1))
                self._scale[part] = by_replicate.expand(leaf.shape).flatten()
        if self._mask is not None:
            self.flat.data *= self._mask
        self._inner = _inner(self.flat, rule, common, momentum, weight_decay)

    @property
    def gradient(self) -> Tensor:
        """The flat gradient, all parameters of all replicates."""
        assert self.flat.grad is not None
        return self.flat.grad

    def zero(self) -> None:
        """Forget the gradient."""
        self.gradient.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Move every replicate by its own rate; what is masked stays where it is, at zero."""
        if self._mask is not None:
            self.gradient.mul_(self._mask)
        if self._scale is None:
            self._inner.step()
            return
        before = self.flat.detach().clone()
        self._inner.step()
        self.flat.data.sub_(before).mul_(self._scale).add_(before)

    def state(self) -> Arrays:
        """Return parameters and optimiser state as arrays, for a checkpoint."""
        arrays: Arrays = {"parameters": self.flat.detach().cpu().numpy()}
        for name, value in self._inner.state.get(self.flat, {}).items():
            if isinstance(value, Tensor):
                arrays[f"state-{name}"] = value.detach().cpu().numpy()
        return arrays

    @torch.no_grad()
    def restore(self, arrays: Arrays) -> None:
        """Put back what ``state`` returned."""
        self.flat.data.copy_(torch.from_numpy(arrays["parameters"]))
        state = {
            name.removeprefix("state-"): torch.from_numpy(np.array(value)).to(self.flat.device)
            for name, value in arrays.items()
            if name.startswith("state-")
        }
        if state:
            self._inner.state[self.flat] = state


def _inner(
    flat: nn.Parameter, rule: Rule, learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    fused = flat.device.type in {"cpu", "cuda", "mps"}
    if rule == "adam":
        return torch.optim.Adam([flat], lr=learning_rate, weight_decay=weight_decay, fused=fused)
    return torch.optim.SGD([flat], lr=learning_rate, momentum=momentum, weight_decay=weight_decay, fused=fused)
