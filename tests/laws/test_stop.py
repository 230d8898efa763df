"""Laws of interruption: a stage that was killed, and is run again, ends with the bytes of one that was not."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stages import ensemble, prepare, resample
from tests.unit.params_text import NAVIGATION
from torchstone.core.errors import InputError
from torchstone.core.stage import Stage, _work

ROOT = Path(__file__).parents[2]
KEY = "waveform"
PARAMS = (
    """\
shared: {seed: 1, device: cpu}
primer: {replicates: 2, pairs: 10, width: 0.001, rows: 8, features: 2, rate: 0.1, updates: 2, hidden: [4]}
speed: {sides: [2, 4], lengths: [2, 4], repeats: 2, seconds: 0.001}
prepare:
  waveform: {replicates: 6, train: 60, valid: 10, test: 100}
resample: {subsample80: 0.8, subsample63: 0.632}
ensemble:
  members: 10
  rounds: 5
  neighbours: 1
  hidden: [16]
  batch: 16
  learning_rate: 0.01
  cells:
    waveform:
      epochs: 60
      arms: {tree: [bagging], mlp: [deep, bootstrapped-deep]}
sweep: {tasks: {}, cells: {}}
minima: {sizes: {}, eps: [0.001], dimensions: 5, probes: 2, alphas: [0.0, 0.5, 1.0], rescale: 10.0}
cost: {sizes: [1, 2, 4, 8], repeats: 2, seconds: 0.01}
recommend: {margins: {}}
prune:
  dataset: waveform
  scope: layer
  rate: 0.2
  output_rate: 0.1
  tasks:
    waveform:
      {replicates: 6, hidden: [8], init: glorot_normal, rule: adam, momentum: 0.0, learning_rate: 0.001, batch: 16,
       updates: 20, look: 2, window: 3, accuracy: 0.5, rewind: 2, shape: [1, 21]}
  rounds:
    r00: {after: start}
control: {rounds: [], arms: [], points: 3}
depth: {margins: {waveform: 0.01}}
gan:
  plane:
    {datasets: [ring], replicates: 2, net: mlp, noise: 2, hidden: [8], batch: 8, rates: [0.01], budgets: [1, 2],
     samples: 16}
  games: {}
exact: {updates: 2, orbit: 5, step: 0.1, gamma: 1.0}
forge: {}
network: {cities: {}}
"""
    + NAVIGATION
    + """\
week: {sets: {}}
judge: {alpha: 0.05, power: 0.8, draws: 999}
"""
)
JOBS = 3 * 6  # tree bagging, deep and bootstrapped-deep networks of each replicate
ENVIRONMENT = {**os.environ, "TORCHSTONE_WORKERS": "2", "PYTHONPATH": str(ROOT / "src")}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and needs a parent's death signal")


def work(name: str, main: Callable[[Stage], None]) -> None:
    """Do a stage's work in this process and the present folder."""
    _work(name, KEY, main, lambda _: [KEY])


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small project whose data are prepared and resampled."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "src").symlink_to(ROOT / "src")
    (root / "params.yaml").write_text(PARAMS)
    monkeypatch.setattr(sys, "addaudithook", lambda hook: None)  # it could never be taken off again
    monkeypatch.setenv("TORCHSTONE_WORKERS", "1")
    monkeypatch.chdir(root)
    work("prepare", prepare.main)
    work("resample", resample.main)
    return root


def command(name: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{name}", KEY]


def copied(origin: Path, target: Path) -> Path:
    shutil.copytree(origin, target, symlinks=True)
    return target


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("ensemble"),
        cwd=root,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's background job ignores interrupts, and so would all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def pieces(root: Path) -> list[Path]:
    return sorted((root / ".scratch").glob("*/*.npz"))


def processes(root: Path) -> list[int]:
    """Find the living processes that work in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                dead = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
                if not dead and (entry / "cwd").resolve() == root.resolve():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def waited(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def hashes(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "data").rglob("*"))
        if path.is_file()
    }


def started_until(root: Path, finished: int) -> subprocess.Popen[str]:
    """Start the stage and freeze it once that many pieces are saved."""
    stage = start(root)
    assert waited(lambda: len(pieces(root)) >= finished or stage.poll() is not None)
    stage.send_signal(signal.SIGSTOP)
    assert stage.poll() is None, stage.communicate()[1]
    return stage


def test_a_stage_killed_and_one_stopped_by_hand_end_with_the_bytes_of_an_undisturbed_one(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = copied(origin, tmp_path / "undisturbed")
    monkeypatch.chdir(undisturbed)
    work("ensemble", ensemble.main)
    assert not pieces(undisturbed), "checkpoints go when the stage succeeds"
    expected = hashes(undisturbed)
    assert f"data/ensemble/{KEY}/trials.csv" in expected

    project = copied(origin, tmp_path / "killed")
    first = started_until(project, finished=2)
    try:
        monkeypatch.chdir(project)
        with pytest.raises(InputError, match=rf"ensemble@{KEY} is already running in process {first.pid}; wait for it"):
            work("ensemble", ensemble.main)
        monkeypatch.chdir(tmp_path)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert waited(lambda: not processes(project), 5.0), "a worker outlived its stage"
    kept = {path: path.stat().st_mtime_ns for path in pieces(project)}
    assert 2 <= len(kept) < JOBS
    assert not (project / "data/ensemble").exists(), "no half of an output"

    second = started_until(project, finished=len(kept) + 1)
    for path, stamp in kept.items():
        assert path.stat().st_mtime_ns == stamp, "a finished piece was computed again"
    assert len(pieces(project)) < JOBS
    os.killpg(second.pid, signal.SIGINT)  # what Ctrl-C does: to the stage and its workers
    second.send_signal(signal.SIGCONT)
    message = second.communicate(timeout=60)[1]
    assert second.returncode == 1
    assert f"stage ensemble {KEY}: stopped; what was finished is kept, `dvc repro` goes on" in message
    assert "Traceback" not in message
    assert len(pieces(project)) > len(kept)
    assert waited(lambda: not processes(project), 5.0)

    monkeypatch.chdir(project)
    work("ensemble", ensemble.main)
    assert hashes(project) == expected
    assert not pieces(project)
