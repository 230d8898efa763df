"""Laws of the adversarial study's params: games that contradict themselves and images of nothing are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.params_text import complaint
from torchstone.core.params import load_params


def test_games_and_images_are_rows(path: Path) -> None:
    params = load_params(path)
    assert params.rows("gan") == ["plain", "slope"]
    assert params.rows("forge") == ["digits"]
    assert params.dataset("forge", "digits") == "digits"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pack: 2", "pck: 2", "gan.games.slope.pck: unknown key; did you mean 'pack'?"),
        ("samples: 17", "smaples: 17", "gan.plane.smaples: unknown key; did you mean 'samples'?"),
        ("judge_epochs: 3", "judge_epoch: 3", "forge.digits.judge_epoch: unknown key; did you mean 'judge_epochs'?"),
        ("orbit: 21", "orbits: 21", "exact.orbits: unknown key; did you mean 'orbit'?"),
        ("strength: 7.0", "strength: 0.0", "gan.games.slope.strength = 0: goes with a penalty, and with one only"),
        ("budgets: [2, 8]", "budgets: [8, 2]", "gan.plane.budgets: they must rise"),
        ("budgets: [3, 6]", "budgets: [3, 3]", "forge.digits.budgets: they must rise"),
        ("rates: [0.011]", "rates: [0.011, 0.1]", "gan.plane: mlp and one rate, for nothing is chosen there"),
        ("games: [plain]", "games: [plane]", "forge.digits.games: no game 'plane'; did you mean 'plain'?"),
        ("dataset: digits,", "dataset: waveform,", "forge.digits.dataset: 'waveform' has no images"),
        ("dataset: digits,", "dataset: mnist,", "forge.digits: not prepared; add a row prepare.mnist"),
        ("replicates: 2, net", "replicates: 9, net", "forge.digits.replicates = 9: prepare makes 2"),
        ("  digits: {dataset", "  figures: {dataset", "forge.figures: begin its name with 'digits', its data set"),
    ],
)
def test_what_is_wrong_with_a_game_is_said(path: Path, old: str, new: str, expected: str) -> None:
    assert expected in complaint(path, old, new).splitlines()
