"""Laws of the recorded week: it is what the published file gives, and other params than its own refuse it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stages.week import check
from torchstone.core.errors import InputError
from torchstone.core.files import read_json, write_json
from torchstone.core.params import load_params
from torchstone.core.trials import read_trials
from torchstone.data import metr_la
from torchstone.studies.navigation import learners
from torchstone.studies.navigation.week import TRAIN, VALID, Recorded, learned, measured_with

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "records" / "week-metr-la.csv"


def test_the_record_was_made_with_the_default_params() -> None:
    params = load_params(ROOT / "params.yaml")
    wanted = measured_with(params.forecast, params.week.sets["metr-la"], params.shared.seed)
    check(RECORD.with_suffix(".json"), wanted, strict=True)


def test_a_record_of_other_params_is_refused_by_name_unless_it_may_stand_in(tmp_path: Path) -> None:
    kept = read_json(RECORD.with_suffix(".json"))
    record = tmp_path / "week-metr-la.json"
    write_json(record, kept)
    wanted = {**kept, "forecast.leaf": 77}
    with pytest.raises(InputError, match=rf"measured with forecast\.leaf = {kept['forecast.leaf']}, but it is 77 now"):
        check(record, wanted, strict=True)
    check(record, wanted, strict=False)
    with pytest.raises(InputError, match=r"forecast\.new"):
        check(record, {**kept, "forecast.new": 1}, strict=True)


def test_the_published_week_gives_the_recorded_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    roots = [root for root in (os.environ.get("TORCHSTONE_DATA"), ROOT.parent / "shared/data") if root]
    found = [root for root in roots if (Path(root) / metr_la.FOLDER / "los_speed.csv").exists()]
    if not found:
        pytest.skip("the published week is not on this machine; set TORCHSTONE_DATA to the folder above metr-la-week/")
    monkeypatch.setenv("TORCHSTONE_DATA", str(found[0]))
    monkeypatch.setattr(learners, "bagged", lambda _x, _y, test, *_: np.zeros(len(test)))  # slow, and a tree is there
    params = load_params(ROOT / "params.yaml")
    row, horizon = params.week.sets["metr-la"], 15
    speeds, near = metr_la.week()
    week = Recorded(
        speeds.transpose(1, 0, 2).reshape(len(near), -1), near, metr_la.BINS, metr_la.FIRST_WEEKDAY
    )  # fmt: skip
    total, most = week.speeds.shape[1], max(params.forecast.horizons) // 5
    length = (total - most - int((TRAIN + VALID) * total) - 1) // row.blocks
    test = np.arange(total - most - row.blocks * length, total - most)
    settings = params.forecast.model_copy(update={"rounds": row.rounds})
    said = learned(week, week.usual(), test, settings, horizon // 5, row.rows, params.shared.seed)
    record = read_trials(RECORD)
    for arm in ("history", "last value", "tree", "gradient boosting"):
        rows = record[(record["arm"] == arm) & (record["x"] == horizon) & (record["metric"] == "mae")]
        assert len(rows) == row.blocks
        for block, value in zip(rows["replicate"], rows["value"], strict=True):
            part = slice(block * length, (block + 1) * length)
            mae = float(np.abs(said[arm][:, part] - week.speeds[:, test[part] + horizon // 5]).mean())
            assert mae == pytest.approx(value, rel=1e-3), arm
