"""Laws of the timings: who is timed, what is asked of a device, and where a planted crossover is found."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from stages import speed as stage_module
from tests.unit.params_text import TEXT
from torchstone.core.params import load_params
from torchstone.core.schema import Speed
from torchstone.core.stage import Stage
from torchstone.core.trials import read_trials, write_trials
from torchstone.stats.evidence import Evidence, gather
from torchstone.stats.ledger import load_claims
from torchstone.stats.verdict import judge
from torchstone.studies.primer import speed
from torchstone.studies.primer.speed import CORES, DEVICE, NUMPY, TORCH, Timing, crossover, seconds_a_call, trials

ROOT = Path(__file__).parents[2]
SETTINGS = Speed(sides=[2, 8], lengths=[3, 50], repeats=2, seconds=0.0005)


def planted(call: float, cpu: float = 1e-9, device: float = 1e-11) -> list[Timing]:
    """Make timings of matrix products whose calls cost a device ``call`` seconds and the CPU next to nothing."""
    found = []
    for repeat in range(4):
        for side in (4, 16, 64, 256, 1024):
            each = {CORES: 1e-6 + cpu * side**3, DEVICE: call + device * side**3}
            noise = 1 + 0.01 * repeat
            found += [Timing(arm, "product", side, repeat, seconds * noise) for arm, seconds in each.items()]
    return found


def test_a_crossover_lies_where_the_lines_meet() -> None:
    sizes = [1, 10, 100]
    assert crossover(sizes, [1.0, 10.0, 100.0], [10.0, 10.0, 10.0]) == pytest.approx(10)
    assert crossover(sizes, [1.0, 10.0, 100.0], [math.sqrt(1000)] * 3) == pytest.approx(math.sqrt(1000))
    assert crossover(sizes, [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]) == 1
    assert crossover(sizes, [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]) is None
    assert crossover(sizes, [1.0, 1.0, 1.0], [0.5, 0.5, 1.0]) is None  # must pay at the largest size


def test_an_accelerator_that_wavers_is_worth_it_from_where_it_stays_faster() -> None:
    found = crossover([1, 10, 100, 1000], [1.0] * 4, [0.5, 2.0, 2.0, 0.5])
    assert found == pytest.approx(math.sqrt(100 * 1000))


def test_the_planted_crossover_is_among_the_trials_once_a_repeat() -> None:
    found = [trial for trial in trials(planted(1e-4)) if trial.metric == "crossover_side"]
    assert [trial.replicate for trial in found] == [0, 1, 2, 3]
    assert all(16 < trial.value < 256 for trial in found)
    assert all(trial.x is None and trial.arm == DEVICE for trial in found)


def test_without_an_accelerator_nothing_is_compared_and_both_claims_wait(tmp_path: Path) -> None:
    assert speed.arms("cpu") == [NUMPY, TORCH]
    assert speed.arms("cuda") == [NUMPY, TORCH, CORES, DEVICE]
    _write(tmp_path, list(speed.measure(SETTINGS, 1, "cpu", 0)))
    evidence, waiting = _gathered(tmp_path)
    assert evidence == []
    assert set(waiting) == {"P5", "P5-small"}
    assert "no arm 'accelerator'" in waiting["P5-small"]


@pytest.mark.parametrize(
    ("timings", "verdicts"),
    [
        (planted(1e-4), {"P5": "supported", "P5-small": "supported"}),
        (planted(1e-4, device=1e-9), {"P5": "refuted", "P5-small": "supported"}),
        (planted(1e-8), {"P5": "supported", "P5-small": "refuted"}),
    ],
    ids=["as claimed", "never faster", "always faster"],
)
def test_a_planted_device_gets_the_verdicts_that_it_deserves(
    timings: list[Timing], verdicts: dict[str, str], tmp_path: Path
) -> None:
    more = [one._replace(repeat=one.repeat + 4 * turn) for turn in range(3) for one in timings]
    _write(tmp_path, more)
    evidence, _ = _gathered(tmp_path)
    settings = load_params(tmp_path / "params.yaml").judge
    assert {finding.claim.id: finding.verdict for finding in judge(evidence, settings, 1)} == verdicts


def _write(root: Path, timings: list[Timing]) -> None:
    (root / "params.yaml").write_text(TEXT)
    write_trials(root / "speed/all/trials.csv", "primer", trials(timings))


def _gathered(root: Path) -> tuple[list[Evidence], dict[str, str]]:
    claims = [claim for claim in load_claims(ROOT / "claims.yaml") if claim.trials == "speed/all"]
    return gather(claims, load_params(root / "params.yaml"), root)


@pytest.mark.parametrize("operation", ["product", "entrywise", "sum"])
def test_all_arms_compute_the_same(operation: str) -> None:
    known = np.asarray(speed.call(NUMPY, operation, 17, 1, "cpu")())
    for arm in (TORCH, CORES, DEVICE):
        found = speed.call(arm, operation, 17, 1, "cpu")()
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), known, rtol=1e-4, atol=1e-5)


def test_a_known_time_is_measured_and_a_device_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds_a_call(lambda: time.sleep(0.002), 0.01) == pytest.approx(0.002, rel=0.5)
    waited: list[str] = []
    monkeypatch.setattr(speed, "wait", waited.append)
    seconds_a_call(lambda: None, 1e-5, "cuda")
    assert set(waited) == {"cuda"}
    assert len(waited) % 2 == 0  # before and after each round


def test_the_stage_times_everything_in_every_repeat_and_leaves_this_process_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("device: auto", "device: cpu"))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    stage_module.main(Stage("speed", None, load_params(path)))
    assert torch.get_num_threads() == threads
    table = read_trials(tmp_path / "data/speed/all/trials.csv")
    assert set(table["arm"]) == {NUMPY, TORCH}
    assert (table.groupby(["arm", "metric", "x"])["replicate"].nunique() == 2).all()
    assert set(table[table["metric"] == "product_decades"]["x"]) == {3.0, 5.0}
    assert set(table[table["metric"] == "sum_microseconds"]["x"]) == {6.0, 9.0}
    assert (table[table["metric"].str.endswith("microseconds")]["value"] > 0).all()
