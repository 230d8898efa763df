"""What does a batch size cost: seconds a step, and bytes.

A *step* is what training repeats: the gradient of one network on one batch, and the optimiser's move. Each
measurement has a process of its own, so that it finds no memory and no heap that another one left, and never two run
at once. All sizes are gone through, then all again, so that a machine that slows down slows all sizes alike.

**Time.** Steps on one batch that is already there, after a warm-up at the same size; the shuffling and gathering of
rows is not in it. What a step frees is kept for the next one, as torch does on CUDA: left to itself, glibc returns it
or not by how its heap happens to lie, and a step of 16384 rows took 20 ms in one run and 33 ms in another.

**Memory.** What the batch adds at its worst moment: its own rows, all activations, and what the gradient needs on its
way. The network, its gradient, the optimiser's state and the libraries are there before, and are not in it. Measured
after the time, in steps of their own, in which freed memory goes back at once: on CUDA the peak of torch's allocator;
on Linux the high-water mark of the process's resident set, which the system can be told to forget; elsewhere that
mark, which only ever rises, counted from before the first batch of the size.

Rows of the training set are repeated in a cycle where a size is above their number: a step costs the same whichever
rows it sees.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import linregress
from torch import Tensor

from torchstone.core.processes import KIB, MOST_HEAP, allocate, apart
from torchstone.core.streams import stream
from torchstone.core.trials import Trial
from torchstone.learn.optim import FlatOptimiser, Rule
from torchstone.nets.backprop import write_normalised_gradient
from torchstone.nets.normalised import NormalisedPopulation
from torchstone.nets.population import pad_features
from torchstone.studies.batchsize.memory import Peak

STEPS_FOR_MEMORY = 3
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Workload:
    """One network and the rows it learns from: x [sample, feature], y [sample], labels below ``classes``."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    classes: int
    hidden: tuple[int, ...]
    rule: Rule
    learning_rate: float
    momentum: float
    seed: int
    device: str

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Return ``size`` rows, repeated in a cycle: x [1, sample, padded feature] and y [1, sample]."""
        rows = torch.arange(size) % len(self.x)
        x = pad_features(torch.from_numpy(self.x).index_select(0, rows)).unsqueeze(0)
        y = torch.from_numpy(self.y).index_select(0, rows).unsqueeze(0)
        return x.to(self.device), y.to(self.device)


class Measurement(NamedTuple):
    """What one process found at one batch size: seconds a step, and bytes that the batch adds at the peak."""

    size: int
    repeat: int
    step_seconds: float
    peak_bytes: int


class Learner:
    """A network in training."""

    def __init__(self, workload: Workload) -> None:
        widths = (workload.x.shape[1], *workload.hidden, workload.classes)
        self._network = NormalisedPopulation(1, widths)
        self._network.initialise([stream(workload.seed, "cost", "init")])
        self._network.to(workload.device)
        rule, rate, momentum = workload.rule, workload.learning_rate, workload.momentum
        self._optimiser = FlatOptimiser(self._network, rule, rate, momentum=momentum)
        self._kind = torch.device(workload.device).type

    def take(self, steps: int, batch: tuple[Tensor, Tensor]) -> float:
        """Take so many steps on one batch and return the seconds until the device has done them."""
        self._wait()
        start = time.perf_counter()
        for _ in range(steps):
            write_normalised_gradient(self._network, *batch)
            self._optimiser.step()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self._kind == "cuda":
            torch.cuda.synchronize()
        elif self._kind == "mps":
            torch.mps.synchronize()

    def step_seconds(self, batch: tuple[Tensor, Tensor], least: float) -> float:
        """Return the mean seconds of a step, over at least ``least`` seconds of steps.

        The steps come in rounds that grow until one lasts long enough; the shorter ones before it are the warm-up.
        """
        steps = 1
        self.take(steps, batch)
        while (elapsed := self.take(steps, batch)) < least:
            steps = max(2 * steps, math.ceil(1.1 * steps * least / elapsed))
        return elapsed / steps


def measure(workload: Workload, size: int, repeat: int, seconds: float) -> Measurement:
    """Measure steps of one network at one batch size; the time is the mean over at least ``seconds``.

    Run it in a process of its own, for it changes how its process allocates memory.
    """
    allocate(mapped_from=MOST_HEAP, kept=KIB**3)
    learner = Learner(workload)
    learner.take(STEPS_FOR_MEMORY, workload.batch(1))  # the optimiser's state, and pages of the libraries
    peak = Peak(workload.device)
    step_seconds = learner.step_seconds(workload.batch(size), seconds)
    # A new thread has a heap of its own in glibc. The main thread's has holes that data once read have left: whether
    # a batch falls into one depends on its size, and moved R squared from 0.9999 to 0.96.
    with ThreadPoolExecutor(1) as thread:
        peak_bytes = thread.submit(_peak_bytes, learner, workload, size, peak).result()
    return Measurement(size, repeat, step_seconds, peak_bytes)


def _peak_bytes(learner: Learner, workload: Workload, size: int, peak: Peak) -> int:
    """Take steps twice and return the second time's peak; the first brings what libraries keep for a thread."""
    for _ in range(2):
        peak.restart()
        learner.take(STEPS_FOR_MEMORY, workload.batch(size))
    return peak.bytes()


Measure = Callable[[Workload, int, int, float], Measurement]


def measurements(
    workload: Workload, sizes: Sequence[int], repeats: int, seconds: float, *, label: str, measure: Measure = measure
) -> Iterator[Measurement]:
    """Yield ``measure`` of each size, in a process of its own, one after the other; all sizes, then all again."""
    jobs = [(workload, size, repeat, seconds) for repeat in range(repeats) for size in sorted(set(sizes))]
    yield from apart(measure, jobs, label=label, spawn=torch.device(workload.device).type == "cuda")


def _columns(*columns: npt.ArrayLike) -> list[Values]:
    """Return columns over sizes as arrays, [size]; raises ValueError unless there are two different sizes."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    if len(np.unique(arrays[0])) < 2:
        raise ValueError(f"a fit over batch sizes needs two different ones, not {arrays[0].tolist()}")
    return arrays


def memory_line(sizes: npt.ArrayLike, peaks: npt.ArrayLike) -> dict[str, float]:
    """Fit a least-squares line to peak bytes [size] over rows [size]: its R squared, its slope and its intercept.

    R squared is left out where all peaks are equal. Raises ValueError on fewer than two sizes.
    """
    rows, held = _columns(sizes, peaks)
    line = linregress(rows, held)
    found = {"bytes_a_row": float(line.slope), "bytes_fixed": float(line.intercept)}
    if np.ptp(held) > 0:
        found["memory_linearity"] = float(line.rvalue) ** 2
    return found


def memory_exponent(sizes: npt.ArrayLike, peaks: npt.ArrayLike) -> float:
    """Return the slope of log peak bytes over log rows in the upper half of the sizes: 1 is in proportion.

    R squared of a line is decided by the largest size and close to 1 for B^1.3 too; the exponent is not. Raises
    ValueError on fewer than two sizes.
    """
    rows, held = _columns(sizes, peaks)
    upper = np.argsort(rows)[-max(2, len(rows) // 2) :]
    return float(linregress(np.log(rows[upper]), np.log(held[upper])).slope)


def gain_at_the_top(sizes: npt.ArrayLike, throughputs: npt.ArrayLike) -> float:
    """Return by what share a doubling of the batch raises samples a second [size], between the two largest sizes.

    Raises ValueError on fewer than two sizes.
    """
    rows, rates = _columns(sizes, throughputs)
    below, top = np.argsort(rows)[-2:]
    doublings = np.log2(rows[top] / rows[below])
    return float((rates[top] / rates[below]) ** (1 / doublings) - 1)


def saturation(sizes: npt.ArrayLike, step_seconds: npt.ArrayLike) -> dict[str, float]:
    """Fit seconds a step t(B) = a + b B [size], a for the step and b for each row, by least squares of relative errors.

    Samples a second, B / (a + b B), then tend to the limit 1 / b; half of it is reached at B = a / b, nine tenths at
    9 a / b. What has no meaning is left out: all of it if b is not positive, the two sizes if a is not. Raises
    ValueError on fewer than two sizes.
    """
    rows, seconds = _columns(sizes, step_seconds)
    relative = np.stack([1 / seconds, rows / seconds], axis=1)
    scale = np.linalg.norm(relative, axis=0)  # a and b are of unlike size: scaled, no digit is lost
    solved, *_ = np.linalg.lstsq(relative / scale, np.ones_like(rows), rcond=None)
    a, b = solved / scale
    if b <= 0:
        return {}
    found = {"limit_throughput": float(1 / b)}
    if a > 0:
        found |= {"half_saturation": float(a / b), "saturation": float(9 * a / b)}
    return found


def trials(measured: Sequence[Measurement], rows: int) -> list[Trial]:
    """Turn measurements into trials; an epoch has ``rows`` rows. A replicate is a repeat.

    Arm "network" holds what was measured at each batch size x, arm "fit" what follows from a repeat's sizes together.
    """
    found = []
    for one in measured:
        throughput = one.size / one.step_seconds  # samples a second
        values = {
            "throughput": throughput,
            "log2_throughput": math.log2(throughput),
            "epoch_seconds": rows / throughput,
            "step_seconds": one.step_seconds,
            "peak_bytes": float(one.peak_bytes),
        }
        found += [Trial("network", float(one.size), one.repeat, metric, value) for metric, value in values.items()]
    for repeat in sorted({one.repeat for one in measured}):
        own = [one for one in measured if one.repeat == repeat]
        sizes = [one.size for one in own]
        fits = memory_line(sizes, [one.peak_bytes for one in own])
        fits["memory_exponent"] = memory_exponent(sizes, [one.peak_bytes for one in own])
        fits |= saturation(sizes, [one.step_seconds for one in own])
        fits["gain_at_the_top"] = gain_at_the_top(sizes, [one.size / one.step_seconds for one in own])
        found += [Trial("fit", None, repeat, metric, value) for metric, value in fits.items()]
    return found
