"""A generator and a discriminator, all replicates at once, and one turn of each in a game.

``MLPPair`` has its gradients written out; ``Pair`` takes any two populations and goes through autograd. Both do the
same (a law test holds them to each other), and neither lets a gradient of one player reach the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchstone.core.schema import Game
from torchstone.nets.passes import GeneratorPopulation, add_slope_gradient, forward, sensitivities, write_backward
from torchstone.nets.population import MLPPopulation, pad_features
from torchstone.studies.gan.games import (
    discriminator_loss,
    discriminator_signal,
    generator_loss,
    generator_signal,
    penalty,
    penalty_signal,
)
from torchstone.studies.gan.targets import Deal


class Pair:
    """Two populations that play a game; samples are [replicate, sample, padded feature].

    ``bounded`` samples are pixels: the generator's outputs go through a sigmoid.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, features: int, game: Game, bounded: bool
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.features, self.game, self.bounded = features, game, bounded

    def make(self, noise: Tensor) -> Tensor:
        """Return fakes."""
        made = self.generator(noise)
        return pad_features(torch.sigmoid(made[..., : self.features])) if self.bounded else made

    def packed(self, x: Tensor) -> Tensor:
        """Put the members of each pack side by side, [replicate, pack, padded features of all members]."""
        if self.game.pack == 1:
            return x
        replicates, samples = x.shape[:2]
        members = x[..., : self.features].reshape(replicates, self.game.pack, samples // self.game.pack, self.features)
        return pad_features(members.transpose(1, 2).flatten(2))

    def unpacked(self, x: Tensor) -> Tensor:
        """Undo ``packed``."""
        if self.game.pack == 1:
            return x
        members = x[..., : self.game.pack * self.features].reshape(*x.shape[:2], self.game.pack, self.features)
        return pad_features(members.transpose(1, 2).flatten(1, 2))

    def logits(self, x: Tensor) -> Tensor:
        """Return the discriminator's logits, [replicate, pack]."""
        found: Tensor = self.discriminator(self.packed(x))[..., 0]
        return found

    def _between(self, deal: Deal, turn: int, fake: Tensor) -> Tensor:
        """Return where the penalty looks at the discriminator's gradient, packed."""
        real = self.packed(deal.real[turn])
        return real if self.game.penalty == "r1" else real + deal.mix[turn] * (self.packed(fake) - real)

    def discriminator_loss(self, deal: Deal, turn: int) -> Tensor:
        """Return what the discriminator minimises, [replicate]; the fakes are constants to it."""
        with torch.no_grad():
            fake = self.make(deal.noise[turn])
        loss = discriminator_loss(self.game.loss, self.logits(deal.real[turn]), self.logits(fake))
        if self.game.penalty == "none":
            return loss
        points = self._between(deal, turn, fake).detach().requires_grad_()
        outputs = self.discriminator(points)[..., 0].sum()
        (slopes,) = torch.autograd.grad(outputs, points, create_graph=True)
        return loss + self.game.strength * penalty(self.game.penalty, slopes)

    def generator_loss(self, deal: Deal) -> Tensor:
        """Return what the generator minimises, [replicate]."""
        return generator_loss(self.game.loss, self.logits(self.make(deal.last)))

    def generator_gradient(self, noise: Tensor, loss: str) -> None:
        """Write the gradient of one of the generator's losses."""
        leaves = list(self.generator.parameters())
        with torch.enable_grad():
            found = torch.autograd.grad(generator_loss(loss, self.logits(self.make(noise))).sum(), leaves)
        for leaf, gradient in zip(leaves, found, strict=True):
            assert leaf.grad is not None
            leaf.grad.copy_(gradient)


class MLPPair(Pair):
    """A pair of MLP populations, whose gradients are written out."""

    generator: MLPPopulation
    discriminator: MLPPopulation

    def _sensitivity(self, outputs: Tensor, signal: Tensor) -> Tensor:
        sensitivity = torch.zeros_like(outputs)
        sensitivity[..., 0] = signal
        return sensitivity

    @torch.no_grad()
    def write_discriminator(self, deal: Deal, turn: int) -> None:
        """Write the gradient of ``discriminator_loss``."""
        fake, net = self.make(deal.noise[turn]), self.discriminator
        signals = forward(net, torch.cat([self.packed(deal.real[turn]), self.packed(fake)], dim=1))
        signal = discriminator_signal(self.game.loss, signals[-1][..., 0])
        write_backward(net, signals, self._sensitivity(signals[-1], signal))
        if self.game.penalty == "none":
            return
        if self.game.penalty == "r1":  # at the real samples, which have just gone through
            half = signals[0].shape[1] // 2
            signals = [part[:, :half] for part in signals]
        else:
            signals = forward(net, self._between(deal, turn, fake))
        found = sensitivities(net, signals, self._sensitivity(signals[-1], torch.ones_like(signals[-1][..., 0])))
        add_slope_gradient(net, signals, found, penalty_signal(self.game.penalty, found[0]).mul_(self.game.strength))

    @torch.no_grad()
    def generator_gradient(self, noise: Tensor, loss: str) -> None:
        """Write the gradient of one of the generator's losses, passed back through the discriminator."""
        made = forward(self.generator, noise)
        fake = pad_features(torch.sigmoid(made[-1][..., : self.features])) if self.bounded else made[-1]
        judged = forward(self.discriminator, self.packed(fake))
        signal = generator_signal(loss, judged[-1][..., 0])
        at_fakes = sensitivities(self.discriminator, judged, self._sensitivity(judged[-1], signal))[0]
        at_fakes = self.unpacked(at_fakes)
        if self.bounded:
            at_fakes = at_fakes * (fake * (1 - fake))
        write_backward(self.generator, made, at_fakes)


def mlp_pair(
    replicates: int, features: int, noise: int, hidden: Sequence[int], game: Game, *, bounded: bool
) -> MLPPair:
    """Return a pair of MLPs with the same hidden widths, the generator's in reverse order, all zero."""
    generator = GeneratorPopulation(replicates, (noise, *reversed(hidden), features))
    discriminator = MLPPopulation(replicates, (game.pack * features, *hidden, 1))
    return MLPPair(generator, discriminator, features, game, bounded)
