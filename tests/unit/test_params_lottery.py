"""Laws of params.yaml: the lottery study's tasks fit their data, its rounds are a chain, and trials name its rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.params_text import TEXT, complaint
from torchstone.core.errors import InputError
from torchstone.core.params import load_params

WHERE = "prune.tasks.waveform"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "dataset: waveform\n",
            "dataset: wavefrom\n",
            "prune.dataset = wavefrom: no such task; did you mean 'waveform'?",
        ),
        ("dataset: waveform\n", "dataset: digits\n", "prune.dataset = digits: no such task; known: waveform"),
        ("replicates: 2, hidden", "replicates: 3, hidden", f"{WHERE}.replicates = 3: prepare.waveform makes 2"),
        ("batch: 10", "batch: 31", f"{WHERE}.batch = 31: prepare.waveform makes 30 training rows"),
        ("window: 3", "window: 4", f"{WHERE}.window = 4: an odd number has a middle; take 5"),
        ("shape: [1, 21]", "shape: [1, 1]", f"{WHERE}.shape = [1, 1]: give the rows and columns of an input"),
        ("{waveform: 0.02}", "{digits: 0.02}", "depth.margins: no row 'waveform'; every task needs one"),
        ("{waveform: 0.02}", "{}", "depth.margins: no row 'waveform'; every task needs one"),
        (
            "rewind: 7",
            "rewind: 35",
            f"{WHERE}.updates = 40: 3 looks take 6 updates, and a rewound ticket has 35 behind it",
        ),
        (
            "updates: 40",
            "updates: 12",
            f"{WHERE}.updates = 12: 3 looks take 6 updates, and a rewound ticket has 7 behind it",
        ),
    ],
)
def test_a_task_that_does_not_fit_its_data_or_its_own_length_is_refused(
    path: Path, old: str, new: str, expected: str
) -> None:
    assert complaint(path, old, new) == expected


def test_a_rewound_ticket_that_has_just_a_window_of_looks_left_is_allowed(path: Path) -> None:
    path.write_text(TEXT.replace("rewind: 7", "rewind: 34"))
    assert load_params(path).prune.tasks["waveform"].rewind == 34


def test_a_task_of_an_unknown_data_set_or_one_not_prepared_is_refused(path: Path) -> None:
    content = yaml.safe_load(TEXT)
    tasks = content["prune"]["tasks"]
    tasks["wavefrom"] = tasks["waveform"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r": prune\.tasks\.wavefrom: unknown data set; did you mean 'waveform'\?$"):
        load_params(path)
    tasks["mnist1d"] = tasks.pop("wavefrom")
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r": prune\.tasks\.mnist1d: not prepared; add a row prepare\.mnist1d$"):
        load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("r02: {after", "r03: {after", "prune.rounds.r03: call it 'r02'; rounds count from r00 without a gap"),
        ("    r00: {after: start}\n", "", "prune.rounds.r01: call it 'r00'; rounds count from r00 without a gap"),
        ("r02: {after", "round2: {after", "prune.rounds.round2: call it 'r02'; rounds count from r00 without a gap"),
        ("after: r01", "after: r00", "prune.rounds.r02.after = r00: it follows 'r01'"),
        ("after: start", "after: r02", "prune.rounds.r00.after = r02: it follows 'start'"),
        ("after: r01", "after: r02", "prune.rounds.r02.after = r02: it follows 'r01'"),
        ("[r00, r02]", "[r00, r03]", "control.rounds: no round 'r03'; did you mean 'r02'?"),
        ("[r00, r02]", "[r00, r02, r00]", "control.rounds = ['r00', 'r02', 'r00']: one is given twice"),
    ],
)
def test_rounds_that_are_no_chain_and_controls_of_no_round_are_refused(
    path: Path, old: str, new: str, expected: str
) -> None:
    assert complaint(path, old, new) == expected


def test_rounds_may_lack_controls_but_not_each_other(path: Path) -> None:
    path.write_text(TEXT.replace("[r00, r02]", "[]"))
    assert load_params(path).rows("control") == []
    message = complaint(path, "  rounds:\n    r00: {after: start}\n    r01: {after: r00}\n    r02: {after: r01}\n",
                        "  rounds: {}\n")  # fmt: skip
    assert message.startswith("prune.rounds = {}: ")


def test_a_pattern_of_trials_names_rows_of_the_params_in_their_order_and_plus_adds_others(path: Path) -> None:
    params = load_params(path)
    assert params.matching("prune/r*") == [("prune", "r00"), ("prune", "r01"), ("prune", "r02")]
    assert params.matching("prune/r02 + control/*") == [("prune", "r02"), ("control", "r00"), ("control", "r02")]
    assert params.matching("depth/all + start/all") == [("depth", "all"), ("start", "all")]
    assert params.matching("sweep/waveform-*") == [("sweep", "waveform-b0024"), ("sweep", "waveform-b0006")]
    assert params.matching("prune/r07") == params.matching("judge/all") == params.matching("prune/R00") == []
    assert params.matching("prune/r00 + prune/r07") == [("prune", "r00")]


def test_the_lottery_study_has_the_data_set_of_its_params_and_others_the_one_that_their_key_names(path: Path) -> None:
    content = yaml.safe_load(TEXT)
    content["prune"]["tasks"]["digits"] = content["prune"]["tasks"]["waveform"]
    content["depth"]["margins"]["digits"] = 0.01
    content["prune"]["dataset"] = "digits"
    path.write_text(yaml.safe_dump(content))
    params = load_params(path)
    for stage, key in (("start", "all"), ("prune", "r01"), ("control", "r02"), ("depth", "all")):
        assert params.dataset(stage, key) == "digits"
    assert params.dataset("sweep", "waveform-b0006") == params.dataset("ensemble", "waveform") == "waveform"
