"""Laws of the checkpoints: stale ones cannot be found, damaged ones are made again, finished ones are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchstone.core import stage as stage_module
from torchstone.core.files import Arrays, write_text
from torchstone.core.params import load_params
from torchstone.core.resume import Resume, identity
from torchstone.core.stage import Stage

ROOT = Path(__file__).parents[2]
PARTS: dict[str, Any] = {
    "stage": "ensemble",
    "key": "waveform",
    "params": {"seed": 1, "cells": {"a": [1, 2]}},
    "inputs": {"data/x.npz": "aa"},
    "code": {"code": {"module": {"f": "00"}}, "libraries": {"torch": "2.13"}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "sweep"},
        {"key": "digits"},
        {"params": {"seed": 2, "cells": {"a": [1, 2]}}},
        {"params": {"seed": 1, "cells": {"a": [2, 1]}}},
        {"inputs": {"data/x.npz": "ab"}},
        {"inputs": {"data/x.npz": "aa", "data/y.npz": "aa"}},
        {"code": {"code": {"module": {"f": "01"}}, "libraries": {"torch": "2.13"}}},
        {"code": {"code": {"module": {"f": "00"}}, "libraries": {"torch": "2.14"}}},
    ],
)
def test_the_identity_changes_with_any_part(change: dict[str, Any]) -> None:
    assert identity(PARTS | change) != identity(PARTS)


def test_the_identity_does_not_depend_on_the_order_of_keys() -> None:
    assert identity(dict(reversed(PARTS.items()))) == identity(PARTS)


def test_a_stage_looks_elsewhere_when_params_inputs_code_or_key_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = {"version": 1}
    monkeypatch.setattr(stage_module, "fingerprint", lambda _: dict(code))
    params = load_params(ROOT / "params.yaml")

    def folder(key: str = "waveform", seed: int = 1, content: str = "a", version: int = 1) -> Path:
        code["version"] = version
        for name in ("waveform", "digits"):
            write_text(Path("data/prepare", name, "train.npz"), content)
        changed = params.model_copy(update={"shared": params.shared.model_copy(update={"seed": seed})})
        stage = Stage("ensemble", key, changed)
        stage.input("prepare", "train.npz")
        return stage.resume().folder

    folders = [folder(), folder("digits"), folder(seed=2), folder(content="b"), folder(version=2)]
    assert len(set(folders)) == 5
    assert folder() == folders[0]


def square(number: int) -> Arrays:
    return {"square": np.asarray(number**2)}


def refuse(number: int) -> Arrays:
    raise RuntimeError(f"job {number} was to be found, not run")


JOBS = {f"job-{number}": (number,) for number in range(5)}


def collected(resume: Resume, function: Any = square) -> list[int]:
    return [int(arrays["square"]) for arrays in resume.pieces(function, JOBS, label="test", workers=1)]


def test_pieces_come_in_the_order_of_the_jobs_and_are_not_run_again(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")
    assert collected(resume) == [0, 1, 4, 9, 16]
    assert collected(resume, refuse) == [0, 1, 4, 9, 16]


def test_only_what_is_missing_or_damaged_is_run_again(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")
    collected(resume)
    (tmp_path / "id" / "job-1.npz").write_bytes(b"PK half a file")
    (tmp_path / "id" / "job-3.npz").unlink()
    ran = []

    def watched(number: int) -> Arrays:
        ran.append(number)
        return square(number)

    assert collected(resume, watched) == [0, 1, 4, 9, 16]
    assert ran == [1, 3]


def test_what_was_finished_before_a_failure_is_kept(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")

    def fails_at_3(number: int) -> Arrays:
        return refuse(number) if number == 3 else square(number)

    with pytest.raises(RuntimeError, match="job 3"):
        collected(resume, fails_at_3)
    assert sorted(path.stem for path in (tmp_path / "id").iterdir()) == ["job-0", "job-1", "job-2"]


def test_clearing_deletes_everything_and_may_be_repeated(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "id")
    resume.clear()
    resume.save("a/b", {"x": np.zeros(2)})
    assert resume.load("a/b") is not None
    resume.clear()
    assert not (tmp_path / "id").exists()
    assert resume.load("a/b") is None


def test_a_later_state_replaces_the_earlier_one(tmp_path: Path) -> None:
    resume = Resume(tmp_path)
    for step in (3, 7):
        resume.save("state", {"step": np.asarray(step)})
    found = resume.load("state")
    assert found is not None
    assert int(found["step"]) == 7
    assert len(list(tmp_path.iterdir())) == 1
