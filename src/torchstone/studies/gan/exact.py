"""What is known without luck: the best discriminator of two known densities, and what the game is worth.

Goodfellow et al. (2014): for a fixed generator the best discriminator is D*(x) = p(x) / (p(x) + q(x)) (Proposition 1);
against it the value is V = 2 JSD(p, q) - log 4, and so -log 4 where q = p (Theorem 1). Here p and q are mixtures of
Gaussians on the line, where D* is a formula and V a quadrature, and networks are trained to find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import integrate, stats
from scipy.special import rel_entr
from torch import Tensor

from torchstone.core.processes import in_order
from torchstone.core.schema import Exact
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.learn.adam import Adam
from torchstone.learn.fit import Player, fit
from torchstone.nets.passes import forward, write_backward
from torchstone.nets.population import MLPPopulation, pad_features
from torchstone.studies.gan.games import discriminator_loss, discriminator_signal
from torchstone.studies.gan.scores import as_trials, police

Values = npt.NDArray[Any]
HIDDEN, BATCH, RATE, BETAS = (64, 64), 256, 0.001, (0.9, 0.999)
FRESH = 20_000  # samples of each density on which a trained discriminator is measured
PLACES = np.linspace(-4.0, 4.0, 41)


@dataclass(frozen=True)
class Density:
    """A mixture of Gaussians on the line, each (weight, mean, sd)."""

    parts: tuple[tuple[float, float, float], ...]

    def at(self, x: Values) -> Values:
        """Return the density."""
        each = [weight * stats.norm.pdf(x, mean, sd) for weight, mean, sd in self.parts]
        found: Values = np.sum(each, axis=0)
        return found

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw samples, [sample]."""
        weights = torch.tensor([weight for weight, _, _ in self.parts])
        means, sds = (torch.tensor([part[place] for part in self.parts]) for place in (1, 2))
        which = torch.multinomial(weights, count, replacement=True, generator=generator)
        return means[which] + sds[which] * torch.randn(count, generator=generator)


DATA = Density(((0.5, -1.5, 0.5), (0.5, 1.5, 0.5)))
FAKES = Density(((1.0, 0.0, 1.5),))
OTHERS = (  # further fakes for the identity of the value
    DATA, Density(((1.0, 1.0, 1.0),)), Density(((0.3, -1.0, 0.4), (0.7, 2.0, 1.0))), Density(((1.0, 0.0, 3.0),)),
)  # fmt: skip


def best(p: Density, q: Density, x: Values) -> Values:
    """Return D*."""
    found: Values = p.at(x) / (p.at(x) + q.at(x))
    return found


def _integral(function: Any) -> float:  # noqa: ANN401  a function of one number
    edges = np.linspace(-30.0, 30.0, 121)  # ten standard deviations of the widest
    return float(sum(integrate.fixed_quad(function, a, b, n=20)[0] for a, b in pairwise(edges)))


def value_at_best(p: Density, q: Density) -> float:
    """Return V(D*) = E_p log D* + E_q log(1 - D*), by quadrature."""
    return _integral(lambda x: rel_entr(p.at(x), p.at(x) + q.at(x)) + rel_entr(q.at(x), p.at(x) + q.at(x)))


def jensen_shannon(p: Density, q: Density) -> float:
    """Return the Jensen-Shannon divergence in nats, by quadrature."""

    def middle(x: Values) -> Values:
        found: Values = (p.at(x) + q.at(x)) / 2
        return found

    return _integral(lambda x: (rel_entr(p.at(x), middle(x)) + rel_entr(q.at(x), middle(x))) / 2)


def trained_police(p: Density, q: Density, settings: Exact, seed: int, replicates: Sequence[int]) -> MLPPopulation:
    """Train a discriminator of p against the fixed fakes q for each replicate, on fresh samples at every step."""
    nets = MLPPopulation(len(replicates), (1, *HIDDEN, 1))
    nets.initialise([stream(seed, "line", "init", r) for r in replicates], "kaiming_normal")

    def batch(step: int) -> Tensor:
        rows = []
        for r in replicates:
            generator = stream(seed, "line", "batch", r, step)
            rows.append(torch.cat([p.draw(BATCH, generator), q.draw(BATCH, generator)]))
        return pad_features(torch.stack(rows).unsqueeze(-1))

    def loss(x: Tensor) -> Tensor:
        logits = nets(x)[..., 0]
        return discriminator_loss("minimax", logits[:, :BATCH], logits[:, BATCH:])

    def write(x: Tensor) -> None:
        signals = forward(nets, x)
        sensitivity = torch.zeros_like(signals[-1])
        sensitivity[..., 0] = discriminator_signal("minimax", signals[-1][..., 0])
        write_backward(nets, signals, sensitivity)

    fit([Player(Adam(nets, RATE, BETAS), loss, torch.no_grad()(write))], batch, settings.updates)
    return nets


def _logits(nets: MLPPopulation, x: Tensor) -> Values:
    """Return the logits of every replicate on its own x [replicate, sample]."""
    found: Values = nets.predict(pad_features(x.unsqueeze(-1)))[..., 0].double().numpy()
    return found


def _fresh(density: Density, name: str, seed: int, count: int) -> Tensor:
    return torch.stack([density.draw(FRESH, stream(seed, "line", name, r)) for r in range(count)])


def line_trials(settings: Exact, seed: int, replicates: int) -> list[Trial]:
    """Return how near trained discriminators come to what is known, and the formula's own residuals."""
    trials = []
    for place, q in enumerate((FAKES, *OTHERS)):
        residual = value_at_best(DATA, q) - (2 * jensen_shannon(DATA, q) - np.log(4))
        trials += as_trials("formula", None, place, {"value_residual": residual})
    arms = {"trained police": FAKES, "police against perfection": DATA}
    jobs = [(DATA, q, settings, seed, range(replicates)) for q in arms.values()]
    trained = in_order(trained_police, jobs, label="known densities")
    for (arm, q), nets in zip(arms.items(), trained, strict=True):
        real, fake = _fresh(DATA, "fresh real", seed, replicates), _fresh(q, "fresh fake", seed, replicates)
        logits = _logits(nets, real), _logits(nets, fake)
        on_line = 1 / (1 + np.exp(-_logits(nets, torch.from_numpy(PLACES).float().expand(replicates, -1))))
        for r in range(replicates):
            found = police(logits[0][r], logits[1][r])
            found["value_excess"] = found["value"] + np.log(4)
            both = np.concatenate([real[r].numpy(), fake[r].numpy()]).astype(np.float64)
            judged = 1 / (1 + np.exp(-np.concatenate([logits[0][r], logits[1][r]])))
            found["distance_from_best"] = float(np.abs(judged - best(DATA, q, both)).mean())
            trials += as_trials(arm, None, r, found)
            trials += [
                Trial(arm, float(x), r, "probability", float(d)) for x, d in zip(PLACES, on_line[r], strict=True)
            ]
    for arm, metric, values in (
        ("best police", "probability", best(DATA, FAKES, PLACES)),
        ("data", "density", DATA.at(PLACES)),
        ("fakes", "density", FAKES.at(PLACES)),
    ):
        trials += [Trial(arm, float(x), 0, metric, float(value)) for x, value in zip(PLACES, values, strict=True)]
    return trials
