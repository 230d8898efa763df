"""Laws of the real week: it is looked for on disk, checked by its hash, and refused if it is another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pooch
import pytest

from torchstone.core.errors import InputError
from torchstone.data import metr_la

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that holds the week, or skip."""
    for root in (os.environ.get("TORCHSTONE_DATA"), ROOT.parent / "shared/data"):
        if root and (Path(root) / metr_la.FOLDER / "los_speed.csv").exists():
            monkeypatch.setenv("TORCHSTONE_DATA", str(root))
            return Path(root) / metr_la.FOLDER
    pytest.skip("the published week is not on this machine; set TORCHSTONE_DATA to the folder above metr-la-week/")


def test_it_is_a_week_of_miles_an_hour_without_gaps(folder: Path) -> None:
    speeds, near = metr_la.week()
    assert speeds.shape == (7, 207, 288)
    assert 1.0 <= speeds.min() <= speeds.max() <= 70.0
    assert speeds.mean() == pytest.approx(58.9, abs=0.05)
    weekend = [(metr_la.FIRST_WEEKDAY + day) % 7 in (5, 6) for day in range(7)]
    rush = speeds[:, :, 7 * 12 : 9 * 12].mean(axis=(1, 2))
    assert rush[weekend].min() > rush[[not one for one in weekend]].max()  # the dates are METR-LA's
    np.testing.assert_array_equal(near, near.T)


def test_a_file_that_is_not_the_published_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / metr_la.FOLDER / "los_speed.csv"
    path.parent.mkdir()
    path.write_text("773869,767541\n1,2\n")
    monkeypatch.setenv("TORCHSTONE_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"los_speed\.csv: damaged, it has not the sha256 7b732d86"):
        metr_la.content_of("los_speed.csv")


def test_a_missing_file_is_fetched_and_a_failure_names_address_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHSTONE_DATA", str(tmp_path))

    def retrieve(address: str, **_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(InputError, match=r"219a2346.*could not be fetched \(no route to host\).*TORCHSTONE_DATA"):
        metr_la.content_of("los_adj.csv")


def test_what_was_fetched_is_read_from_disk_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHSTONE_DATA", str(tmp_path))

    def retrieve(address: str, *, fname: str, path: Path, **_: object) -> None:
        path.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / fname, path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    first = metr_la.content_of("los_adj.csv")
    monkeypatch.setattr(pooch, "retrieve", None)
    assert metr_la.content_of("los_adj.csv") == first
