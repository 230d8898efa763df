"""Laws of the navigation sections: what does not fit together is named before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchstone.core.errors import InputError
from torchstone.core.params import load_params

ROOT = Path(__file__).parents[2]


def test_every_stage_of_a_city_has_its_row_and_a_week_has_its_own() -> None:
    params = load_params(ROOT / "params.yaml")
    for stage in ("network", "traffic", "probes", "match", "forecast", "eta", "route", "feedback"):
        assert params.rows(stage) == ["city"]
    assert params.rows("week") == ["metr-la"]
    assert params.week.sets["metr-la"].source == "recorded"  # the default needs no network


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  main: 0.05 ", "  main: 0.07 ", "probes.main = 0.07: not among probes.shares"),
        ("  train: 14 ", "  train: 21 ", "forecast.train + forecast.valid leave 0 of 28 days to test on"),
        ("  calibrate: 3 ", "  calibrate: 7 ", "eta.calibrate = 7: leave some of the 7 validation days"),
        ("horizons: [5, 15,", "horizons: [5, 12,", "forecast.horizons: 12 is no multiple of five minutes"),
        ("{source: recorded", "{source: invented", "week.sets.metr-la.source = 'invented'"),
        ("  platoon: 5 ", "  platon: 5 ", "traffic.platon: unknown key; did you mean 'platoon'?"),
        ("  followers: [0.1, 0.5, 1.0]", "  followers: [0.01, 1.1]", "feedback.followers.1 = 1.1"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert text.count(old) == 1, old
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert expected in str(caught.value)
