"""How long do torch and numpy take, by size; and from which size on is an accelerator worth its calls?

Three operations in float32: the product of two square matrices (2 n^3 operations on 2 n^2 numbers), the product of two
vectors entry by entry, and the sum of a vector. numpy and torch have one thread, as in all stages of this project;
against an accelerator torch has all cores. The operands lie where they are used, and an accelerator has done its work
before the clock stops.

As in the study of what a batch size costs, a replicate is a process of its own, and goes through all sizes, so that a
machine that slows down slows all sizes alike. The numbers are the machine's; no two runs give the same ones.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from torchstone.core.processes import apart
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Speed
from torchstone.core.trials import Trial

NUMPY, TORCH, CORES, DEVICE = "numpy", "torch", "torch on all cores", "accelerator"
Call = Callable[[], object]


class Timing(NamedTuple):
    """Seconds that one call took, on average."""

    arm: str
    operation: str
    size: int
    repeat: int
    seconds: float


def operands(operation: str, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw what an operation takes, in float32: matrices [size, size] for a product, else vectors [size]."""
    random = numpy_stream(seed, "speed", operation, size)
    shape = (size, size) if operation == "product" else (size,)
    return random.standard_normal(shape, dtype=np.float32), random.standard_normal(shape, dtype=np.float32)


def call(arm: str, operation: str, size: int, seed: int, device: str) -> Call:
    """Return the function that is timed, its operands in place."""
    a, b = operands(operation, size, seed)
    calls: dict[str, Call] = {"product": lambda: a @ b, "entrywise": lambda: a * b, "sum": lambda: a.sum()}
    if arm != NUMPY:
        x, y = (torch.from_numpy(part).to(device if arm == DEVICE else "cpu") for part in (a, b))
        calls = {"product": lambda: x @ y, "entrywise": lambda: x * y, "sum": lambda: x.sum()}
    return calls[operation]


def wait(device: str) -> None:
    """Wait until an accelerator has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def seconds_a_call(function: Call, least: float, device: str = "cpu") -> float:
    """Return the mean seconds of a call, over at least ``least`` seconds of calls.

    The calls come in rounds that grow until one lasts long enough; the shorter ones before it are the warm-up.
    """

    def take(calls: int) -> float:
        wait(device)
        start = time.perf_counter()
        for _ in range(calls):
            function()
        wait(device)
        return time.perf_counter() - start

    calls = 1
    take(calls)
    while (elapsed := take(calls)) < least:
        calls = max(2 * calls, math.ceil(1.1 * calls * least / elapsed))
    return elapsed / calls


def arms(device: str) -> list[str]:
    """Return who is timed: without an accelerator (device "cpu") nobody is compared with one."""
    return [NUMPY, TORCH] if device == "cpu" else [NUMPY, TORCH, CORES, DEVICE]


def measure(settings: Speed, seed: int, device: str, repeat: int) -> list[Timing]:
    """Time everything once; run it in a process of its own, for it changes how many threads its process has."""
    work = [("product", size) for size in settings.sides]
    work += [(operation, size) for operation in ("entrywise", "sum") for size in settings.lengths]
    found = []
    for operation, size in work:
        for arm in arms(device):
            torch.set_num_threads(_cores() if arm == CORES else 1)
            where = device if arm == DEVICE else "cpu"
            seconds = seconds_a_call(call(arm, operation, size, seed, device), settings.seconds, where)
            found.append(Timing(arm, operation, size, repeat, seconds))
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def timings(settings: Speed, seed: int, device: str) -> Iterator[Timing]:
    """Yield all timings, each repeat in a fresh process, one after the other."""
    jobs = [(settings, seed, device, repeat) for repeat in range(settings.repeats)]
    for found in apart(measure, jobs, label="speed", spawn=device == "cuda"):
        yield from found


def crossover(sizes: Sequence[int], cpu: Sequence[float], device: Sequence[float]) -> float | None:
    """Return the size from which on an accelerator is the faster one, None if it is not so at the largest size.

    ``cpu`` and ``device`` are seconds, [size]. Between two sizes the ratio is a power law; an accelerator that is
    faster at all sizes has its crossover at the smallest one.
    """
    ratios = np.log(np.asarray(device) / np.asarray(cpu))  # below 0 the accelerator is faster
    if ratios[-1] >= 0:
        return None
    slower = np.flatnonzero(ratios >= 0)
    if len(slower) == 0:
        return float(sizes[0])
    last = int(slower[-1])
    low, high = math.log(sizes[last]), math.log(sizes[last + 1])
    return math.exp(low + (high - low) * ratios[last] / (ratios[last] - ratios[last + 1]))


def trials(measured: Iterable[Timing]) -> list[Trial]:
    """Turn timings into trials over the size x; a replicate is a repeat."""
    found, seconds = [], {}
    for one in measured:
        values = {"microseconds": 1e6 * one.seconds, "decades": math.log10(one.seconds)}
        found += [
            Trial(one.arm, float(one.size), one.repeat, f"{one.operation}_{name}", value)
            for name, value in values.items()
        ]
        seconds[one.arm, one.operation, one.repeat, one.size] = one.seconds
    for repeat in sorted({repeat for arm, _, repeat, _ in seconds if arm == DEVICE}):
        sizes = sorted(size for arm, what, at, size in seconds if (arm, what, at) == (DEVICE, "product", repeat))
        cpu, device = ([seconds[arm, "product", repeat, size] for size in sizes] for arm in (CORES, DEVICE))
        side = crossover(sizes, cpu, device)
        if side is not None:
            found.append(Trial(DEVICE, None, repeat, "crossover_side", side))
    return found
