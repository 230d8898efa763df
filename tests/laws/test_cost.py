"""Laws of the cost study: fits find what was planted, and no measurement disturbs another or the caller."""

from __future__ import annotations

import os
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from stages import cost as stage_module
from torchstone.core.files import write_arrays
from torchstone.core.params import load_params
from torchstone.core.processes import apart
from torchstone.core.rng import numpy_stream
from torchstone.core.schema import Cost
from torchstone.core.stage import Stage
from torchstone.core.trials import read_trials
from torchstone.studies.batchsize import memory
from torchstone.studies.batchsize.cost import (
    Learner,
    Measurement,
    Workload,
    gain_at_the_top,
    measure,
    measurements,
    memory_exponent,
    memory_line,
    saturation,
    trials,
)

SIZES = np.array([1, 4, 16, 64, 256, 1024, 4096, 16384])
NETWORK = {"throughput", "log2_throughput", "epoch_seconds", "step_seconds", "peak_bytes"}
FIT = {
    "memory_linearity", "memory_exponent", "bytes_a_row", "bytes_fixed", "gain_at_the_top",
    "limit_throughput", "half_saturation", "saturation",
}  # fmt: skip


def workload(rows: int = 50) -> Workload:
    random = numpy_stream(1, "test", "cost")
    x, y = random.standard_normal((rows, 40)).astype(np.float32), random.integers(0, 10, rows)
    return Workload(x, y, 10, (64, 64), "sgd", 0.05, 0.9, 1, "cpu")


# ---------------------------------------------------------------- fits of planted data


@pytest.mark.parametrize(("a", "b"), [(4e-4, 1.5e-6), (1e-5, 1e-3), (30.0, 1e-7)])
def test_a_planted_saturation_is_recovered(a: float, b: float) -> None:
    assert saturation(SIZES, a + b * SIZES) == pytest.approx(
        {"limit_throughput": 1 / b, "half_saturation": a / b, "saturation": 9 * a / b}, rel=1e-9
    )


def test_the_planted_limit_is_reached_by_half_and_by_nine_tenths_at_the_sizes_that_are_named() -> None:
    fit = saturation(SIZES, 4e-4 + 1.5e-6 * SIZES)
    for size, share in ((fit["half_saturation"], 0.5), (fit["saturation"], 0.9)):
        assert size / (4e-4 + 1.5e-6 * size) == pytest.approx(share * fit["limit_throughput"])


def test_small_and_large_steps_weigh_alike_in_the_fit() -> None:
    noisy = (4e-4 + 1.5e-6 * SIZES) * np.array([1.02, 0.98] * 4)
    fit = saturation(SIZES, noisy)
    assert fit["limit_throughput"] == pytest.approx(1 / 1.5e-6, rel=0.03)
    assert fit["half_saturation"] == pytest.approx(4e-4 / 1.5e-6, rel=0.05)


def test_a_fit_without_meaning_yields_no_number() -> None:
    assert set(saturation(SIZES, SIZES - 0.5)) == {"limit_throughput"}, "faster than in proportion: nothing saturates"
    assert saturation(SIZES, 2 - 1e-4 * SIZES) == {}, "a larger batch is faster a step: no limit"


def test_peaks_on_a_line_have_r_squared_1() -> None:
    found = memory_line(SIZES, 5000 + 2311 * SIZES)
    assert found == pytest.approx({"memory_linearity": 1.0, "bytes_a_row": 2311, "bytes_fixed": 5000}, rel=1e-9)


def test_peaks_that_bend_have_less_and_equal_ones_have_none() -> None:
    assert memory_line(SIZES, SIZES.astype(np.float64) ** 2)["memory_linearity"] < 0.98
    assert "memory_linearity" not in memory_line(SIZES, np.full(len(SIZES), 4096))


def test_the_gain_at_the_top_is_that_of_one_doubling_in_any_order() -> None:
    assert gain_at_the_top([1, 4, 16], [1, 5, 10]) == pytest.approx(2**0.5 - 1)
    assert gain_at_the_top([16, 1, 4], [10, 1, 5]) == pytest.approx(2**0.5 - 1)
    assert gain_at_the_top([8, 16], [7, 7]) == 0


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.3])
def test_the_exponent_of_memory_tells_a_line_from_a_power_which_r_squared_does_not(exponent: float) -> None:
    peaks = 2311 * SIZES.astype(np.float64) ** exponent
    assert memory_exponent(SIZES, peaks) == pytest.approx(exponent)
    assert memory_line(SIZES, peaks)["memory_linearity"] > 0.98


@pytest.mark.parametrize("fit", [memory_line, saturation, gain_at_the_top, memory_exponent])
@pytest.mark.parametrize("sizes", [[], [8], [8, 8]])
def test_a_fit_needs_two_sizes(fit: partial[object], sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="needs two different ones"):
        fit(sizes, [1.0] * len(sizes))


# ---------------------------------------------------------------- how it is measured


def probe(folder: Path, work: Workload, size: int, repeat: int, seconds: float) -> Measurement:
    start = time.monotonic()
    time.sleep(seconds)
    (folder / f"{start}").write_text(f"{os.getpid()} {time.monotonic()}")
    return Measurement(size, repeat, seconds, len(work.x))


def test_each_measurement_has_a_process_of_its_own_and_none_runs_beside_another(tmp_path: Path) -> None:
    found = list(measurements(workload(), [16, 4, 64, 4], 2, 0.01, label="test", measure=partial(probe, tmp_path)))
    assert [(one.repeat, one.size) for one in found] == [(r, size) for r in range(2) for size in (4, 16, 64)]
    logs = sorted(tmp_path.iterdir(), key=lambda path: float(path.name))
    starts = [float(path.name) for path in logs]
    processes, ends = zip(*(path.read_text().split() for path in logs), strict=True)
    assert len({*processes, str(os.getpid())}) == len(found) + 1
    assert all(float(end) <= start for end, start in zip(ends[:-1], starts[1:], strict=True))


def test_a_batch_four_times_as_large_takes_at_least_twice_the_memory() -> None:
    found = list(measurements(workload(), [256, 1024, 4096, 16384], 1, 0.001, label="test"))
    _, small, large, largest = peaks = [one.peak_bytes for one in found]
    assert large >= 2 * small
    assert largest >= 2 * large
    assert largest >= 16384 * (48 + 64 + 64) * 4, "the batch and two layers of activations are in it"
    assert memory_line([one.size for one in found], peaks)["memory_linearity"] > 0.99
    assert all(one.step_seconds > 0 for one in found)


def test_memory_is_found_where_the_system_forgets_no_peak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "FORGET", tmp_path / "none" / "clear_refs")
    monkeypatch.setattr(memory, "_resident", lambda field: None)
    small, large = (one.peak_bytes for one in measurements(workload(), [4096, 16384], 1, 0.001, label="test"))
    assert large >= 16384 * (48 + 64 + 64) * 4
    assert large >= 2 * small


def global_states() -> tuple[list[int], list[int]]:
    numpy_state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002  the one that must not move
    return torch.get_rng_state().tolist(), [*numpy_state["key"], numpy_state["pos"]]


def moves_no_generator(size: int) -> bool:
    before = global_states()
    measure(workload(), size, 0, 0.001)
    return global_states() == before


def test_the_global_generators_stay_where_they_are() -> None:
    assert list(apart(moves_no_generator, [(8,)], label="test")) == [True]


def test_rows_are_repeated_in_a_cycle() -> None:
    work = workload(rows=5)
    x, y = work.batch(12)
    assert x.shape == (1, 12, 48)
    assert y.shape == (1, 12)
    assert torch.equal(x[0, :5], x[0, 5:10])
    assert torch.equal(x[0, 10:, :40], torch.from_numpy(work.x[:2]))
    assert torch.equal(y[0], torch.from_numpy(work.y[[0, 1, 2, 3, 4] * 2 + [0, 1]]))


class Clockwork(Learner):
    """Takes 10 ms a step by its own account, the first five times that."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def take(self, steps: int, batch: object) -> float:
        self.rounds.append(steps)
        return 0.01 * steps + (0.04 if len(self.rounds) == 1 else 0.0)


def test_a_measurement_lasts_long_enough_after_a_warm_up_that_is_not_counted() -> None:
    learner = Clockwork()
    assert learner.step_seconds(workload().batch(1), 0.5) == pytest.approx(0.01)
    assert learner.rounds[-1] * 0.01 >= 0.5
    assert len(learner.rounds) > 1


# ---------------------------------------------------------------- the trials table


def test_a_planted_machine_is_found_in_the_trials() -> None:
    planted = [
        Measurement(int(size), repeat, 4e-4 + 1.5e-6 * (1 + repeat) * size, int(8192 + 2311 * size))
        for repeat in range(2)
        for size in SIZES
    ]
    found = {(one.arm, one.x, one.replicate, one.metric): one.value for one in trials(planted, rows=1000)}
    assert found["network", 64.0, 0, "epoch_seconds"] == pytest.approx(1000 / 64 * (4e-4 + 1.5e-6 * 64))
    assert found["network", 64.0, 0, "throughput"] == pytest.approx(64 / (4e-4 + 1.5e-6 * 64))
    assert found["fit", None, 1, "half_saturation"] == pytest.approx(4e-4 / 3e-6)
    assert found["fit", None, 1, "memory_linearity"] == pytest.approx(1.0)
    assert 0 < found["fit", None, 0, "gain_at_the_top"] < 0.1


def test_the_stage_writes_every_metric_of_every_size_and_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = load_params(Path(__file__).parents[2] / "params.yaml")
    settings = Cost(sizes=[1, 16, 256, 2048], repeats=2, seconds=0.001)
    shared = params.shared.model_copy(update={"device": "cpu"})
    monkeypatch.chdir(tmp_path)
    stage = Stage("cost", "digits", params.model_copy(update={"cost": settings, "shared": shared}))
    random = numpy_stream(1, "test", "cost")
    x, y = random.standard_normal((2, 60, 8, 8)).astype(np.float32), random.integers(0, 10, (2, 60))
    write_arrays(stage.input("prepare", "train.npz"), {"x": x, "y": y, "classes": 10})
    stage_module.main(stage)
    table = read_trials(Path("data/cost/digits/trials.csv"))
    network = Counter(table[table["arm"] == "network"]["metric"])
    assert network == dict.fromkeys(NETWORK, len(settings.sizes) * settings.repeats)
    assert set(table[table["arm"] == "network"]["x"]) == set(settings.sizes)
    assert set(table[table["arm"] == "fit"]["metric"]) <= FIT
    assert set(table["study"]) == {"batch-size"}
    assert set(table["replicate"]) == {0, 1}
