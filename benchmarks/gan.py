"""Ten GAN pairs on the ring, trained together against one after the other in the usual loop; both use every core.

The usual loop is what a tutorial has: two ``nn.Sequential``, ``BCEWithLogitsLoss``, two ``torch.optim.Adam`` with their
defaults, the fakes detached for the discriminator, a fresh batch of the ring each step, as many threads as cores. Ours
is ``studies/gan/training.py`` as a stage runs it, one single-threaded process a core, draws and processes included.
Runs alternate, and the ratio is taken pair by pair. ``python -m benchmarks.gan [PAIRS]``.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

from torchstone.core.params import load_params
from torchstone.core.processes import KIB, MOST_HEAP, allocate, apart, in_order, worker_count
from torchstone.core.streams import stream
from torchstone.nets.population import chunks
from torchstone.studies.gan.targets import draw_plane
from torchstone.studies.gan.training import Match, play

REPLICATES = 10
CASES = [(64, 64), (128, 128)]  # hidden width, batch


def usual(width: int, batch: int, steps: int) -> float:
    """Return the seconds that the usual loop takes for ten pairs."""
    torch.set_num_threads(worker_count())
    generator = stream(0, "benchmark")
    start = 0.0
    for number in range(REPLICATES + 1):  # the first is to warm up
        if number == 1:
            start = time.perf_counter()
        maker, judge = (
            nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))
            for outputs in (2, 1)
        )
        optimisers = [torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.999)) for net in (judge, maker)]
        loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(batch, 1), torch.zeros(batch, 1)
        for _ in range(steps if number else 20):
            real = draw_plane("ring", batch, generator)
            optimisers[0].zero_grad()
            fake = maker(torch.randn(batch, 2, generator=generator))
            (loss(judge(real), ones) + loss(judge(fake.detach()), zeros)).backward()
            optimisers[0].step()
            optimisers[1].zero_grad()
            loss(judge(maker(torch.randn(batch, 2, generator=generator))), ones).backward()
            optimisers[1].step()
    return time.perf_counter() - start


def ours(width: int, batch: int, steps: int) -> float:
    """Return the seconds that our population takes for the same."""
    gan = load_params(Path("params.yaml")).gan
    update = {"hidden": [width, width], "batch": batch, "budgets": [1, steps], "samples": 16}
    plane = gan.plane.model_copy(update=update)
    pieces = chunks(REPLICATES, worker_count())
    jobs = [(Match("ring", gan.games["nonsaturating"], plane, 1e-3, piece), 0, "cpu") for piece in pieces]
    start = time.perf_counter()
    list(in_order(play, jobs, label="ours"))
    return time.perf_counter() - start


def main(pairs: int) -> None:
    """Print milliseconds a pair and step, and the ratio of each pair of runs, then the median ratio."""
    torch.set_num_threads(1)
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)
    for width, batch in CASES:
        steps, ratios = 1000, []
        for _ in range(pairs):
            mine = ours(width, batch, steps)
            (other,) = apart(usual, [(width, batch, steps // 4)], label="usual loop", spawn=True)
            each = [1000 * mine / steps / REPLICATES, 1000 * other / (steps // 4) / REPLICATES]
            ratios.append(each[1] / each[0])
            print(
                f"2x{width}, batch {batch}: ours {each[0]:.3f} ms, usual loop {each[1]:.2f} ms, ratio {ratios[-1]:.1f}"
            )
        low, high = min(ratios), max(ratios)
        print(f"median ratio {statistics.median(ratios):.1f} ({low:.1f} to {high:.1f}), {worker_count()} cores")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
