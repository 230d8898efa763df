"""Work spread over the cores: one single-threaded process each, results in the order of the jobs.

Many small numeric jobs run faster as single-threaded processes than as threads of one (docs/performance.md). Which
process does which job changes no bit of a result.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

from tqdm import tqdm

from torchstone.core.errors import InputError

Result = TypeVar("Result")
KIB = 1024  # bytes
MOST_HEAP = 32 * KIB**2  # bytes; glibc takes no larger block from its heap


def worker_count() -> int:
    """Return how many processes to use: TORCHSTONE_WORKERS if set, else the cores this process may use."""
    asked = os.environ.get("TORCHSTONE_WORKERS")
    if asked:
        if not asked.isdecimal() or int(asked) < 1:
            raise InputError(f"TORCHSTONE_WORKERS = {asked}: a whole number from 1 is expected")
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def die_with_parent() -> None:
    """Make this process end when its parent does; killing dvc would otherwise leave its stage running."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_order(
    function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], *, label: str, workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(*job)`` for each job, in order, with a progress bar.

    Forks where that is safe (a fork costs nothing, a spawned process imports for seconds); one worker or one job
    runs in this process. What a worker raises is raised here.
    """
    count = min(workers or worker_count(), len(jobs))
    bar = partial(tqdm, total=len(jobs), desc=label, leave=False, mininterval=1.0, dynamic_ncols=True)
    if count < 2:
        yield from bar(function(*job) for job in jobs)
        return
    tqdm.monitor_interval = 0  # no thread beside a fork
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=die_with_parent) as pool:
        yield from bar(pool.map(function, *zip(*jobs, strict=True)))


def apart(
    function: Callable[..., Result], jobs: Sequence[tuple[Any, ...]], *, label: str, spawn: bool = False
) -> Iterator[Result]:
    """Yield ``function(*job)`` for each job, each in a fresh process of its own, one after the other; with a bar.

    For what must not be disturbed: a job finds nothing that another one left, and none runs beside it. ``spawn``
    starts each process from nothing where a fork would do, as a GPU needs that this process has looked at. What a job
    raises is raised here; one that is killed raises BrokenProcessPool.
    """
    tqdm.monitor_interval = 0  # no thread beside a fork
    context = multiprocessing.get_context("fork" if sys.platform == "linux" and not spawn else "spawn")
    for job in tqdm(jobs, desc=label, leave=False, mininterval=1.0, dynamic_ncols=True):
        with ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent) as pool:
            result = pool.submit(function, *job).result()
        yield result


def allocate(mapped_from: int, kept: int) -> None:
    """Fix what glibc does with freed memory, which it else decides by what was freed before.

    Blocks of ``mapped_from`` bytes and more go back to the system when they are freed; of the others up to ``kept``
    bytes stay for the next. Whatever is free now goes back. No other C library is touched.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, mapped_from)
        libc.mallopt(trim_threshold, kept)
        libc.malloc_trim(0)
