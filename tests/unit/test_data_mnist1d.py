"""Laws of MNIST-1D: our arrays render what the authors' package renders from the same draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mnist1d.data import get_dataset_args, get_templates
from mnist1d.transform import transform

from torchstone.core import rng
from torchstone.core.schema import Generated
from torchstone.data.mnist1d import Draws, draw, mnist1d, padded_templates, render


def every_template_and_padding() -> Draws:
    """All 10 x 25 pairs of template and padding twice, with every shift, at random factors and noise."""
    draws = draw(rng.numpy_stream(3, "test", "parity"), 500)
    pairs = np.tile(np.arange(250), 2)
    return Draws(
        label=pairs % 10,
        padding=36 + pairs // 10,
        stretch=draws.stretch,
        shift=np.arange(500) * 7 % 48,
        correlated=draws.correlated,
        independent=draws.independent,
        slope=draws.slope,
    )


def answers(values: list[Any]) -> Callable[..., Any]:
    """Stand in for a function of np.random that gives recorded values, one a call."""
    queue = iter(values)
    return lambda *_: next(queue)


def package_signal(draws: Draws, sample: int, patch: pytest.MonkeyPatch) -> np.ndarray:
    args, templates = get_dataset_args(), get_templates()
    uniforms = [
        (draws.padding[sample] - 36 + 0.5) / 25,
        (draws.stretch[sample] - 1) / args.scale_coeff + 0.5,
        draws.slope[sample] / args.shear_scale + 0.5,
    ]
    patch.setattr(np.random, "rand", answers(uniforms))
    patch.setattr(np.random, "choice", answers([draws.shift[sample]]))
    patch.setattr(np.random, "randn", answers([draws.correlated[sample], draws.independent[sample]]))
    signal: np.ndarray = transform(templates["x"][draws.label[sample]], templates["t"], args)[0]
    return signal


def test_rendering_equals_the_package_for_every_template_and_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = every_template_and_padding()
    ours = render(draws)
    theirs = np.stack([package_signal(draws, sample, monkeypatch) for sample in range(len(draws.label))])
    assert ours.shape == (500, 40)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_only_padding_is_exactly_zero_before_noise() -> None:
    clean = padded_templates()
    assert clean.shape == (25, 10, 72)
    assert np.count_nonzero(clean[-1], axis=1).tolist() == [12] * 10
    assert (np.count_nonzero(clean[0], axis=1) > 12).all()


def test_rendering_consumes_nothing_and_repeats() -> None:
    draws = draw(rng.numpy_stream(4, "test"), 20)
    np.testing.assert_array_equal(render(draws), render(draws))


def test_a_signal_does_not_depend_on_its_neighbours() -> None:
    draws = every_template_and_padding()
    tail = Draws(**{name: values[-7:] for name, values in vars(draws).items()})
    np.testing.assert_array_equal(render(draws)[-7:], render(tail))


def test_draws_follow_the_package_distributions() -> None:
    rows = 50_000
    draws = draw(rng.numpy_stream(5, "test"), rows)
    for values, low, count in ((draws.label, 0, 10), (draws.padding, 36, 25), (draws.shift, 0, 48)):
        shares = np.bincount(values - low, minlength=count) / rows
        assert len(shares) == count
        np.testing.assert_allclose(shares, 1 / count, atol=5 * np.sqrt(1 / count / rows))
    for factors, middle, width in ((draws.stretch, 1, 0.4), (draws.slope, 0, 0.75)):
        np.testing.assert_allclose(
            np.quantile(factors, [0, 0.25, 0.5, 0.75, 1]),
            middle + width * np.array([-0.5, -0.25, 0, 0.25, 0.5]),
            atol=0.01,
        )
    for noise in (draws.correlated, draws.independent):
        assert noise.shape == (rows, 72)
        assert abs(noise.mean()) < 0.003
        assert abs(noise.std() - 1) < 0.003


def test_one_mean_and_sd_of_train_scales_all_values() -> None:
    row = Generated(replicates=2, train=50, valid=10, test=30)
    prepared = mnist1d(row, seed=6)
    for replicate in range(2):
        raw = {
            part: render(draw(rng.numpy_stream(6, "mnist1d", part, replicate), rows))
            for part, rows in (("train", 50), ("test", 30))
        }
        mean, sd = raw["train"].mean(), raw["train"].std()
        np.testing.assert_allclose(prepared.train.x[replicate], (raw["train"] - mean) / sd, atol=1e-6)
        np.testing.assert_allclose(prepared.test.x[replicate], (raw["test"] - mean) / sd, atol=1e-6)
