"""dvc.lock is read by the rules by which DVC writes it."""

from __future__ import annotations

from pathlib import Path

from torchstone.core.why import locked_stages


def test_a_small_number_of_the_lock_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages:\n  a:\n    params:\n      params.yaml:\n        width: 1e-05\n")
    assert locked_stages(tmp_path)["a"]["params"]["params.yaml"]["width"] == 1e-05
