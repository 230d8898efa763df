"""Laws of a stage: nothing runs twice or with a wrong key, and every failure is one short message."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchstone.core import stage as module
from torchstone.core.errors import InputError
from torchstone.core.files import write_arrays
from torchstone.core.params import load_params
from torchstone.core.schema import Params
from torchstone.core.stage import Stage, run

ROOT = Path(__file__).parents[2]
Main = Callable[[Stage], None]


def rows(params: Params) -> list[str]:
    return params.rows("prepare")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCHSTONE_TRACEBACK", raising=False)
    monkeypatch.setattr(module, "die_with_parent", lambda: None)
    monkeypatch.setattr(sys, "addaudithook", lambda hook: None)  # it could never be taken off again
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    return tmp_path


@pytest.fixture
def start(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def started(main: Main, *arguments: str, keys: Any = None) -> None:
        monkeypatch.setattr(sys, "argv", [str(project / "prepare.py"), *arguments])
        run(main, keys)

    return started


def failure(start: Callable[..., None], capsys: pytest.CaptureFixture[str], main: Main, *args: str, **keys: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        start(main, *args, **keys)
    assert caught.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.strip()


def works(stage: Stage) -> None:
    write_arrays(stage.output("file.npz"), {"x": np.zeros(2)})


def never(_: Stage) -> None:
    pytest.fail("the stage ran")


def test_paths_follow_from_stage_and_key(start: Callable[..., None], project: Path) -> None:
    def main(stage: Stage) -> None:
        assert stage.input("prepare", "x.npz") == Path("data/prepare/digits/x.npz")
        assert stage.input("prepare", "x.npz", "waveform") == Path("data/prepare/waveform/x.npz")
        stage.write_metrics({"error": 0.5})
        works(stage)

    start(main, "digits", keys=rows)
    assert (project / "data/prepare/digits/file.npz").is_file()
    assert json.loads((project / "metrics/prepare/digits.json").read_text()) == {"error": 0.5}
    start(works)
    assert (project / "data/prepare/all/file.npz").is_file()


def test_a_run_is_logged_outside_the_metrics(start: Callable[..., None], project: Path) -> None:
    start(works, "digits", keys=rows)
    (line,) = (project / ".scratch/runs.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["stage"] == "prepare@digits"
    assert record["seconds"] >= 0
    assert not (project / "metrics").exists()


def test_a_mistyped_key_is_refused_with_the_one_that_was_meant(
    start: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    message = failure(start, capsys, never, "digist", keys=rows)
    assert message == "stage prepare digist: params.yaml: stage prepare has no row 'digist'; did you mean 'digits'?"
    assert "stage prepare needs a key; known: " in failure(start, capsys, never, keys=rows)
    assert "stage prepare takes no key, 'digits' was given" in failure(start, capsys, never, "digits")


def test_the_whole_of_params_is_checked_before_any_work(
    start: Callable[..., None], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("draws:", "drwas:"))
    message = failure(start, capsys, never, "digits", keys=rows)
    assert "params.yaml: judge.drwas: unknown key; did you mean 'draws'?" in message
    assert sorted(path.name for path in project.iterdir()) == ["params.yaml"]


def hold(name: str, folder: str, channel: Connection) -> None:
    os.chdir(folder)
    with module._locked(name):
        channel.send(os.getpid())
        channel.recv()


def test_a_second_run_of_a_running_stage_is_refused_and_told_by_which_process(
    start: Callable[..., None], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=("prepare@digits", str(project), there))
    process.start()
    try:
        holder = here.recv()
        message = failure(start, capsys, never, "digits", keys=rows)
        assert f"prepare@digits is already running in process {holder}; wait for it, or stop it" in message
        assert f"`kill {holder}`" in message
        start(works, "waveform", keys=rows)  # another key is another stage
    finally:
        here.send(None)
        process.join(10)
    start(works, "digits", keys=rows)  # the lock went with its process


def test_a_lock_of_a_process_that_was_killed_holds_nobody(start: Callable[..., None], project: Path) -> None:
    lock = project / ".scratch/locks/prepare@digits.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("4194304000")
    start(works, "digits", keys=rows)
    assert lock.read_text() == str(os.getpid())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk full: nothing was half-written; free some space"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk full"),
        (MemoryError(), "out of memory: close other programs or lower TORCHSTONE_WORKERS"),
        (KeyboardInterrupt(), "stopped; what was finished is kept, `dvc repro` goes on from there"),
        (InputError("params.yaml: key = 3: wrong"), "params.yaml: key = 3: wrong"),
        (ZeroDivisionError("by zero"), "unexpected ZeroDivisionError: by zero (test_stage.py:"),
    ],
)
def test_every_failure_is_one_message_that_says_what_to_do(
    start: Callable[..., None], capsys: pytest.CaptureFixture[str], error: BaseException, expected: str
) -> None:
    def fails(_: Stage) -> None:
        raise error

    message = failure(start, capsys, fails, "digits", keys=rows)
    assert message.startswith(f"stage prepare digits: {expected}")
    assert len(message.splitlines()) == 1


def test_a_full_disk_leaves_no_half_written_output(
    start: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "disk full" in failure(start, capsys, works, "digits", keys=rows)
    assert not list((project / "data/prepare/digits").iterdir())
    start(works, "digits", keys=rows)


def test_the_traceback_is_there_for_those_who_ask(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Stage) -> None:
        raise ZeroDivisionError

    assert "TORCHSTONE_TRACEBACK=1" in failure(start, capsys, fails)
    monkeypatch.setenv("TORCHSTONE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        start(fails)


def test_checkpoints_go_when_the_stage_succeeds_and_stay_when_it_fails(
    start: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "fingerprint", lambda _: {})
    folders = []

    def main(stage: Stage, fails: bool = False) -> None:
        resume = stage.resume()
        assert stage.resume() is resume
        folders.append(resume.folder)
        resume.save("piece", {"x": np.zeros(2)})
        if fails:
            raise ZeroDivisionError

    failure(start, capsys, lambda stage: main(stage, fails=True))
    assert (folders[0] / "piece.npz").is_file()
    start(main)
    assert folders[0] == folders[1]
    assert not folders[0].exists()


def test_files_of_the_project_that_a_run_opens_are_recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: list[Callable[[str, tuple[Any, ...]], None]] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    reads, writes = module._watch_files()
    (hook,) = hooks
    for path, mode in [
        ("params.yaml", "r"),
        (str(project / "data/prepare/x.npz"), "rb"),
        ("data/out.csv", "w"),
        ("/usr/lib/data/other", "r"),
        ("src/torchstone/core/files.py", "r"),
        (3, "r"),
    ]:
        hook("open", (path, mode, 0))
    hook("import", ("data/x", None))
    assert reads == {"params.yaml", "data/prepare/x.npz"}
    assert writes == {"data/out.csv"}


def test_the_inputs_of_a_stage_must_exist_before_it_resumes(project: Path) -> None:
    stage = Stage("ensemble", "digits", load_params(ROOT / "params.yaml"))
    stage.input("prepare", "train.npz")
    with pytest.raises(InputError, match=r"data/prepare/digits/train\.npz: file is missing; run `dvc repro`"):
        stage.resume()
