"""Laws of the trials table: sorted, finite, measured once, and the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchstone.core.errors import InputError
from torchstone.core.trials import COLUMNS, Trial, as_arrays, from_arrays, read_trials, write_trials

TRIALS = [
    Trial("tree", 2, 1, "error", 0.1 + 0.2),
    Trial("tree", None, 0, "disagreement", 1 / 3),
    Trial("bag", 10, 0, "error", 5e-324),
    Trial("tree", 10, 0, "error", -1.5),
    Trial("tree", 2, 0, "error", 0.25),
]


def test_what_is_written_is_read_again_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    write_trials(path, "study", TRIALS)
    frame = read_trials(path)
    assert list(frame.columns) == COLUMNS
    assert set(frame["study"]) == {"study"}
    found = from_arrays({name: frame[name].to_numpy() for name in COLUMNS[1:]})
    assert set(found) == set(TRIALS)


def test_rows_are_sorted_so_that_the_order_of_work_changes_no_byte(tmp_path: Path) -> None:
    write_trials(tmp_path / "one", "study", TRIALS)
    write_trials(tmp_path / "two", "study", TRIALS[::-1])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert [line.split(",")[1:4] for line in (tmp_path / "one").read_text().splitlines()[1:]] == [
        ["bag", "10.0", "0"],
        ["tree", "", "0"],
        ["tree", "2.0", "0"],
        ["tree", "2.0", "1"],
        ["tree", "10.0", "0"],
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_and_shown(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match=r"not finite: .*'bad'"):
        write_trials(tmp_path / "file", "study", [*TRIALS, Trial("bad", 1, 0, "error", value)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("again", [TRIALS[0], TRIALS[1]._replace(value=0.7)])
def test_the_same_thing_measured_twice_is_refused(tmp_path: Path, again: Trial) -> None:
    with pytest.raises(ValueError, match="measured twice"):
        write_trials(tmp_path / "file", "study", [*TRIALS, again])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2\n", "columns are"),
        ("study,arm,x,replicate,metric,value\ns,a,,0,m,nan\n", "1 values are not finite"),
        ("study,arm,x,replicate,metric,value\ns,a,,0,m,\n", "1 values are not finite"),
        ("study,arm,x,replicate,metric,value\ns,a,,0,m,inf\n", "1 values are not finite"),
        ("study,arm,x,replicate,metric,value\ns,a,,0,m,high\n", "damaged trials table"),
        ("study,arm,x,replicate,metric,value\ns,a,,first,m,1\n", "damaged trials table"),
        ("study,arm,x,replicate,metric,value\ns,a,,,m,1\n", "damaged trials table"),
        ("", "damaged trials table"),
    ],
)
def test_a_table_that_breaks_the_contract_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "trials.csv").write_text(text)
    with pytest.raises(InputError, match=rf"trials\.csv: {complaint}"):
        read_trials(tmp_path / "trials.csv")
    with pytest.raises(InputError, match="file is missing"):
        read_trials(tmp_path / "none.csv")


def test_a_checkpoint_of_trials_gives_them_back() -> None:
    assert from_arrays(as_arrays(TRIALS)) == TRIALS
