"""When has training converged, and what were the parameters then?

Keskar et al. (2017) set no limit to training: it ran until the loss stopped falling. The rule here, for each replicate
on its own: the training loss, of the whole training set at the parameters as they are, is looked at every so often; a
replicate is *done* once the loss is at or below a target (so near to 0 that nothing is left to gain), *stuck* after a
number of looks without a new lowest loss, and *failed* when the loss is not finite. One that is none of these at the
last step has hit the *cap*, which is reported with the rest. Its parameters are kept as they are at that moment; the
population goes on until no replicate is left. So networks are compared at about equal training loss.

Early stopping is kept beside it: the parameters at which the validation loss was lowest, and those at which the
validation accuracy was highest, until the replicate's end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchstone.core.files import Arrays

ENDS = ("cap", "reached", "stuck", "failed")


@dataclass(frozen=True)
class Look:
    """What is seen at a look, each [replicate]; the accuracy may be a share or a count."""

    train_loss: Tensor
    valid_loss: Tensor
    valid_accuracy: Tensor


class Kept:
    """Copies of a population's parameters, each replicate's from the moment it was last taken."""

    def __init__(self, population: nn.Module) -> None:
        self._leaves = list(population.parameters())
        self.tensors = [leaf.detach().clone() for leaf in self._leaves]

    def take(self, where: Tensor) -> None:
        """Copy the parameters of the replicates that ``where`` [replicate] marks, as they are now."""
        if where.any():
            for tensor, leaf in zip(self.tensors, self._leaves, strict=True):
                tensor[where] = leaf.detach()[where]

    @torch.no_grad()
    def put_into(self, population: nn.Module) -> None:
        """Give a population the kept parameters."""
        for leaf, tensor in zip(population.parameters(), self.tensors, strict=True):
            leaf.copy_(tensor)


class Convergence:
    """The rule above as the ``until`` of a fit; ``look`` measures the population as it is now.

    ``every`` steps are between looks; ``target`` None and ``patience`` None leave that part of the rule out, so that a
    run takes all its steps. Call ``finish`` when the fit has ended.
    """

    def __init__(
        self, population: nn.Module, look: Callable[[], Look], *, every: int, target: float | None, patience: int | None
    ) -> None:
        first = next(population.parameters())
        count, device = first.shape[0], first.device
        self._look, self._every, self._target, self._patience = look, every, target, patience
        self._lowest = torch.full((count,), torch.inf, device=device)
        self._stale = torch.zeros(count, dtype=torch.int64, device=device)
        self._valid_loss = torch.full((count,), torch.inf, device=device)
        self._valid_accuracy = torch.full((count,), -1.0, device=device)
        self.steps = torch.zeros(count, dtype=torch.int64, device=device)
        self.ends = torch.zeros(count, dtype=torch.int64, device=device)
        self.end, self.early, self.best = Kept(population), Kept(population), Kept(population)

    @property
    def _training(self) -> Tensor:
        return self.steps == 0

    def __call__(self, step: int) -> bool:
        """Look if it is time, and tell whether every replicate has come to its end."""
        if step % self._every == 0:
            self._judge(self._look(), step)
        return not bool(self._training.any())

    def _judge(self, seen: Look, step: int) -> None:
        training = self._training
        for kept, better in (
            (self.early, seen.valid_loss < self._valid_loss),
            (self.best, seen.valid_accuracy > self._valid_accuracy),
        ):
            kept.take(training & better)
        self._valid_loss = torch.where(training, torch.fmin(self._valid_loss, seen.valid_loss), self._valid_loss)
        higher = torch.fmax(self._valid_accuracy, seen.valid_accuracy)
        self._valid_accuracy = torch.where(training, higher, self._valid_accuracy)
        self._stale = torch.where(seen.train_loss < self._lowest, 0, self._stale + 1)
        self._lowest = torch.fmin(self._lowest, seen.train_loss)
        failed = ~torch.isfinite(seen.train_loss)
        reached = torch.zeros_like(failed) if self._target is None else seen.train_loss <= self._target
        stuck = torch.zeros_like(failed) if self._patience is None else self._stale >= self._patience
        for code, where in ((3, failed), (1, reached), (2, stuck)):
            self._close(self._training & where, code, step)

    def _close(self, where: Tensor, code: int, step: int) -> None:
        self.end.take(where)
        self.steps[where], self.ends[where] = step, code

    def finish(self, step: int) -> None:
        """End the replicates that are still training at the last step; ``ends`` says "cap" of them."""
        if self._training.any():
            if step % self._every:  # a last look, so that the early kept parameters are of no other run's length
                self._judge(self._look(), step)
            self._close(self._training, 0, step)

    def _memory(self) -> dict[str, Tensor]:
        named = {
            "lowest": self._lowest, "stale": self._stale, "valid_loss": self._valid_loss,
            "valid_accuracy": self._valid_accuracy, "steps": self.steps, "ends": self.ends,
        }  # fmt: skip
        for name, kept in (("end", self.end), ("early", self.early), ("best", self.best)):
            named |= {f"{name}{place}": tensor for place, tensor in enumerate(kept.tensors)}
        return named

    def state(self) -> Arrays:
        """Return all that was seen and kept, for a checkpoint."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self._memory().items()}

    @torch.no_grad()
    def restore(self, arrays: Arrays) -> None:
        """Put back what ``state`` returned."""
        for name, tensor in self._memory().items():
            tensor.copy_(torch.from_numpy(arrays[name]))
