"""Play one game with all its replicates at once, and keep what is needed to recompute every figure.

Kept at each budget: samples from the same noise each time (so that pictures show one fake over training), the
discriminator's logits on held-out real samples and on these fakes, and the norm of both of the generator's gradients
at the networks as they are. Metrics are functions of these arrays alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.rng import Name
from torchstone.core.schema import Game, Images, Plane
from torchstone.core.streams import stream
from torchstone.learn.adam import Adam
from torchstone.learn.batches import Batches
from torchstone.learn.fit import Checkpoint, Player, fit
from torchstone.nets.convolutional import DCGANDiscriminators, DCGANGenerators
from torchstone.nets.population import CHUNK, LARGE, chunks, pad_features
from torchstone.studies.gan.pair import MLPPair, Pair, mlp_pair
from torchstone.studies.gan.targets import Deals, PlaneSource, Source, draw_plane

Singles = npt.NDArray[np.float32]
MOST_JUDGED = 512  # held-out samples whose logits are kept
MEASURED = ("minimax", "nonsaturating")  # of the generator's gradients


@dataclass(frozen=True)
class Match:
    """One game on one data set at one rate, for some replicates.

    ``pixels`` (train, held out), each [replicate, sample, feature] between 0 and 1, are None in the plane, where both
    are drawn.
    """

    dataset: str
    game: Game
    task: Plane | Images
    rate: float
    replicates: Sequence[int]
    pixels: tuple[Singles, Singles] | None = None

    @property
    def features(self) -> int:
        """Numbers in a sample."""
        return 2 if self.pixels is None else self.pixels[0].shape[2]

    def names(self) -> list[tuple[Name, ...]]:
        """Return the names of the replicates' streams: the same in every game, so that games can be paired."""
        return [("gan", self.dataset, replicate) for replicate in self.replicates]


def pieces(task: Plane | Images) -> list[range]:
    """Return which replicates are trained together: small nets by the chunk, large ones one by one."""
    weights = sum(width * width for width in task.hidden)
    return list(chunks(task.replicates, most=CHUNK if weights < LARGE and task.net == "mlp" else 1))


def new_pair(match: Match, seed: int) -> Pair:
    """Return the networks of a match at their start, which all games of a replicate share where shapes allow it."""
    task, game, count = match.task, match.game, len(match.replicates)
    starts = {
        player: [stream(seed, "init", *name, player) for name in match.names()]
        for player in ("generator", "discriminator")
    }
    if task.net == "mlp":
        bounded = match.pixels is not None
        pair: Pair = mlp_pair(count, match.features, task.noise, task.hidden, game, bounded=bounded)
        assert isinstance(pair, MLPPair)
        pair.generator.initialise(starts["generator"], "kaiming_normal")
        pair.discriminator.initialise(starts["discriminator"], "kaiming_normal")
        return pair
    side = round(match.features**0.5)
    generator = DCGANGenerators(count, side, task.noise, task.hidden)
    discriminator = DCGANDiscriminators(count, side, game.pack, task.hidden)
    generator.initialise(starts["generator"])
    discriminator.initialise(starts["discriminator"])
    return Pair(generator, discriminator, match.features, game, True)


def _source(match: Match, seed: int, device: str) -> Source:
    if match.pixels is None:
        assert isinstance(match.task, Plane)
        return PlaneSource(match.dataset, match.task, match.game, seed, match.names(), device)
    x = torch.from_numpy(match.pixels[0]).to(device)
    count, rows = x.shape[:2]
    turns = match.game.critic_steps
    size = min(match.task.batch * match.game.pack, rows - rows % match.game.pack)
    everything = torch.arange(rows, device=device).expand(count, -1)
    labels = torch.zeros(count, rows, device=device)
    batches = Batches(x, labels, torch.arange(count, device=device), everything, size, seed, match.names(), even=True)
    return lambda step: torch.stack([batches(step * turns + turn).x for turn in range(turns)])


def _players(pair: Pair, match: Match) -> list[Player]:
    """Return the discriminator once for each of its turns, and the generator last."""
    police = Adam(pair.discriminator, match.rate, match.game.betas)
    forger = Adam(pair.generator, match.rate, match.game.betas)
    loss, players = match.game.loss, []
    for turn in range(match.game.critic_steps):
        write = partial(pair.write_discriminator, turn=turn) if isinstance(pair, MLPPair) else None
        players.append(Player(police, partial(pair.discriminator_loss, turn=turn), write))
    written = (lambda deal: pair.generator_gradient(deal.last, loss)) if isinstance(pair, MLPPair) else None
    return [*players, Player(forger, pair.generator_loss, written)]


class Watch:
    """What is kept of a pair at each budget; its noise and held-out samples are the same each time."""

    def __init__(self, pair: Pair, match: Match, seed: int, device: str) -> None:
        self._pair, self._match = pair, match
        names, task = match.names(), match.task

        def noise(what: str, count: int) -> Tensor:
            drawn = [torch.randn(count, task.noise, generator=stream(seed, what, *name)) for name in names]
            return pad_features(torch.stack(drawn)).to(device)

        self._noise = noise("kept noise", task.samples)
        self._probe = noise("probe noise", task.batch * match.game.pack)
        self._real = self._held_out(seed).to(device)

    def _held_out(self, seed: int) -> Tensor:
        match = self._match
        count = min(match.task.samples, MOST_JUDGED)
        if match.pixels is None:
            drawn = [draw_plane(match.dataset, count, stream(seed, "held out", *name)) for name in match.names()]
            return pad_features(torch.stack(drawn))
        return pad_features(torch.from_numpy(match.pixels[1][:, :count]))

    def __call__(self, step: int) -> Arrays:
        """Look at the pair as it is."""
        pair = self._pair
        fakes = pair.make(self._noise)[..., : pair.features]
        whole = self._real.shape[1] - self._real.shape[1] % pair.game.pack
        logits = {
            "real_logits": pair.logits(self._real[:, :whole]),
            "fake_logits": pair.logits(pad_features(fakes[:, : whole if whole <= fakes.shape[1] else None])),
        }
        kept = (fakes.clamp(0, 1) * 255).round().nan_to_num(0).to(torch.uint8) if pair.bounded else fakes
        norms = {}
        for loss in MEASURED:
            pair.generator_gradient(self._probe, loss)
            leaves = [leaf.grad for leaf in pair.generator.parameters() if leaf.grad is not None]
            norms[f"gradient_{loss}"] = sum(
                (leaf.flatten(1).square().sum(1) for leaf in leaves), torch.zeros(())
            ).sqrt()
        finite = torch.isfinite(fakes).flatten(1).all(1)
        found = {"samples": kept, "finite": finite, **logits, **norms}
        return {name: value.cpu().numpy() for name, value in found.items()}


def play(match: Match, seed: int, device: str, checkpoint: Checkpoint | None = None) -> Arrays:
    """Train the pairs; return what was kept, each [budget, replicate, ...]."""
    pair = new_pair(match, seed)
    pair.generator.to(device)
    pair.discriminator.to(device)
    players = _players(pair, match)
    deals = Deals(_source(match, seed, device), match.task, match.game, seed, match.names(), device)
    budgets = match.task.budgets
    watch = Watch(pair, match, seed, device)
    return fit(players, deals, budgets[-1], watch=watch, watch_at=budgets, checkpoint=checkpoint)
