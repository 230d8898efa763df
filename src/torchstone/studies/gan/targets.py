"""What is imitated in the plane, and where every batch of a game comes from.

``ring``: 8 Gaussians on the unit circle, sigma 0.01; ``grid``: 25 Gaussians on {-4, -2, 0, 2, 4}^2, sigma 0.05 (Lin et
al. 2018, PacGAN, section 4.1). Real samples and noise of a step are a function of (seed, replicate, step) alone, so
that games whose arms are compared see the same ones: the second member of a pack and the further turns of a
discriminator have streams of their own beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.rng import Name
from torchstone.core.schema import Game, Images, Plane
from torchstone.core.streams import stream
from torchstone.nets.population import padded

BLOCK = 50  # steps that are drawn at once
Names = Sequence[tuple[Name, ...]]


def centres(dataset: str) -> npt.NDArray[np.float64]:
    """Return the modes, [mode, 2]; the ring leaves out the angle 2 pi, which is 0 again."""
    if dataset == "ring":
        angle = 2 * np.pi * np.arange(8) / 8
        return np.column_stack([np.cos(angle), np.sin(angle)])
    places = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)


SIGMA = {"ring": 0.01, "grid": 0.05}


def draw_plane(dataset: str, count: int, generator: torch.Generator) -> Tensor:
    """Draw from the truth, [sample, 2]: a mode at random, and a Gaussian around it."""
    modes = torch.from_numpy(centres(dataset)).float()
    which = torch.randint(len(modes), (count,), generator=generator)
    return modes[which] + SIGMA[dataset] * torch.randn(count, 2, generator=generator)


@dataclass(frozen=True)
class Deal:
    """What the players get for a step, all padded.

    ``real`` and ``noise`` [turn, replicate, sample, feature] are for each turn of the discriminator, ``last``
    [replicate, sample, noise] for the generator, ``mix`` [turn, replicate, pack, 1] are shares between 0 and 1.
    A pack's members lie a batch apart: sample s of B goes with s + B.
    """

    real: Tensor
    noise: Tensor
    last: Tensor
    mix: Tensor


class Source(Protocol):
    """Where real samples come from: step -> [turn, replicate, sample, padded feature]."""

    def __call__(self, step: int) -> Tensor:
        """Return the real samples of a step."""
        ...


class _Blocks:
    """Numbers drawn for some steps at once, kept until a step of another block is asked for."""

    def __init__(self, draw: Callable[[int], Tensor]) -> None:
        self._draw, self._block, self._kept = draw, -1, torch.empty(0)

    def at(self, step: int) -> Tensor:
        block, place = divmod(step, BLOCK)
        if block != self._block:
            self._kept, self._block = self._draw(block), block
        return self._kept[place]


def _filled(shape: Sequence[int], width: int, draws: dict[tuple[int, int, int], Tensor], size: int) -> Tensor:
    """Put draws [step * sample, feature] of (turn, replicate, member) into [step, turn, replicate, sample, padded]."""
    found = torch.zeros(*shape, padded(width))
    for (turn, place, member), values in draws.items():
        part = slice(member * size, (member + 1) * size)
        found[:, turn, place, part, :width] = values.view(BLOCK, size, width)
    return found


class PlaneSource:
    """Fresh draws from the truth for every step."""

    def __init__(self, dataset: str, plane: Plane, game: Game, seed: int, names: Names, device: str) -> None:
        turns, members, size = game.critic_steps, game.pack, plane.batch

        def draw(block: int) -> Tensor:
            draws = {
                (turn, place, member): draw_plane(
                    dataset, BLOCK * size, stream(seed, "real", *name, block, turn, member)
                )
                for place, name in enumerate(names)
                for turn in range(turns)
                for member in range(members)
            }
            return _filled((BLOCK, turns, len(names), members * size), 2, draws, size).to(device)

        self._blocks = _Blocks(draw)

    def __call__(self, step: int) -> Tensor:
        """Return the real samples of a step."""
        return self._blocks.at(step)


class Deals:
    """What every step of a game deals to its players."""

    def __init__(self, source: Source, task: Plane | Images, game: Game, seed: int, names: Names, device: str) -> None:
        turns, members, size, width = game.critic_steps, game.pack, task.batch, task.noise
        self._source, self._turns = source, turns

        def noise(block: int) -> Tensor:
            draws = {
                (turn, place, member): torch.randn(
                    BLOCK * size, width, generator=stream(seed, "noise", *name, block, turn, member)
                )
                for place, name in enumerate(names)
                for turn in range(-1, turns)  # -1, the last of the axis, is the generator's own
                for member in range(members)
            }
            return _filled((BLOCK, turns + 1, len(names), members * size), width, draws, size).to(device)

        def mix(block: int) -> Tensor:
            draws = [
                torch.rand(BLOCK, turns, 1, size, 1, generator=stream(seed, "mix", *name, block)) for name in names
            ]
            return torch.cat(draws, dim=2).to(device)

        self._noise = _Blocks(noise)
        self._mix = _Blocks(mix) if game.penalty == "slope" else None

    def __call__(self, step: int) -> Deal:
        """Return the deal of a step, counted from 0."""
        noise = self._noise.at(step)
        mix = noise[:0] if self._mix is None else self._mix.at(step)
        return Deal(self._source(step), noise[: self._turns], noise[self._turns], mix)
