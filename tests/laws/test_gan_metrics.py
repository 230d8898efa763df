"""Laws of the metrics of generators: closed forms, other people's code where it is installed, and known traps."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats
from sklearn.neighbors import KernelDensity, NearestNeighbors

from torchstone.core.params import load_params
from torchstone.core.rng import numpy_stream
from torchstone.core.streams import stream
from torchstone.studies.gan.distances import frechet, kid
from torchstone.studies.gan.manifold import manifold_scores, nearest
from torchstone.studies.gan.modes import PERFECT, coverage
from torchstone.studies.gan.parzen import WIDTHS, log_likelihood, parzen
from torchstone.studies.gan.scores import game_scores, plane_trials, police
from torchstone.studies.gan.targets import SIGMA, centres, draw_plane

Array = npt.NDArray[Any]
ROOT = Path(__file__).parents[2]
DATASETS = ["ring", "grid"]


def normal(name: str, rows: int = 400, features: int = 8) -> Array:
    return numpy_stream(0, name).normal(size=(rows, features))


# ---------------------------------------------------------------- the truth in the plane


def test_the_ring_has_eight_modes_and_not_the_seven_of_a_closed_linspace() -> None:
    modes = centres("ring")
    assert len(np.unique(modes.round(9), axis=0)) == 8
    trap = np.linspace(0, 2 * np.pi, 8)
    assert len(np.unique(np.column_stack([np.cos(trap), np.sin(trap)]).round(9), axis=0)) == 7
    np.testing.assert_allclose(np.hypot(*modes.T), 1)
    gaps = np.linalg.norm(modes - np.roll(modes, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps[0])


def test_the_grid_has_25_modes_two_apart() -> None:
    modes = centres("grid")
    assert sorted(map(tuple, modes)) == [(float(x), float(y)) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_perfect_sampler_covers_all_modes_equally_with_the_known_quality(dataset: str) -> None:
    samples = draw_plane(dataset, 40_000, stream(0, "truth")).numpy()
    found = coverage(samples, dataset)
    assert found["modes"] == len(centres(dataset))
    assert pytest.approx(0.9889, abs=5e-5) == PERFECT
    assert found["high_quality"] == pytest.approx(PERFECT, abs=4 * np.sqrt(PERFECT * (1 - PERFECT) / 40_000))
    assert found["reverse_kl"] == pytest.approx(0, abs=2e-3)
    shift = samples - centres(dataset)[np.argmin(((samples[:, None] - centres(dataset)) ** 2).sum(2), axis=1)]
    assert shift.std() == pytest.approx(SIGMA[dataset], rel=0.02)


def test_a_collapsed_generator_covers_one_mode_with_perfect_quality() -> None:
    found = coverage(np.repeat(centres("grid")[:1], 50, axis=0), "grid")
    assert found == {"modes": 1.0, "high_quality": 1.0, "reverse_kl": pytest.approx(np.log(25))}


def test_half_of_the_modes_cost_log_2() -> None:
    found = coverage(np.repeat(centres("ring")[::2], 10, axis=0), "ring")
    assert found["modes"] == 4.0
    assert found["reverse_kl"] == pytest.approx(np.log(2))


def test_points_between_modes_are_of_no_quality_and_the_border_is_three_sigma() -> None:
    at = centres("ring")[:1]
    assert coverage(at + np.array([0.0299, 0]), "ring")["modes"] == 1.0
    assert coverage(at + np.array([0.0301, 0]), "ring")["modes"] == 0.0
    assert coverage(np.zeros((5, 2)), "ring") == {"modes": 0.0, "high_quality": 0.0, "reverse_kl": np.log(8)}


def test_a_diverged_replicate_is_counted_and_measured_not_dropped() -> None:
    nothing = np.full((5, 2), np.nan)
    assert coverage(nothing, "grid") == {"modes": 0.0, "high_quality": 0.0, "reverse_kl": np.log(25)}
    half = np.concatenate([nothing, np.repeat(centres("grid")[:1], 5, axis=0)])
    assert coverage(half, "grid")["high_quality"] == 0.5
    game = load_params(ROOT / "params.yaml").gan.games["minimax"]
    kept = {
        "samples": np.stack([np.tile(nothing, (2, 1)), half])[None], "finite": np.array([[False, True]]),
        "real_logits": np.full((1, 2, 3), np.nan), "fake_logits": np.zeros((1, 2, 3)),
        "gradient_minimax": np.array([[np.nan, 1.0]]), "gradient_nonsaturating": np.ones((1, 2)),
    }  # fmt: skip
    trials = plane_trials(kept, "minimax", "grid", game, [10])
    values = {(trial.replicate, trial.metric): trial.value for trial in trials}
    assert values[0, "grid_diverged"] == 1.0
    assert values[1, "grid_diverged"] == 0.0
    assert values[0, "grid_modes"] == 0.0
    assert (0, "grid_value") not in values  # undefined: no row
    assert all(np.isfinite(trial.value) for trial in trials)
    assert game_scores(kept, game, 0, 1)["diverged"] == 0.0


# ---------------------------------------------------------------- Frechet distance and KID


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 60))
def test_the_frechet_distance_of_a_set_with_itself_is_nothing_whatever_the_order(
    seed: int, features: int, rows: int
) -> None:
    x = numpy_stream(seed, "x").normal(size=(rows, features)) * 10
    turned = x[numpy_stream(seed, "order").permutation(rows)]
    assert frechet(x, turned) == pytest.approx(0, abs=1e-5)  # also with fewer rows than features: no imaginary part
    other = numpy_stream(seed, "y").normal(size=(rows, features))
    assert frechet(x, other) == pytest.approx(frechet(other[::-1], turned), rel=1e-7, abs=1e-6)


def test_the_frechet_distance_of_gaussians_is_the_formula() -> None:
    one, two = normal("one", 60_000, 3) * [1, 2, 3], normal("two", 60_000, 3) * [2, 2, 1] + [1, 0, -2]
    assert frechet(one, two) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2, rel=0.02)


def test_the_frechet_distance_is_that_of_scipys_matrix_root() -> None:
    mixing = normal("mixing", 8)
    one, two = normal("one"), normal("two") @ mixing
    a, b = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    gap = one.mean(0) - two.mean(0)
    expected = gap @ gap + np.trace(a + b - 2 * np.real(linalg.sqrtm(a @ b)))
    assert frechet(one, two) == pytest.approx(expected, rel=1e-8)


def test_the_frechet_distance_rises_with_every_disturbance() -> None:
    clean = normal("clean", 500)
    levels = [0.0, 0.25, 0.5, 1.0, 2.0]
    noisy = [frechet(clean, normal("other", 500) + level * normal("noise", 500)) for level in levels]
    assert noisy == sorted(noisy)


def test_small_sets_bias_the_frechet_distance_upwards_and_leave_kid_alone() -> None:
    def over(measure: Callable[[Array, Array], float], rows: int) -> float:
        return float(np.mean([measure(normal(f"a{k}", rows), normal(f"b{k}", rows)) for k in range(40)]))

    assert over(frechet, 40) > 3 * over(frechet, 400)
    unbiased = [kid(normal(f"a{k}", 40), normal(f"b{k}", 40)) for k in range(200)]
    assert abs(np.mean(unbiased)) < 4 * np.std(unbiased) / np.sqrt(200)


def test_kid_is_its_double_sum() -> None:
    a, b = normal("a", 12, 3), normal("b", 9, 3) + 1

    def k(x: Array, y: Array) -> float:
        return float((x @ y / 3 + 1) ** 3)

    within = [np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    across = np.mean([k(x, y) for x in a for y in b])
    assert kid(a, b) == pytest.approx(within[0] + within[1] - 2 * across)


# ---------------------------------------------------------------- precision, recall, density, coverage


def test_precision_and_recall_are_not_swapped() -> None:
    real = normal("real", 300, 2)
    collapsed = real[:1] + 1e-3 * normal("small", 300, 2)
    found = manifold_scores(real, collapsed)
    assert found["precision"] > 0.95
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.1
    spread = manifold_scores(real, 6 * normal("wide", 300, 2))
    assert spread["precision"] < 0.6
    assert spread["recall"] > spread["precision"]


def test_fakes_as_good_as_real_samples_score_as_real_samples_do() -> None:
    found = manifold_scores(normal("real", 600, 2), normal("fake", 600, 2))
    assert found["precision"] == pytest.approx(1, abs=0.1)
    assert found["recall"] == pytest.approx(1, abs=0.1)
    assert found["density"] == pytest.approx(1, abs=0.1)  # E density = 1
    assert found["coverage"] == pytest.approx(1 - 0.5**5, abs=0.05)  # 1 - C(N-1, k) / C(N+M-1, k)-like, k = 5, N = M


def test_the_scores_are_those_of_scikit_learns_neighbours() -> None:
    real, fake = normal("real", 80, 4), normal("fake", 70, 4) + 0.5

    def inside(centre: Array, others: Array, k: int) -> Array:
        radii = NearestNeighbors(n_neighbors=k + 1).fit(centre).kneighbors(centre)[0][:, -1]
        found: Array = np.linalg.norm(centre[:, None] - others, axis=2) <= radii[:, None]
        return found

    found = manifold_scores(real, fake)
    assert found["precision"] == pytest.approx(inside(real, fake, 3).any(0).mean())
    assert found["recall"] == pytest.approx(inside(fake, real, 3).any(0).mean())
    assert found["density"] == pytest.approx(inside(real, fake, 5).sum(0).mean() / 5)
    assert found["coverage"] == pytest.approx(inside(real, fake, 5).any(1).mean())


def peer(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed; `pip install --target DIR {name}` and PYTHONPATH=DIR run this")


def test_the_scores_are_those_of_the_authors_of_density_and_coverage() -> None:
    prdc = peer("prdc")
    real, fake = normal("real", 90, 4), normal("fake", 90, 4) + 0.5
    five, three = (prdc.compute_prdc(real, fake, nearest_k=k) for k in (5, 3))
    found = manifold_scores(real, fake)
    for name, other in (("precision", three), ("recall", three), ("density", five), ("coverage", five)):
        assert found[name] == pytest.approx(float(other[name])), name


def test_frechet_and_kid_are_those_of_torch_fidelity() -> None:
    theirs, kernels = peer("torch_fidelity.metric_fid"), peer("torch_fidelity.metric_kid")
    real, fake = normal("real"), normal("fake") * 1.3 + 0.2
    statistics = [{"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)} for x in (real, fake)]
    expected = theirs.fid_statistics_to_metric(*statistics, verbose=False)
    assert frechet(real, fake) == pytest.approx(float(next(iter(expected.values()))), rel=1e-6)
    # all samples as one subset
    whole = {"kid_subsets": 1, "kid_subset_size": len(real), "verbose": False, "rng_seed": 0}
    found = kernels.kid_features_to_metric(torch.from_numpy(real), torch.from_numpy(fake), **whole)
    assert kid(real, fake) == pytest.approx(float(found["kernel_inception_distance_mean"]), rel=1e-6)


# ---------------------------------------------------------------- Parzen windows, neighbours, police


def test_the_parzen_likelihood_is_scikit_learns_kernel_density() -> None:
    kernels, rows = normal("kernels", 50, 3), normal("rows", 30, 3)
    expected = KernelDensity(bandwidth=0.4).fit(kernels).score_samples(rows)
    np.testing.assert_allclose(log_likelihood(rows, kernels, 0.4), expected, rtol=1e-9)


def test_one_kernel_is_a_gaussian() -> None:
    found = log_likelihood(np.array([[1.0, 2.0]]), np.zeros((1, 2)), 0.5)
    assert found[0] == pytest.approx(stats.norm.logpdf(1.0, scale=0.5) + stats.norm.logpdf(2.0, scale=0.5))


def test_validation_rows_choose_the_width_and_test_rows_do_not() -> None:
    kernels, valid = 0.1 * normal("kernels", 60, 2), 0.1 * normal("valid", 60, 2)
    _, width = parzen(kernels, valid, normal("test", 40, 2))
    assert width == parzen(kernels, valid, 100 * normal("other", 40, 2))[1]
    assert width == max(WIDTHS, key=lambda one: float(log_likelihood(valid, kernels, one).mean()))


def test_nearest_neighbours_are_scikit_learns_and_copies_lie_at_0() -> None:
    one, others = normal("one", 40, 5), normal("others", 70, 5)
    expected = NearestNeighbors(n_neighbors=1).fit(others).kneighbors(one)[0][:, 0]
    np.testing.assert_allclose(nearest(one, others), expected)
    np.testing.assert_allclose(nearest(others[:9], others), 0)


def test_accuracy_counts_both_kinds_alike_whatever_their_numbers() -> None:
    found = police(np.array([1.0, 1.0, 1.0, -1.0]), np.array([-1.0, 1.0]))
    assert found["accuracy"] == (0.75 + 0.5) / 2
    assert found["accuracy_excess"] == found["accuracy"] - 0.5
