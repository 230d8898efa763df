"""Laws of spread work: order and results do not depend on the processes, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from torchstone.core.errors import InputError
from torchstone.core.processes import apart, in_order, worker_count


def slow_square(number: int, delay: float) -> tuple[int, int]:
    time.sleep(delay)
    return number**2, os.getpid()


def fails(number: int) -> int:
    if number == 2:
        raise ValueError("job 2 is wrong")
    return number


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_jobs_for_any_number_of_workers(workers: int) -> None:
    jobs = [(number, 0.02 * (5 - number)) for number in range(5)]
    results = list(in_order(slow_square, jobs, label="test", workers=workers))
    assert [square for square, _ in results] == [0, 1, 4, 9, 16]
    elsewhere = {process for _, process in results} - {os.getpid()}
    assert bool(elsewhere) == (workers > 1)


def test_no_job_gives_nothing_and_one_job_stays_in_this_process() -> None:
    assert list(in_order(slow_square, [], label="test", workers=2)) == []
    assert list(in_order(slow_square, [(3, 0.0)], label="test", workers=2)) == [(9, os.getpid())]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_worker_raises_is_raised_here(workers: int) -> None:
    with pytest.raises(ValueError, match="job 2 is wrong"):
        list(in_order(fails, [(number,) for number in range(4)], label="test", workers=workers))


def timed(number: int) -> tuple[int, int, float, float]:
    start = time.monotonic()
    time.sleep(0.01)
    return number, os.getpid(), start, time.monotonic()


def is_killed(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_jobs_apart_have_a_process_each_and_none_runs_beside_another() -> None:
    results = list(apart(timed, [(number,) for number in range(4)], label="test"))
    numbers, processes, starts, ends = zip(*results, strict=True)
    assert numbers == (0, 1, 2, 3)
    assert len({*processes, os.getpid()}) == 5
    assert all(end <= start for end, start in zip(ends[:-1], starts[1:], strict=True))
    assert list(apart(timed, [], label="test")) == []


def test_a_job_apart_can_be_spawned() -> None:
    assert [square for square, _ in apart(slow_square, [(3, 0.0)], label="test", spawn=True)] == [9]


def test_what_a_job_apart_raises_is_raised_here_and_a_killed_one_is_no_riddle() -> None:
    with pytest.raises(ValueError, match="job 2 is wrong"):
        list(apart(fails, [(number,) for number in range(4)], label="test"))
    with pytest.raises(BrokenProcessPool):
        list(apart(is_killed, [(0,), (1,)], label="test"))


def test_the_number_of_workers_is_what_is_asked_for_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHSTONE_WORKERS", "7")
    assert worker_count() == 7
    for wrong in ("0", "-1", "two"):
        monkeypatch.setenv("TORCHSTONE_WORKERS", wrong)
        with pytest.raises(InputError, match=f"TORCHSTONE_WORKERS = {wrong}: a whole number"):
            worker_count()
    monkeypatch.delenv("TORCHSTONE_WORKERS")
    assert 1 <= worker_count() <= (os.cpu_count() or 1)


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""
CHILD = """
import os, time
from torchstone.core.processes import die_with_parent, in_order
die_with_parent()
def job(number):
    with open(f"{os.getpid()}.worker", "w"):
        pass
    time.sleep(60)
with open(f"{os.getpid()}.stage", "w"):
    pass
list(in_order(job, [(0,), (1,)], label="test", workers=2))
"""


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def waited(condition: object, seconds: float = 10.0) -> bool:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_parent_takes_its_stage_and_the_workers_with_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert waited(lambda: len(list(tmp_path.glob("*.worker"))) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    processes = [int(path.stem) for path in tmp_path.iterdir()]
    assert len(processes) == 3
    assert waited(lambda: not any(running(process) for process in processes))
