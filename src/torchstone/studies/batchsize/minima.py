"""What do the minima look like that small and large batches find? Sharpness, curvature, and the line between two.

Keskar et al. (2017) measure sharpness by phi (``learn/sharpness.py``) and show the loss on the line from the small
batch's minimum to the large one's. The training loss here is that of the whole training set, normalised by its own
statistics. The plain runs that are compared ended at about the same training loss, since a smaller loss alone makes
phi smaller; runs with a scaled rate may end below it, and the correlation with the gap leaves such runs out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from torchstone.core.files import Arrays
from torchstone.core.rng import Name
from torchstone.core.schema import Minima
from torchstone.core.trials import Trial, as_arrays
from torchstone.learn.curvature import Hessian, largest_eigenvalues, traces
from torchstone.learn.landscape import interpolated_losses, loss_and_gradient, rescaled, true_parameters
from torchstone.learn.sharpness import published_sharpness, random_directions, sharpness
from torchstone.nets.normalised import NormalisedPopulation
from torchstone.nets.population import CHUNK, LARGE, MLPPopulation, chunks, pad_features
from torchstone.studies.batchsize.noise import gradient_noise
from torchstone.studies.batchsize.training import Labels, Rows

TOLERANCE, MOST_STEPS = 1e-4, 300  # of Lanczos' method
GAIN = 1e-4  # an iteration that raises phi by less ends its maximisation: within 0.2 % of what 1e-6 finds


@dataclass(frozen=True)
class Ground:
    """Where minima are measured: the networks' widths, and training and test rows, each [replicate, sample, ...]."""

    widths: tuple[int, ...]
    train: tuple[Rows, Labels]
    test: tuple[Rows, Labels]
    settings: Minima
    seed: int
    device: str

    def population(self, vectors: npt.NDArray[np.float32]) -> NormalisedPopulation:
        """Return the networks with these parameters, [replicate, parameter]."""
        networks = NormalisedPopulation(len(vectors), self.widths)
        networks.load_vectors(torch.from_numpy(vectors))
        return networks.to(self.device)

    def rows(self, part: str) -> tuple[Tensor, Tensor]:
        """Return x and y of "train" or "test" on the device."""
        x, y = getattr(self, part)
        return torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)

    def names(self) -> list[tuple[Name, ...]]:
        """Return the names of the replicates' streams: the same directions and probes at every batch size."""
        return [("batch size", replicate) for replicate in range(len(self.train[1]))]


@dataclass(frozen=True)
class Minimum:
    """The end of an arm's training at a batch size: vectors [replicate, parameter] and what is known of each."""

    arm: str
    batch: int
    vectors: npt.NDArray[np.float32]
    train_accuracy: npt.NDArray[np.float64]
    train_loss: npt.NDArray[np.float64]
    gap: npt.NDArray[np.float64]


def positive(arm: str, x: float | None, replicate: int, metric: str, value: float) -> list[Trial]:
    """Return a value and its log10; a value that is not above 0 has no logarithm and no such row."""
    found = [Trial(arm, x, replicate, metric, value)]
    return [*found, Trial(arm, x, replicate, f"log10_{metric}", float(np.log10(value)))] if value > 0 else found


def sharp(ground: Ground, minimum: Minimum, replicate: int, in_full: bool, converged: bool) -> Arrays:
    """Measure phi of one network; ``in_full`` adds other box sizes and the subspace, ``converged`` the maximum."""
    single = ground.population(minimum.vectors[replicate : replicate + 1])
    x, y = ground.rows("train")
    f, vector = loss_and_gradient(single, 0, x[replicate], y[replicate]), true_parameters(single, 0)
    settings, found = ground.settings, {}
    first = settings.eps[0]
    if not in_full:
        found[f"phi_full_{first:g}"] = published_sharpness(f, vector, first)
    else:
        directions = random_directions(
            len(vector), ground.seed, *ground.names()[replicate], dimensions=settings.dimensions
        )
        for space, matrix in (("full", None), ("subspace", directions)):
            if converged:
                highest = sharpness(f, vector, first, matrix, tolerance=GAIN)
                found[f"phi_{space}_converged"] = highest.converged
            for eps in settings.eps:
                found[f"phi_{space}_{eps:g}"] = published_sharpness(f, vector, eps, matrix)
    batch = float(minimum.batch)
    return as_arrays([
        trial for name, value in found.items() for trial in positive(minimum.arm, batch, replicate, name, value)
    ])  # fmt: skip


def curved(ground: Ground, minimum: Minimum, piece: range, reference: int) -> Arrays:
    """Measure the Hessian of some replicates, and the noise of the gradient in batches of the reference size."""
    part = slice(piece.start, piece.stop)
    population = ground.population(minimum.vectors[part])
    x, y = (rows[part] for rows in ground.rows("train"))
    hessian = Hessian(population, x, y)
    names, seed = ground.names()[part], ground.seed
    top = largest_eigenvalues(hessian, names, seed, tolerance=TOLERANCE, most=MOST_STEPS)
    trace = traces(hessian, names, seed, samples=ground.settings.probes)
    noise = gradient_noise(population, x, y, reference)
    arm, batch, trials = minimum.arm, float(minimum.batch), []
    for place, replicate in enumerate(piece):
        trials += positive(arm, batch, replicate, "eigenvalue", float(top.values[place]))
        trials.append(Trial(arm, batch, replicate, "eigenvalue_converged", float(top.converged[place])))
        trials += positive(arm, batch, replicate, "trace", float(trace.values[place]))
        trials.append(Trial(arm, batch, replicate, "trace_error", float(trace.errors[place])))
        trials.append(Trial(arm, batch, replicate, "gradient_variance", float(noise.variance[place])))
        trials.append(Trial(arm, batch, replicate, "gradient_signal", float(noise.signal[place])))
    return as_arrays(trials)


def between(ground: Ground, small: Minimum, large: Minimum) -> Arrays:
    """Measure loss and accuracy on the line: alpha 0 is the small batch's minimum, alpha 1 the large one's."""
    first, second = ground.population(small.vectors), ground.population(large.vectors)
    alphas = ground.settings.alphas
    x, y = ground.rows("train")
    test_x, test_y = ground.rows("test")
    padded_x, padded_test = pad_features(x), pad_features(test_x)

    def on_test(network: MLPPopulation) -> Tensor:
        assert isinstance(network, NormalisedPopulation)
        return network.predict_by(network.settle(padded_x)[1], padded_test)

    lines = {
        "train": interpolated_losses(first, second, alphas, x, y),
        "test": interpolated_losses(first, second, alphas, test_x, test_y, outputs=on_test),
    }
    trials = []
    for name, line in lines.items():
        assert line.accuracies is not None
        for metric, values in ((f"{name}_loss", line.losses), (f"{name}_accuracy", line.accuracies)):
            trials += [
                Trial("line", float(alphas[place]), replicate, metric, float(value))
                for (replicate, place), value in np.ndenumerate(values)
                if np.isfinite(value)
            ]
    return as_arrays(trials)


def dinh(ground: Ground, minimum: Minimum, replicate: int) -> Arrays:
    """Rescale one network (Dinh et al. 2017) and say how far outputs, phi and the largest eigenvalue change."""
    population = ground.population(minimum.vectors[replicate : replicate + 1]).double()
    x, y = ground.rows("train")
    own_x, own_y = x[replicate : replicate + 1], y[replicate : replicate + 1]
    inputs = pad_features(own_x).double()
    pair = (population, rescaled(population, ground.settings.rescale))
    before, after = (each.predict(inputs) for each in pair)
    phis = [
        sharpness(
            loss_and_gradient(each, 0, own_x[0], own_y[0]),
            true_parameters(each, 0),
            ground.settings.eps[0],
            tolerance=GAIN,
        ).converged
        for each in pair
    ]
    tops = [
        largest_eigenvalues(
            Hessian(each, own_x, own_y), [ground.names()[replicate]], ground.seed, tolerance=TOLERANCE, most=MOST_STEPS
        ).values[0]
        for each in pair
    ]
    change = float((after - before).abs().max() / before.abs().max())
    trials = [Trial("rescaled", None, replicate, "output_change", change)]
    for name, (old, new) in (("phi", phis), ("eigenvalue", tops)):
        if old > 0 and new > 0:
            trials.append(Trial("rescaled", None, replicate, f"log10_{name}_change", float(np.log10(new / old))))
    return as_arrays(trials)


def jobs(ground: Ground, minima: Sequence[Minimum], reference: int) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """Yield a name, the function to call and its arguments for all that is measured, the longest first.

    Of the plain arm everything is measured, the converged phi at the two sizes that are compared; of the other arms
    only what the correlation of sharpness and gap needs.
    """
    plain = [minimum for minimum in minima if minimum.arm == "plain"]
    small = next(minimum for minimum in plain if minimum.batch == reference)
    large = max(plain, key=lambda minimum: minimum.batch)
    count = len(large.vectors)
    pieces = list(chunks(count, most=CHUNK if large.vectors.shape[1] < LARGE else 1))
    for minimum in plain:
        for piece in pieces:
            name = f"curved-{minimum.batch:06d}-{piece.start:04d}"
            yield name, "curved", (ground, minimum, piece, reference)
    for replicate in range(count):
        yield f"dinh-{replicate:04d}", "dinh", (ground, large, replicate)
    yield "line", "between", (ground, small, large)
    for minimum in minima:
        for replicate in range(count):
            name = f"sharp-{minimum.arm}-{minimum.batch:06d}-{replicate:04d}"
            is_plain, is_compared = minimum.arm == "plain", minimum.batch in {small.batch, large.batch}
            yield name, "sharp", (ground, minimum, replicate, is_plain, is_compared)


FUNCTIONS = {"curved": curved, "dinh": dinh, "between": between, "sharp": sharp}


def measure(function: str, arguments: tuple[object, ...]) -> Arrays:
    """Run one job of ``jobs``."""
    return FUNCTIONS[function](*arguments)  # type: ignore[operator, no-any-return]
