"""What params.yaml may hold: one model a section, every key required, every range checked.

No key has a default here: the file is the whole truth, so these models can never change a result and stay out of
the code fingerprints (core/fingerprint.py). Each description repeats the key's comment in params.yaml; a test keeps
the two equal. A module a study, which also checks what its sections must know of others.
"""

from torchstone.core.schema.batchsize import Cost, Minima, Recommend, Sweep, SweepCell, Task
from torchstone.core.schema.ensembles import Arms, Cell, Ensemble, Resample
from torchstone.core.schema.gan import Exact, Game, Gan, Images, Plane
from torchstone.core.schema.lottery import Controls, Depth, Prune, PruneTask
from torchstone.core.schema.navigation import (
    City,
    Eta,
    Feedback,
    Forecast,
    Match,
    Network,
    Probes,
    RealWeek,
    Route,
    Traffic,
    Week,
)  # fmt: skip
from torchstone.core.schema.params import Judge, Params, Shared
from torchstone.core.schema.prepare import Finite, Fixed, Generated, Prepare
from torchstone.core.schema.primer import Primer, Speed
from torchstone.core.schema.section import Section

__all__ = [
    "Arms", "Cell", "City", "Controls", "Cost", "Depth", "Ensemble", "Eta", "Exact", "Feedback", "Finite", "Fixed",
    "Forecast", "Game", "Gan", "Generated", "Images", "Judge", "Match", "Minima", "Network", "Params", "Plane",
    "Prepare", "Primer", "Probes", "Prune", "PruneTask", "RealWeek", "Recommend", "Resample", "Route", "Section",
    "Shared", "Speed", "Sweep", "SweepCell", "Task", "Traffic", "Week",
]  # fmt: skip
