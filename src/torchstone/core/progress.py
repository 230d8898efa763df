"""Run the pipeline and say before each stage which it is, how many may follow and for about how long.

``python -m torchstone.core.progress`` is ``dvc repro`` with a line more a stage. How long a stage takes is known from
``meta.seconds`` in dvc.yaml, the seconds it took on two idle cores; the stages that have run tell how fast this machine
is in comparison. Stages that may run are those that DVC calls changed and all that depend on them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import networkx as nx
from dvc.repo import Repo

UNKNOWN = 5.0  # seconds of a stage without meta.seconds
TRUST = 60.0  # seconds of known stages that weigh as much as the guess that this machine is like any other
STARTS = re.compile(r"^Running stage '(?P<stage>[^']+)'")
PASSED = re.compile(r"^Stage '(?P<stage>[^']+)' (?:didn't change|is cached)")


@dataclass
class Forecast:
    """What is left: seconds of the stages that may still run, and how this machine compares so far."""

    left: dict[str, float]
    total: int = 0
    known: float = 0.0
    took: float = 0.0
    begun: float | None = None
    running: str | None = None
    clock: Callable[[], float] = field(default=time.monotonic)

    def __post_init__(self) -> None:
        self.total = len(self.left)

    def _finish(self) -> None:
        """Compare the stage that has been running with what was known of it."""
        if self.running is not None and self.begun is not None:
            self.known += self.left.pop(self.running, UNKNOWN)
            self.took += self.clock() - self.begun
        self.running = self.begun = None

    def skip(self, stage: str) -> None:
        """Take note that a stage need not run."""
        self._finish()
        self.left.pop(stage, None)

    def start(self, stage: str) -> str:
        """Take note that a stage begins; return its line."""
        self._finish()
        self.running, self.begun = stage, self.clock()
        self.left.setdefault(stage, UNKNOWN)
        place = max(self.total - len(self.left) + 1, 1)
        return f"[{place} of {max(self.total, place)}] {stage}, about {spoken(self.seconds())} left"

    def seconds(self) -> float:
        """Return about how many seconds are left, the stage that begins included."""
        return sum(self.left.values()) * (self.took + TRUST) / (self.known + TRUST)


def spoken(seconds: float) -> str:
    """Say a duration as people do: 40 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def may_run(graph: nx.DiGraph, changed: Iterable[str]) -> set[str]:
    """Return changed stages and all that depend on them; an edge leads from a stage to one it needs."""
    found = set(changed)
    return found.union(*(nx.ancestors(graph, stage) for stage in found if stage in graph))


def wanted(graph: nx.DiGraph, targets: Iterable[str]) -> set[str]:
    """Return targets, stages or the rows of one, and all that they need; everything if there are none."""
    found = {stage for stage in graph if {stage, stage.split("@")[0]} & set(targets)}
    return found.union(*(nx.descendants(graph, stage) for stage in found)) if targets else set(graph)


def expected(repo: Repo, targets: list[str]) -> dict[str, float]:
    """Return the stages that may run with the seconds they are known to take."""
    stages = {stage.addressing: stage for stage in repo.index.stages}
    graph = nx.DiGraph((one.addressing, other.addressing) for one, other in repo.index.graph.edges)
    graph.add_nodes_from(stages)
    seconds: Mapping[str, float] = {
        name: float((stage.meta or {}).get("seconds", UNKNOWN)) for name, stage in stages.items()
    }
    found = may_run(graph, repo.status(targets or None)) & wanted(graph, targets)
    return {name: seconds[name] for name in found if name in stages}


def told(lines: Iterable[str], forecast: Forecast) -> Iterator[str]:
    """Repeat what DVC says, and put a line before each stage that runs."""
    for line in lines:
        if found := STARTS.match(line):
            yield f"{forecast.start(found['stage'])}\n"
        elif found := PASSED.match(line):
            forecast.skip(found["stage"])
        yield line


def main(arguments: list[str]) -> int:
    """Run ``dvc repro``; return its exit code."""
    with Repo() as repo:
        forecast = Forecast(expected(repo, [argument for argument in arguments if not argument.startswith("-")]))
    command = [sys.executable, "-m", "dvc", "repro", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as run:
        try:
            for line in told(run.stdout or (), forecast):
                sys.stdout.write(line)
                sys.stdout.flush()
        except KeyboardInterrupt:  # it reached DVC and the stage too, which end in their own way
            run.wait()
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
