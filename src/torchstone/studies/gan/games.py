"""What the police and the counterfeiter want: the losses of both, in the discriminator's logits.

Goodfellow et al. (2014): the discriminator D = sigmoid(logit) maximises the value V = E log D(x) + E log(1 - D(G(z))).
``minimax``: the generator minimises V. ``nonsaturating``: it maximises E log D(G(z)) instead. ``wasserstein``
(Arjovsky et al. 2017): logits are scores; D raises those of real samples above those of fakes, G raises the fakes'.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


def discriminator_loss(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return what the discriminator minimises, [replicate], of logits [replicate, pack]."""
    if loss == "wasserstein":
        return fake.mean(dim=1) - real.mean(dim=1)
    return softplus(-real).mean(dim=1) + softplus(fake).mean(dim=1)


def generator_loss(loss: str, fake: Tensor) -> Tensor:
    """Return what the generator minimises, [replicate], of the logits of its fakes, [replicate, pack]."""
    if loss == "wasserstein":
        return -fake.mean(dim=1)
    return logsigmoid(-fake).mean(dim=1) if loss == "minimax" else softplus(-fake).mean(dim=1)


def discriminator_signal(loss: str, logits: Tensor) -> Tensor:
    """Return d loss / d logits, [replicate, pack], the first half of the packs being real and the others fake."""
    half = logits.shape[1] // 2
    signal = torch.ones_like(logits) if loss == "wasserstein" else torch.sigmoid(logits)
    if loss == "wasserstein":
        signal[:, :half] = -1.0
    else:
        signal[:, :half] -= 1.0
    return signal.div_(half)


def generator_signal(loss: str, fake: Tensor) -> Tensor:
    """Return d loss / d logits, [replicate, pack]."""
    if loss == "wasserstein":
        return torch.full_like(fake, -1.0 / fake.shape[1])
    share = torch.sigmoid(fake) if loss == "minimax" else torch.sigmoid(-fake)
    return share.mul_(-1.0 / fake.shape[1])


def penalty(kind: str, slopes: Tensor) -> Tensor:
    """Return the penalty of strength 1, [replicate], of input gradients [replicate, pack, feature].

    ``r1``: half the mean squared norm (Mescheder et al. 2018); ``slope``: the mean squared distance of the norm from 1
    (Gulrajani et al. 2017).
    """
    squares = slopes.square().sum(dim=2)
    return squares.mean(dim=1) / 2 if kind == "r1" else (squares.clamp_min(1e-24).sqrt() - 1).square().mean(dim=1)


def penalty_signal(kind: str, slopes: Tensor) -> Tensor:
    """Return d penalty / d input gradients, [replicate, pack, feature]."""
    count = slopes.shape[1]
    if kind == "r1":
        return slopes / count
    norm = slopes.square().sum(dim=2, keepdim=True).clamp_min(1e-24).sqrt()
    return slopes * ((1 - 1 / norm) * (2 / count))
