"""A params.yaml with one row of each kind, and what is said of it when a piece of it is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from torchstone.core.errors import InputError
from torchstone.core.params import load_params

ROOT = Path(__file__).parents[2]
NAVIGATION = """\
traffic: {days: 9, minutes: 120, cars: 500, platoon: 7, weekend: 0.6, spread: 0.1, incidents: 2.0, habit: 12.0}
probes: {shares: [0.05, 0.2], main: 0.2, interval: 30.0, sigma: 11.0, memory: 60.0, window: 20, tastes: 2, whim: 0.3}
match: {block: 100.0, size: 5, journeys: 4, radii: [10.0, 100.0], intervals: [15.0]}
forecast: {horizons: [5, 15, 30], train: 5, valid: 2, congested: 0.667, rows: 100, leaf: 5, trees: 2, rounds: 3,
           rate: 0.15, hidden: 8, embedding: 4, steps: 2, batch: 50, learning_rate: 0.015}
eta: {trips: 10, levels: [0.1, 0.5, 0.9], rounds: 6, rate: 0.35, calibrate: 1}
route: {queries: 3, blocks: 2.5, checked: 1, large: 5, landmarks: 2}
feedback: {followers: [0.1, 1.0], days: 1, queries: 4}
"""  # what a test of other sections need not look at
TEXT = (
    """\
# a comment at the top
shared:
  seed: 1                   # root of every stream
  device: auto
primer: {replicates: 3, pairs: 30, width: 0.0001, rows: 16, features: 2, rate: 0.35, updates: 31, hidden: [7]}
speed: {sides: [3, 5], lengths: [6, 9], repeats: 2, seconds: 0.002}
prepare:
  # about the rows
  waveform: {replicates: 2, train: 30, valid: 30, test: 50}
  digits: {replicates: 2, valid: 0.1, test: 0.25}   # real data
resample: {subsample80: 0.8, subsample63: 0.632}
ensemble:
  members: 5
  rounds: 4
  neighbours: 1
  hidden: [8]               # widths
  batch: 16
  learning_rate: 0.003
  cells:
    waveform:
      epochs: 2
      arms: {tree: [bagging], mlp: [deep]}
    digits:
      epochs: 2
      arms: {tree: [bagging]}
sweep:
  tasks:
    waveform:
      {replicates: 2, rows: 30, hidden: [4, 4], rule: sgd, momentum: 0.9, learning_rate: 0.05, rates: [0.2],
       reference: 6, ghost: 4, updates: 9, target: 0.02, patience: 5, most_updates: 60, most_epochs: 20,
       arms: [plain, tuned]}
  cells:
    waveform-b0024: {dataset: waveform, batch: 24}
    waveform-b0006: {dataset: waveform, batch: 6}
minima: {sizes: {waveform: [6, 24]}, eps: [0.001], dimensions: 7, probes: 2, alphas: [0.0, 0.5, 1.0],
         rescale: 10.0}
cost: {sizes: [1, 2, 4, 8], repeats: 3, seconds: 0.01}
recommend: {margins: {waveform: 0.01}}
prune:
  dataset: waveform
  scope: layer
  rate: 0.25
  output_rate: 0.125
  tasks:
    waveform: {replicates: 2, hidden: [6], init: glorot_normal, rule: adam, momentum: 0.0, learning_rate: 0.002,
       batch: 10, updates: 40, look: 2, window: 3, accuracy: 0.5, rewind: 7, shape: [1, 21]}
  rounds:
    r00: {after: start}
    r01: {after: r00}
    r02: {after: r01}
control: {rounds: [r00, r02], arms: [twin, reinit], points: 5}
depth: {margins: {waveform: 0.02}}
gan:
  plane: {datasets: [ring], replicates: 3, net: mlp, noise: 3, hidden: [9], batch: 7, rates: [0.011], budgets: [2, 8],
          samples: 17}
  games:
    plain: {loss: minimax, pack: 1, critic_steps: 1, penalty: none, strength: 0.0, betas: [0.5, 0.9]}
    slope: {loss: wasserstein, pack: 2, critic_steps: 3, penalty: slope, strength: 7.0, betas: [0.5, 0.9]}
exact: {updates: 33, orbit: 21, step: 0.13, gamma: 0.6}
forge:
  digits: {dataset: digits, games: [plain], replicates: 2, net: dcgan, noise: 4, hidden: [11], batch: 6, rates: [0.012],
           budgets: [3, 6], samples: 18, judge_epochs: 3}
network:
  cities:
    town: {rows: 4, columns: 4, replicates: 3, spacing: 500.0, bridges: 1, street_speed: 14.0, ring_speed: 22.0,
           street_capacity: 300.0, ring_capacity: 600.0}
"""
    + NAVIGATION
    + """\
week:
  sets:
    metr-la: {source: recorded, replicates: 3, blocks: 4, steps: 3, rounds: 7, rows: 200}
judge: {alpha: 0.05, power: 0.8, draws: 999}
"""
)
# whose keys must all be there: the file, its sections but the rows of prepare, and one row of each kind
HOLDERS = [
    "", "shared", "primer", "speed", "resample", "ensemble", "sweep", "minima", "cost", "recommend", "prune", "control",
    "depth", "judge", "prepare.waveform", "prepare.digits", "ensemble.cells.waveform", "sweep.tasks.waveform",
    "sweep.cells.waveform-b0006", "prune.tasks.waveform", "prune.rounds.r01", "gan", "gan.plane", "gan.games.plain",
    "exact", "forge.digits",
    "network", "traffic",
    "probes", "match", "forecast", "eta", "route", "feedback", "week", "network.cities.town", "week.sets.metr-la",
]  # fmt: skip


def complaint(path: Path, old: str, new: str) -> str:
    """Return what loading the file says, without its name, once ``old`` is ``new`` in it."""
    assert TEXT.count(old) == 1, old
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_params(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.replace(f"{path}: ", "")


def inside(content: dict[str, Any], holder: str) -> dict[str, Any]:
    """Return the mapping at a dotted key."""
    for name in filter(None, holder.split(".")):
        content = content[name]
    return content
