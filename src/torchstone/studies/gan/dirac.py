"""The Dirac-GAN: the smallest game there is, whose every step can be worked out (Mescheder et al. 2018).

The data are the point 0, the generator makes the point theta, the discriminator is D(x) = psi x, and the value is
f(theta psi) + f(0) with f(t) = -log(1 + exp(-t)): the generator lowers it, the discriminator raises it. The only
equilibrium is (0, 0). One simultaneous step of size h is

    theta' = theta - h psi f'(theta psi),    psi' = psi + h theta f'(theta psi) - h gamma psi   (R1)

Its Jacobian at (0, 0), where f' = 1/2, is [[1, -h/2], [h/2, 1 - h gamma]]. Without the penalty the eigenvalues are
1 +- ih/2, of modulus sqrt(1 + h^2/4) > 1: every orbit leaves. With it they are 1 - h (gamma +- sqrt(gamma^2 - 1)) / 2,
within the unit circle for a small h. Alternating steps have modulus 1: they go round. WGAN-GP (f(t) = t and a penalty
gamma (|psi| - 1)^2 / 2) has no derivative at psi = 0, and its orbits keep going round.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Exact
from torchstone.core.trials import Trial
from torchstone.studies.gan.scores import as_trials

State = npt.NDArray[np.float64]
Step = Callable[[State, Exact], State]
STARTS = 10


def slope(t: float) -> float:
    """Return f'(t) = 1 / (1 + exp(t))."""
    return float(1 / (1 + np.exp(t)))


def unregularised(state: State, settings: Exact) -> State:
    """Both move at once."""
    theta, psi = state
    pull = settings.step * slope(theta * psi)
    return np.array([theta - pull * psi, psi + pull * theta])


def alternating(state: State, settings: Exact) -> State:
    """The generator moves, then the discriminator, which sees where it went."""
    theta, psi = state
    moved = theta - settings.step * psi * slope(theta * psi)
    return np.array([moved, psi + settings.step * moved * slope(moved * psi)])


def r1(state: State, settings: Exact) -> State:
    """Both at once, and the discriminator pays for its gradient at the data."""
    paid: State = np.array([0.0, settings.step * settings.gamma * state[1]])
    return unregularised(state, settings) - paid


def wgan_gp(state: State, settings: Exact) -> State:
    """Both at once with scores instead of probabilities, and the discriminator pays for a slope other than 1."""
    theta, psi = state
    paid = settings.gamma * np.sign(psi) * (abs(psi) - 1)
    return np.array([theta - settings.step * psi, psi + settings.step * (theta - paid)])


RULES: dict[str, Step] = {
    "dirac unregularised": unregularised,
    "dirac alternating": alternating,
    "dirac r1": r1,
    "dirac wgan-gp": wgan_gp,
}


def orbit(step: Step, start: State, settings: Exact) -> State:
    """Return the states from the start on, [update, 2]."""
    states = [start]
    for _ in range(settings.orbit):
        states.append(step(states[-1], settings))
    return np.stack(states)


def modulus(step: Step, settings: Exact, eps: float = 1e-6) -> float:
    """Return the largest modulus of an eigenvalue of one step's Jacobian at (0, 0), by central differences."""
    sides = [(step(eps * way, settings) - step(-eps * way, settings)) / (2 * eps) for way in np.eye(2)]
    return float(np.abs(np.linalg.eigvals(np.column_stack(sides))).max())


def starts(seed: int) -> list[State]:
    """Return where orbits begin: anywhere at a distance between 1/2 and 1."""
    found = []
    for replicate in range(STARTS):
        generator = numpy_stream(seed, "dirac", replicate)
        angle, radius = generator.uniform(0, 2 * np.pi), generator.uniform(0.5, 1.0)
        found.append(radius * np.array([np.cos(angle), np.sin(angle)]))
    return found


def dirac_trials(settings: Exact, seed: int) -> tuple[list[Trial], dict[str, State]]:
    """Return the trials of every rule and its first orbit."""
    trials: list[Trial] = []
    first: dict[str, State] = {}
    shown = np.unique(np.geomspace(1, settings.orbit, 25).astype(int))
    for arm, rule in RULES.items():
        for replicate, start in enumerate(starts(seed)):
            if rule is not wgan_gp:  # a replicate is a step size here, a start below
                smaller = settings.model_copy(update={"step": settings.step * (replicate + 1) / STARTS})
                trials += as_trials(arm, None, replicate, {"modulus_excess": modulus(rule, smaller) - 1})
            states = orbit(rule, start, settings)
            away = np.hypot(*states.T)
            growth = np.log10(np.maximum(away[-1], 1e-300) / away[0])
            trials += as_trials(arm, None, replicate, {"log10_growth": growth})
            for at in shown:
                trials += as_trials(arm, float(at), replicate, {"distance": away[at]})
            first.setdefault(arm, states)
    return trials, first
