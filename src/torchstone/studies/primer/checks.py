"""All checks of the primer as trials; a replicate is a random draw, or a model of the stack."""

from __future__ import annotations

from torchstone.core.schema import Primer
from torchstone.core.trials import Trial
from torchstone.studies.primer.arrays import arrays
from torchstone.studies.primer.gradients import gradients
from torchstone.studies.primer.regression import regression
from torchstone.studies.primer.stacking import stacking


def checks(settings: Primer, seed: int) -> list[Trial]:
    """Return what every replicate finds."""
    trials = []
    for replicate in range(settings.replicates):
        found = arrays(seed, replicate, settings.pairs)
        found |= gradients(seed, replicate, settings.width)
        found |= regression(settings, seed, replicate)
        trials += [
            Trial(arm, None, replicate, metric, value)
            for arm, metrics in found.items()
            for metric, value in metrics.items()
        ]
    for arm, shares in stacking(settings, seed).items():
        trials += [Trial(arm, None, model, "changed", share) for model, share in enumerate(shares)]
    return trials
