"""MNIST-1D: ten 12-point templates, padded, stretched, shifted, noised and sheared into signals of 40 points.

Source: Greydanus & Kobak, Scaling down deep learning with MNIST-1D, ICML 2024, arXiv 2011.14439. Templates and
constants come from the authors' package. Its generator loops over samples and reseeds numpy's global generator, so
the maths is written anew here for whole arrays: what is random (`Draws`) apart from what is not (`render`). A law
test feeds the same draws to the package's own transform and finds the same signals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from torchstone.core import rng
from torchstone.core.schema import Generated
from torchstone.data.generated import drawn
from torchstone.data.prepared import Indices, Prepared, Rows, assembled

Doubles = npt.NDArray[np.float64]

CLASSES = 10
LIFT = 1e-8  # lifts the template off zero: only the padding is exactly 0, and is later filled with noise
SMOOTHING = 2  # sd, in points, of the Gaussian filter that correlates the padding's noise


@dataclass(frozen=True, eq=False)
class Draws:
    """All that is random in some signals: factors and counts `[sample]`, standard normal noise `[sample, point]`."""

    label: Indices
    padding: Indices  # zeros appended to the template
    stretch: Doubles  # factor of the amplitude
    shift: Indices  # points that the signal is rotated to the right
    correlated: Doubles
    independent: Doubles
    slope: Doubles  # fall of the shear over the whole signal


def published() -> tuple[Doubles, Any]:
    """Return the package's templates `[class, point]` and its default arguments."""
    from mnist1d.data import (
        get_dataset_args,
        get_templates,
    )  # here: it imports pyplot, two seconds for nothing

    return get_templates()["x"], get_dataset_args()


def draw(generator: np.random.Generator, rows: int) -> Draws:
    """Draw independent signals, with independent and uniform labels.

    The package makes as many of each class and shuffles them over train and test, which ties the two together.
    """
    _, constants = published()
    low, high = constants.padding
    noise = (rows, constants.template_len + high)
    return Draws(
        label=generator.integers(CLASSES, size=rows),
        padding=generator.integers(low, high + 1, size=rows),
        stretch=1 + constants.scale_coeff * (generator.random(rows) - 0.5),
        shift=generator.integers(constants.max_translation, size=rows),
        correlated=generator.standard_normal(noise),
        independent=generator.standard_normal(noise),
        slope=constants.shear_scale * (generator.random(rows) - 0.5),
    )


def resampled(x: Doubles, points: int) -> Doubles:
    """Interpolate signals `[sample, point]` linearly to another number of points between the same ends."""
    old, new = np.linspace(0, 1, x.shape[1]), np.linspace(0, 1, points)
    left = np.minimum(np.searchsorted(old, new, side="right") - 1, len(old) - 2)
    weight = (new - old[left]) / (old[left + 1] - old[left])
    between: Doubles = x[:, left] + (x[:, left + 1] - x[:, left]) * weight
    return between


def padded_templates() -> Doubles:
    """Return every template with every padding, brought to one length: `[padding, class, point]`."""
    templates, constants = published()
    low, high = constants.padding
    length = constants.template_len + high
    lifted = templates + LIFT
    return np.stack([resampled(np.pad(lifted, ((0, 0), (0, zeros))), length) for zeros in range(low, high + 1)])


def render(draws: Draws) -> Doubles:
    """Turn draws into signals `[sample, 40]`, not yet standardised; a pure function."""
    _, constants = published()
    clean = padded_templates()[draws.padding - constants.padding[0], draws.label]
    length = clean.shape[1]
    clean *= draws.stretch[:, None]
    clean = np.take_along_axis(clean, (np.arange(length) - draws.shift[:, None]) % length, axis=1)
    filler = gaussian_filter1d(constants.corr_noise_scale * draws.correlated, SMOOTHING, axis=1)
    signal = np.where(clean != 0, clean, filler)
    signal += constants.iid_noise_scale * draws.independent
    signal -= draws.slope[:, None] * np.linspace(-0.5, 0.5, length)
    return resampled(signal, constants.final_seq_length)


def mnist1d(row: Generated, seed: int) -> Prepared:
    """Draw fresh, independent train, valid and test sets for each replicate: x `[replicate, sample, 40]`, 10 classes.

    Each replicate is scaled by the one mean and sd of all its train values, as the package does with all its rows.
    """

    def rows_of(rows: int, part: str, replicate: int) -> Rows:
        draws = draw(rng.numpy_stream(seed, "mnist1d", part, replicate), rows)
        return render(draws), draws.label

    return assembled(drawn(row, rows_of), classes=CLASSES, pooled=True)
