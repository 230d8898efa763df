"""torch.optim on a whole population: one flat tensor, one fused call a step.

The parameters of a population become views of one flat buffer, their gradients of another, so the optimiser sees a
single tensor. Masks and learning rates may differ by replicate. The rules are torch's functional ones: its optimiser
classes load half of torch's compiler at their first step, over a second for every stage that trains.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

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
        self._rule, self._rate, self._decay, self._momentum = rule, common, weight_decay, momentum
        self._fused = device.type in {"cpu", "cuda", "mps"}
        self._state: dict[str, Tensor] = {}
        if rule == "adam":
            self._state = {name: torch.zeros(total, device=device) for name in ("exp_avg", "exp_avg_sq")}
            self._state["step"] = torch.zeros((), device=device)

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
            self._apply()
            return
        before = self.flat.detach().clone()
        self._apply()
        self.flat.data.sub_(before).mul_(self._scale).add_(before)

    def _apply(self) -> None:
        """Take torch's step at the common rate, with its defaults for all that is not ours to set."""
        if self._rule == "adam":
            first, second, step = (self._state[name] for name in ("exp_avg", "exp_avg_sq", "step"))
            adam(
                [self.flat], [self.gradient], [first], [second], [], [step], foreach=False, fused=self._fused,
                amsgrad=False, beta1=0.9, beta2=0.999, lr=self._rate, weight_decay=self._decay, eps=1e-8,
                maximize=False,
            )  # fmt: skip
            return
        buffers = [self._state.get("momentum_buffer")]
        sgd(
            [self.flat], [self.gradient], buffers, foreach=False, fused=self._fused, has_sparse_grad=False,
            weight_decay=self._decay, momentum=self._momentum, lr=self._rate, dampening=0.0, nesterov=False,
            maximize=False,
        )  # fmt: skip
        if buffers[0] is not None:
            self._state["momentum_buffer"] = buffers[0]

    def state(self) -> Arrays:
        """Return parameters and optimiser state as arrays, for a checkpoint."""
        arrays: Arrays = {"parameters": self.flat.detach().cpu().numpy()}
        return arrays | {f"state-{name}": value.cpu().numpy() for name, value in self._state.items()}

    @torch.no_grad()
    def restore(self, arrays: Arrays) -> None:
        """Put back what ``state`` returned."""
        self.flat.data.copy_(torch.from_numpy(arrays["parameters"]))
        self._state = {
            name.removeprefix("state-"): torch.from_numpy(np.array(value)).to(self.flat.device)
            for name, value in arrays.items()
            if name.startswith("state-")
        }
