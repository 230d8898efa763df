"""Laws of what is known without luck: Dirac-GAN eigenvalues and orbits, the best police, the value of the game."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from torchstone.core.params import load_params
from torchstone.core.schema import Exact
from torchstone.studies.gan import dirac
from torchstone.studies.gan.exact import DATA, FAKES, OTHERS, PLACES, best, jensen_shannon, value_at_best
from torchstone.studies.gan.truth import known

GAN = load_params(Path(__file__).parents[2] / "params.yaml").gan


def settings(step: float = 0.1, gamma: float = 1.0, orbit: int = 400) -> Exact:
    return Exact(updates=5, orbit=orbit, step=step, gamma=gamma)


@pytest.mark.parametrize("step", [0.01, 0.1, 0.5])
def test_the_eigenvalues_are_those_of_the_formula(step: float) -> None:
    assert dirac.modulus(dirac.unregularised, settings(step)) == pytest.approx(np.sqrt(1 + step**2 / 4), abs=1e-9)
    assert dirac.modulus(dirac.alternating, settings(step)) == pytest.approx(1, abs=1e-6)  # a double root nearly
    for gamma in (0.3, 2.0):
        roots = 1 - step * (gamma + np.array([1, -1]) * np.sqrt(complex(gamma**2 - 1))) / 2
        found = dirac.modulus(dirac.r1, settings(step, gamma))
        assert found == pytest.approx(np.abs(roots).max(), abs=1e-8)
        assert found < 1


def test_orbits_leave_go_round_come_in_and_keep_their_distance() -> None:
    for start in dirac.starts(3):
        ends = {name: np.hypot(*dirac.orbit(rule, start, settings()).T) for name, rule in dirac.RULES.items()}
        away = ends["dirac unregularised"]
        assert (np.diff(away) > 0).all()  # it leaves at every single step
        round_ = ends["dirac alternating"]
        assert 0.8 < round_[-80:].mean() / round_[:80].mean() < 1.25
        assert ends["dirac r1"][-1] < 1e-3
        assert ends["dirac wgan-gp"][-100:].max() > 0.02


def test_every_step_size_and_start_has_its_row() -> None:
    trials, first = dirac.dirac_trials(settings(orbit=30), 0)
    rows = {(t.arm, t.replicate): t.value for t in trials if t.metric == "modulus_excess"}
    assert len(rows) == 3 * dirac.STARTS
    assert all(rows["dirac unregularised", r] > 0 > rows["dirac r1", r] for r in range(dirac.STARTS))
    assert list(first) == list(dirac.RULES)


def test_the_equilibrium_is_one() -> None:
    for rule in (dirac.unregularised, dirac.alternating, dirac.r1):
        assert not rule(np.zeros(2), settings()).any()


def test_the_police_see_half_where_densities_are_equal_and_all_where_there_are_no_fakes() -> None:
    np.testing.assert_allclose(best(DATA, DATA, PLACES), 0.5)
    assert best(DATA, FAKES, np.array([1.5]))[0] > 0.6
    np.testing.assert_allclose(best(DATA, FAKES, PLACES) + best(FAKES, DATA, PLACES), 1)


@pytest.mark.parametrize("q", [FAKES, *OTHERS])
def test_the_value_is_twice_the_divergence_less_log_4(q: object) -> None:
    assert value_at_best(DATA, q) == pytest.approx(2 * jensen_shannon(DATA, q) - np.log(4), abs=1e-10)  # type: ignore[arg-type]
    assert value_at_best(DATA, q) >= -np.log(4) - 1e-12  # type: ignore[arg-type]


def test_the_divergence_of_equal_densities_is_nothing_and_at_most_log_2() -> None:
    assert jensen_shannon(DATA, DATA) == pytest.approx(0, abs=1e-12)
    assert 0 < jensen_shannon(DATA, FAKES) < np.log(2)


def test_densities_integrate_to_one_and_draws_follow_them() -> None:
    from torchstone.core.streams import stream

    x = np.linspace(-12, 12, 4001)
    for density in (DATA, FAKES, *OTHERS):
        assert np.trapezoid(density.at(x), x) == pytest.approx(1, abs=1e-3)
        drawn = density.draw(40_000, stream(0, "draw")).numpy()
        mean = float(np.trapezoid(x * density.at(x), x))
        assert drawn.mean() == pytest.approx(mean, abs=0.06)


def test_perfect_samplers_stand_beside_every_table_of_the_plane() -> None:
    plane = GAN.plane.model_copy(update={"replicates": 2, "samples": 300})
    trials, kept, pictures = known(plane, settings(orbit=20), 0)
    rows = {(t.arm, t.replicate, t.metric): t.value for t in trials if t.x in {None, float(GAN.plane.budgets[-1])}}
    assert set(kept) == {"true sampler", "true sampler again"}
    assert not np.array_equal(kept["true sampler"]["ring"], kept["true sampler again"]["ring"])
    for dataset, modes in (("ring", 8), ("grid", 25)):
        for replicate in range(2):
            assert rows["true sampler", replicate, f"{dataset}_modes"] == modes
            assert rows["true sampler", replicate, f"{dataset}_high_quality"] > 0.95
        assert pictures[dataset].shape[1:] == (300, 2)
        assert len(pictures[f"{dataset}_centres"]) == modes
    assert rows["at the optimum", 0, "ring_value"] == pytest.approx(-np.log(4))
    assert pictures["orbits"].shape == (4, 21, 2)
